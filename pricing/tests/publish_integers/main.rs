//! Exact publication against an independent reading of its conditions, row by row, in plain 128-bit integers.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use closemark_pricing::publish::integers::{IntegerReport, IntegerSlice, publish_integers, quantise_discount_factor};
use closemark_pricing::vocabulary::ExerciseStyle::{American, European};
use proptest::prelude::*;

use oracle::{UNIT, bounded, naive, violations};
use surfaces::{american, empty, european, micros, name_like, noisy, spx_like, unit_put};

mod oracle;
mod surfaces;

fn mean_move(before: &[IntegerSlice], after: &[IntegerSlice]) -> f64 {
    let puts = |s: &[IntegerSlice]| s.iter().flat_map(|s| s.put.clone()).flatten().collect::<Vec<_>>();
    let (b, a) = (puts(before), puts(after));
    b.iter().zip(&a).map(|(x, y)| (x - y).abs() as f64).sum::<f64>() / b.len() as f64
}

fn check(name: &str, mut slices: Vec<IntegerSlice>, limit: i64) -> IntegerReport {
    let before = slices.clone();
    let broken = violations(&slices).len();
    let report = publish_integers(&mut slices);
    assert!(report.feasible);
    assert_eq!(violations(&slices), Vec::<String>::new());
    let largest = report.largest_move.iter().copied().max().unwrap_or(0);
    let least = report.smallest_possible_move;
    println!(
        "{name}: {} prices, {broken} violations before; moves mean {:.3} max {largest}, smallest possible {least:?}; {} updates",
        before.iter().map(|s| s.put.len()).sum::<usize>(),
        mean_move(&before, &slices),
        report.updates
    );
    assert!(largest <= limit && least.is_some_and(|l| l <= largest));
    let published = slices.clone();
    let again = publish_integers(&mut slices);
    assert_eq!(slices, published);
    assert_eq!(again.updates, 0);
    report
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn american_result_is_the_greatest_whatever_the_order(slices in noisy(American)) {
        let mut published = slices.clone();
        prop_assert!(publish_integers(&mut published).feasible);
        prop_assert_eq!(violations(&published), Vec::<String>::new());
        for backwards in [false, true] {
            let mut expected = bounded(&slices);
            naive(&mut expected, backwards);
            prop_assert_eq!(&published, &expected);
        }
        let again = published.clone();
        publish_integers(&mut published);
        prop_assert_eq!(published, again);
    }

    #[test]
    fn european_result_is_the_greatest_whatever_the_order(slices in noisy(European)) {
        let mut published = slices.clone();
        prop_assert!(publish_integers(&mut published).feasible);
        prop_assert_eq!(violations(&published), Vec::<String>::new());
        for backwards in [false, true] {
            let mut expected = bounded(&slices);
            naive(&mut expected, backwards);
            prop_assert_eq!(&published, &expected);
        }
    }

    #[test]
    fn fixed_marks_stand_or_nothing_changes(
        slices in noisy(American), at in 0_usize..64, call: bool, share in -0.2..0.6_f64,
    ) {
        let mut slices = bounded(&slices);
        publish_integers(&mut slices);
        let t = at % slices.len();
        let j = at / 4 % slices[t].strikes.len();
        let s = &mut slices[t];
        let (marks, fixed) = if call { (&mut s.call, &mut s.call_fixed) } else { (&mut s.put, &mut s.put_fixed) };
        let wanted = marks[j].map(|p| p + (share * p as f64) as i64);
        marks[j] = wanted;
        fixed[j] = true;
        let before = slices.clone();
        let report = publish_integers(&mut slices);
        if report.feasible {
            prop_assert_eq!(violations(&slices), Vec::<String>::new());
            prop_assert_eq!(if call { slices[t].call[j] } else { slices[t].put[j] }, wanted);
        } else {
            prop_assert_eq!(slices, before);
        }
    }

    #[test]
    fn garbage_never_panics(
        numbers in prop::collection::vec(prop_oneof![any::<i64>(), 0_i64..2_000_000_000_000, 1_i64..50], 24),
        american: bool, exact: bool,
    ) {
        let style = if american { American } else { European };
        let n = &numbers;
        let mut slices: Vec<IntegerSlice> = (0..2).map(|t| {
            let mut strikes = vec![n[12 * t], n[12 * t + 1], n[12 * t + 2]];
            strikes.sort_unstable();
            let mut s = empty(style, strikes);
            s.call = vec![Some(n[12 * t + 3]), None, Some(n[12 * t + 4])];
            s.put = vec![Some(n[12 * t + 5]), Some(n[12 * t + 6]), None];
            s.put_fixed[1] = exact;
            s.exact_parity = exact;
            s.discount_factor = n[12 * t + 7];
            s.forward_present_value = n[12 * t + 8];
            s.spot = n[9];
            s.parity_upper = n[9].saturating_add(n[12 * t + 10].saturating_abs());
            s.parity_lower = n[9].saturating_sub(n[12 * t + 11].saturating_abs());
            s.discount_factor_min = 990_000_000_000;
            s.discount_factor_max = 1_010_000_000_000;
            s
        }).collect();
        publish_integers(&mut slices);
        quantise_discount_factor(numbers[0] as f64, &numbers, 1.0, 0.1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn the_smallest_possible_move_is_the_first_that_a_search_finds(slices in noisy(American)) {
        let given = bounded(&slices);
        let report = publish_integers(&mut slices.clone());
        let prices = |s: &[IntegerSlice]| -> Vec<i64> {
            s.iter().flat_map(|s| s.call.iter().chain(&s.put)).flatten().copied().collect()
        };
        // Within m of the marks there is a surface exactly if the greatest below marks + m does not sink below marks - m.
        let within = |m: i64| {
            let mut lifted = given.clone();
            lifted.iter_mut().flat_map(|s| s.call.iter_mut().chain(&mut s.put)).flatten().for_each(|p| *p += m);
            let mut greatest = bounded(&lifted);
            naive(&mut greatest, false);
            prices(&given).iter().zip(prices(&greatest)).all(|(mark, reached)| mark - reached <= m)
        };
        prop_assert_eq!(report.smallest_possible_move, (0..1000).find(|m| within(*m)));
    }
}

#[test]
fn a_call_alone_is_published_through_the_put_it_implies() {
    let mut slices = vec![european(vec![90_000_000, 100_000_000, 110_000_000], 100.0, 0.5, 0.04, 0.2, 0.3)];
    let full = {
        let mut copy = slices.clone();
        publish_integers(&mut copy);
        copy
    };
    slices[0].put[1] = None;
    slices[0].call[2] = None;
    assert!(publish_integers(&mut slices).feasible);
    assert_eq!(slices[0].call, [full[0].call[0], full[0].call[1], None]);
    assert_eq!(slices[0].put, [full[0].put[0], None, full[0].put[2]]);
}

#[test]
fn strikes_in_thousandths_keep_puts_exact_and_calls_to_one() {
    // D K is no whole number of millionths: products beyond 128 bits.
    let strikes: Vec<i64> = (0..60).map(|j| 3_900_000_000 + 20_357_000 * j).collect();
    let mut slices: Vec<IntegerSlice> = (1..5)
        .map(|t| {
            let years = 0.1 * f64::from(t);
            let mut s =
                european(strikes.iter().map(|k| k / 5_000_000 * 5_000_000).collect(), 4500.0, years, 0.05, 0.1, 0.3);
            s.strikes = strikes.clone();
            s.discount_factor = 987_654_321_987 - 4_000_000_000 * i64::from(t);
            s.exact_parity = false;
            let (d, a) = (s.discount_factor as f64 / 1e12, s.forward_present_value as f64 / 1e6);
            for (j, &k) in s.strikes.iter().enumerate() {
                s.put[j] = Some(micros(a * unit_put(d * k as f64 / 1e6 / a, years, 0.1, 0.3)));
            }
            s
        })
        .collect();
    let report = publish_integers(&mut slices);
    assert!(report.feasible && report.largest_move.iter().all(|&m| m <= 10), "{:?}", report.largest_move);
    for s in &slices {
        for w in 0..s.strikes.len() - 2 {
            let k = &s.strikes[w..w + 3];
            let second = |m: &[Option<i64>]| {
                let p = |i: usize| i128::from(m[w + i].unwrap());
                p(0) * i128::from(k[2] - k[1]) + p(2) * i128::from(k[1] - k[0]) - p(1) * i128::from(k[2] - k[0])
            };
            assert!(second(&s.put) >= 0);
            assert!(second(&s.call) >= -i128::from(k[2] - k[0]));
        }
        for (j, &k) in s.strikes.iter().enumerate() {
            let fair = i128::from(s.forward_present_value) * UNIT - i128::from(s.discount_factor) * i128::from(k);
            let gap = i128::from(s.call[j].unwrap() - s.put[j].unwrap()) * UNIT - fair;
            assert!(gap.abs() * 2 <= UNIT || s.call[j] == Some(0));
        }
    }
}

#[test]
fn fixed_marks_against_each_other_are_infeasible() {
    let base = american(vec![90_000_000, 100_000_000, 110_000_000], 100.0, 0.3, 0.2, 0.3);
    // A call at a lower strike may not be cheaper than one at a higher.
    let mut slices = vec![base.clone()];
    slices[0].call[0] = Some(11_000_000);
    slices[0].call[1] = Some(11_500_000);
    slices[0].call_fixed = vec![true, true, false];
    let before = slices.clone();
    assert!(!publish_integers(&mut slices).feasible);
    assert_eq!(slices, before);
    // Below the exercise value.
    let mut slices = vec![base.clone()];
    slices[0].call[0] = Some(9_999_999);
    slices[0].call_fixed[0] = true;
    assert!(!publish_integers(&mut slices).feasible);
    // An earlier option fixed above a later one that is fixed too.
    let mut slices = vec![base.clone(), base];
    slices[0].put[1] = Some(6_000_001);
    slices[0].put_fixed[1] = true;
    slices[1].put[1] = Some(6_000_000);
    slices[1].put_fixed[1] = true;
    assert!(!publish_integers(&mut slices).feasible);
}

#[test]
fn an_override_upward_lifts_its_neighbours_and_leaves_the_rest() {
    let mut slices = name_like(false);
    publish_integers(&mut slices);
    let before = slices.clone();
    let at = slices[3].strikes.iter().position(|&k| k >= 100_000_000).unwrap();
    let wanted = slices[3].put[at].unwrap() + 20_000;
    slices[3].put[at] = Some(wanted);
    slices[3].put_fixed[at] = true;
    assert!(publish_integers(&mut slices).feasible);
    assert_eq!(violations(&slices), Vec::<String>::new());
    assert_eq!(slices[3].put[at], Some(wanted));
    let moved = |t: usize| (0..slices[t].put.len()).filter(|&j| slices[t].put[j] != before[t].put[j]).count();
    assert!(moved(3) < slices[3].put.len() / 3, "{}", moved(3));
    assert_eq!(slices[0..3], before[0..3]);
    let largest = slices[3].put.iter().zip(&before[3].put).map(|(a, b)| (a.unwrap() - b.unwrap()).abs()).max();
    assert!(largest.unwrap() <= 20_000 + 64, "{largest:?}");
}

#[test]
fn rounded_index_surface_moves_by_a_few_millionths() {
    check("index", spx_like(), 10);
}

#[test]
fn rounded_american_surface_moves_by_a_few_millionths() {
    check("american", name_like(false), 10);
}

#[test]
fn odd_strikes_move_by_tens_of_millionths() {
    check("american, odd strikes", name_like(true), 60);
}
