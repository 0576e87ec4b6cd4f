//! Whatever the slices contain, smoothing ends with arbitrage-free curves or none.

use closemark_pricing::settings::SmoothingSettings;
use closemark_pricing::smoothing::{Curve, SliceInput, SmoothedSlice, VolatilityQuote, smooth_class};
use closemark_pricing::vocabulary::{OptionType, Reason, SolverStatus};

struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
    fn below(&mut self, n: usize) -> usize {
        (self.uniform() * n as f64) as usize
    }
    fn log(&mut self, low: f64, high: f64) -> f64 {
        low * libm::pow(high / low, self.uniform())
    }
}

/// Dividends are the same share of the forward in all slices of a class, so that strike 0 has one place.
fn slice(random: &mut Random, time: f64, dividends: f64) -> SliceInput {
    let forward = random.log(0.5, 5000.0);
    let n = 1 + random.below(30);
    let tight = random.below(4) == 0;
    let mut strikes: Vec<f64> = (0..n)
        .map(|_| if tight { forward + 1e-6 * random.below(50) as f64 } else { random.log(0.01, 30.0) * forward })
        .collect();
    strikes.sort_by(f64::total_cmp);
    strikes.dedup();
    let level = random.log(0.01, 5.0);
    let mut quotes = Vec::new();
    for strike in 0..strikes.len() {
        for option_type in [OptionType::Call, OptionType::Put] {
            if random.below(3) == 0 {
                continue;
            }
            let mid = match random.below(40) {
                0 => f64::NAN,
                1 => -1.0,
                2 => 1e9,
                _ => level * random.log(0.2, 5.0),
            };
            let half_spread = if random.below(40) == 0 { 0.0 } else { mid.abs() * random.log(1e-4, 1.0) };
            quotes.push(VolatilityQuote {
                strike: if random.below(200) == 0 { 1_000_000 } else { strike },
                option_type,
                mid,
                bid: (random.below(4) > 0).then_some(mid - half_spread),
                ask: (random.below(10) > 0).then_some(mid + half_spread),
                half_spread,
                weight: [1.0, 0.1, 0.0, 0.25][random.below(4)],
                two_sided: random.below(4) > 0,
                old: false,
                half_spread_price: 0.05,
            });
        }
    }
    let forward = if random.below(20) == 0 { f64::NAN } else { forward * random.log(0.1, 10.0) };
    SliceInput {
        forward,
        discount_factor: random.log(0.5, 1.05),
        time_to_expiry: time,
        dividend_shift: dividends * forward,
        calendar: random.below(5) > 0,
        american: false,
        strikes,
        quotes,
        previous: (random.below(3) == 0).then(|| Curve { log_moneyness: vec![-0.1, 0.2], volatility: vec![0.3, 0.2] }),
    }
}

/// Whether calendar conditions apply: the dividends leave something of the forward.
fn tied(input: &SliceInput) -> bool {
    input.calendar && input.forward - input.dividend_shift > 1e-3 * input.forward
}

/// Places and puts in the coordinate of calendars, the zero node first; `None` without a curve.
fn puts(input: &SliceInput, out: &SmoothedSlice) -> Option<Vec<(f64, f64)>> {
    let shift = if input.forward - input.dividend_shift > 1e-3 * input.forward { input.dividend_shift } else { 0.0 };
    let scale = input.forward - shift;
    let mut list = vec![(-shift / scale, 0.0)];
    for (k, price) in input.strikes.iter().zip(&out.price) {
        let m = (k - shift) / scale;
        list.push((m, (*price)? / (input.discount_factor * scale) + (m - 1.0).max(0.0)));
    }
    Some(list)
}

fn check(inputs: &[SliceInput], outs: &[SmoothedSlice], label: &str) {
    let mut curves: Vec<Vec<(f64, f64)>> = Vec::new();
    for (input, out) in inputs.iter().zip(outs) {
        assert_eq!(out.price.len(), input.strikes.len(), "{label}");
        assert_eq!(out.outcomes.len(), input.quotes.len(), "{label}");
        assert_eq!(out.price[0].is_some(), out.volatility[0].is_some(), "{label}");
        let Some(curve) = puts(input, out) else { continue };
        assert!(out.volatility.iter().flatten().all(|sigma| sigma.is_finite() && *sigma > 0.0), "{label}");
        for pair in curve.windows(2) {
            let slope = (pair[1].1 - pair[0].1) - (pair[1].0 - pair[0].0);
            assert!(pair[1].1 >= pair[0].1 - 1e-9 && slope <= 1e-9, "{label}: slope {pair:?}");
        }
        for three in curve.windows(3) {
            let share = (three[1].0 - three[0].0) / (three[2].0 - three[0].0);
            let butterfly = three[0].1 + share * (three[2].1 - three[0].1) - three[1].1;
            assert!(butterfly >= -1e-9, "{label}: butterfly {butterfly:e}");
        }
        if tied(input) {
            for early in &curves {
                for (m, put) in &early[1..] {
                    let j = curve.partition_point(|point| point.0 < *m);
                    if j > usize::from(early[0].0 != curve[0].0) && j < curve.len() {
                        let (l, r) = (curve[j - 1], curve[j]);
                        let chord = l.1 + (r.1 - l.1) * (m - l.0) / (r.0 - l.0);
                        assert!(chord >= put - 1e-9, "{label}: calendar {:e}", chord - put);
                    }
                }
            }
            curves.push(curve);
        }
    }
}

#[test]
fn random_classes_of_garbage_end_free_of_arbitrage() {
    let settings = SmoothingSettings::default();
    let mut random = Random(42);
    let (mut case, mut done) = (0, 0);
    while done < 100_000 {
        case += 1;
        let slices = 1 + random.below(5);
        done += slices;
        let mut time = random.log(1e-6, 0.1);
        let dividends = if random.below(3) == 0 { 0.3 } else { 0.0 };
        let inputs: Vec<SliceInput> = (0..slices)
            .map(|_| {
                time *= random.log(1.0, 4.0);
                slice(&mut random, time, dividends)
            })
            .collect();
        let outs = smooth_class(&inputs, &settings);
        check(&inputs, &outs, &format!("case {case}"));
    }
}

#[test]
fn what_does_not_converge_says_so_and_keeps_every_condition() {
    let settings = SmoothingSettings { program_iterations_max: 1, rounds_max: 1, ..SmoothingSettings::default() };
    let mut random = Random(4242);
    let mut hard = 0;
    for case in 0..500 {
        let mut time = random.log(1e-3, 0.1);
        let inputs: Vec<SliceInput> = (0..3)
            .map(|_| {
                time *= random.log(1.1, 3.0);
                slice(&mut random, time, 0.0)
            })
            .collect();
        let outs = smooth_class(&inputs, &settings);
        check(&inputs, &outs, &format!("cut short, case {case}"));
        for out in outs.iter().filter(|out| out.solver_status == SolverStatus::MaxIterations) {
            assert!(out.reasons.contains(Reason::NonConverged), "case {case}");
            hard += 1;
        }
    }
    assert!(hard > 100, "{hard}");
}
