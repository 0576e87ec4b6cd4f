//! The way of the marks, made again step by step, ends at what a close publishes: on every underlying of the bundled day.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use closemark_data::input::{ReadOptions, read_day};
use closemark_data::sample;
use closemark_pricing::Price;
use closemark_pricing::mark::{FixedMark, mark_underlying, mark_underlying_by_steps, mark_underlying_fixed};
use closemark_pricing::vocabulary::{MarkSource, OptionType};

#[test]
fn the_last_round_is_the_published_curve_and_the_last_step_the_published_mark() {
    let day = read_day(&sample::source(), &ReadOptions::default()).unwrap();
    let (mut curves, mut prices, mut several, mut capped) = (0, 0, 0, 0);
    for own in &day.underlyings {
        let marks = mark_underlying(own, &day.settings);
        let (again, histories) = mark_underlying_by_steps(own, &[], &day.settings);
        assert!(format!("{marks:?}") == format!("{again:?}"), "{}", own.underlying);
        let mut seen = vec![false; own.series.len()];
        for history in &histories {
            let slice = &marks.slices[history.slice];
            let bits = |values: &[f64]| values.iter().map(|w| w.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&slice.curve_total_variance), bits(&history.total_variance()));
            assert_eq!(history.steps.last().map_or(0, |step| step.round), slice.iterations);
            curves += usize::from(!slice.curve_total_variance.is_empty());
            several += usize::from(history.steps.len() > 1);
            let Some(last) = history.steps.last() else { continue };
            for (place, pair) in history.series.iter().enumerate() {
                for (side, index) in pair.iter().enumerate().filter_map(|(side, index)| Some((side, (*index)?))) {
                    seen[index] = true;
                    let (row, (_, unrounded, published)) = (&marks.series[index], history.price_at(side, place));
                    assert_eq!(published, row.mark.map(Price::micros));
                    prices += 1;
                    // Rounding and what exactness asked for moved it by no more than the slice's largest move.
                    if let (Some(unrounded), Some(published), Some(most)) = (unrounded, published, slice.largest_move) {
                        let moved = (unrounded * 1e6 - published as f64).abs();
                        assert!(moved <= most.micros() as f64 + 1.0, "{} {moved}", own.series[index].osi_symbol);
                    }
                    let call = own.series[index].option_type == OptionType::Call;
                    assert_eq!(call, side == 0);
                }
                // A mark whose target a cap decided stands where the cap stands.
                if let (Some(cap), Some(target), Some(index)) =
                    (last.caps[place], last.target[place], pair[0].or(pair[1]))
                    && marks.series[index].mark_source == MarkSource::CapHigh
                {
                    assert!(target <= cap[1] * (1.0 + 1e-9), "{target} {cap:?}");
                    capped += 1;
                }
                for index in &last.left_out {
                    assert_ne!(marks.series[*index].accepted, Some(true));
                }
            }
        }
        for (index, row) in marks.series.iter().enumerate().filter(|(_, row)| row.smoothed_volatility.is_some()) {
            assert!(seen[index], "{} has a curve and no way", own.series[index].osi_symbol);
            assert!(row.mark.is_some());
        }
    }
    assert!(curves > 200 && prices > 10_000 && several > 10 && capped > 0, "{curves} {prices} {several} {capped}");
}

#[test]
fn a_fixed_mark_is_the_last_step_of_its_way() {
    let day = read_day(&sample::source(), &ReadOptions::default()).unwrap();
    let own = day.underlyings.iter().find(|own| own.underlying == "SPX").unwrap();
    let marks = mark_underlying(own, &day.settings);
    let smoothed = |index: &usize| marks.series[*index].mark_source == MarkSource::Smoothed;
    let index = (0..own.series.len()).filter(smoothed).nth(40).unwrap();
    let mark = Price::from_micros(marks.series[index].mark.unwrap().micros() + 10_000);
    let fixed = [FixedMark { osi_symbol: own.series[index].osi_symbol.clone(), mark, author: "alice".to_owned() }];
    let published = mark_underlying_fixed(own, &fixed, &day.settings).unwrap();
    let (again, histories) = mark_underlying_by_steps(own, &fixed, &day.settings);
    assert!(format!("{published:?}") == format!("{again:?}"));
    let place = |history: &closemark_pricing::mark::SliceHistory| {
        history.series.iter().position(|pair| pair.contains(&Some(index)))
    };
    let (history, strike) = histories.iter().find_map(|history| Some((history, place(history)?))).unwrap();
    let side = usize::from(own.series[index].option_type == OptionType::Put);
    assert_eq!(history.price_at(side, strike).2, Some(mark.micros()));
}
