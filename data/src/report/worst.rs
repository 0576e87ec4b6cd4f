//! The pictures' data: the slices of the least believable underlyings as columns, bounded in size.

use std::collections::BTreeSet;

use closemark_pricing::mark::{SeriesMark, SliceMark};
use closemark_pricing::series::Series;
use closemark_pricing::vocabulary::{ExerciseStyle, MarkSource, OptionType, QuoteStatus, Reason, Settlement};

use super::figures::{BoardRow, is_non_converged, is_out_of_the_money};
use super::json::{Json, short};
use crate::date;

/// Smiles drawn for one underlying.
const SLICES_MAX: usize = 6;
/// Series drawn in one smile.
const SERIES_MAX: usize = 400;
/// Nodes of one line of total variance.
const NODES_MAX: usize = 48;
/// Lines of total variance.
const LINES_MAX: usize = 80;

/// The vocabularies that the columns `source` and `reasons` point into.
pub(crate) fn words(json: &mut Json) {
    json.object(|json| {
        json.key("sources").array(|json| MarkSource::ALL.iter().for_each(|word| json.string(word.as_str())));
        json.key("reasons").array(|json| Reason::ALL.iter().for_each(|word| json.string(word.as_str())));
    });
}

/// One underlying: its worst slices in order of expiry, and all its lines of total variance.
pub(crate) fn underlying(json: &mut Json, row: &BoardRow<'_>) {
    let (drawn, first) = drawn_slices(row);
    json.object(|json| {
        json.key("underlying").string(&row.day.underlying);
        json.key("first").whole(first as u64);
        json.key("slices").array(|json| {
            for &index in &drawn {
                if let Some(slice) = row.marks.slices.get(index) {
                    smile(json, row, index, slice);
                }
            }
        });
        json.key("variance").array(|json| {
            let curves: Vec<&SliceMark> =
                row.marks.slices.iter().filter(|slice| !slice.curve_log_moneyness.is_empty()).collect();
            for index in evenly(curves.len(), LINES_MAX) {
                if let Some(slice) = curves.get(index) {
                    line(json, slice);
                }
            }
        });
    });
}

/// The slices to draw in order of expiry, and the place among them of the one that is hardest to believe.
fn drawn_slices(row: &BoardRow<'_>) -> (Vec<usize>, usize) {
    let mut worst_edit = vec![0.0_f64; row.marks.slices.len()];
    for mark in &row.marks.series {
        if let (Some(worst), Some(edit)) = (worst_edit.get_mut(mark.slice), mark.edit_half_spreads) {
            *worst = worst.max(edit.abs());
        }
    }
    let mut ranked: Vec<(f64, usize)> = row
        .marks
        .slices
        .iter()
        .zip(worst_edit)
        .enumerate()
        .map(|(index, (slice, worst))| {
            let outside = 1.0 - slice.share_inside.unwrap_or(1.0);
            let quoted = if slice.quoted_count > 0 { 10.0 } else { 0.0 };
            let lost = if is_non_converged(slice) { 3.0 } else { 0.0 };
            (quoted + lost + 4.0 * outside + 2.0 * worst / (worst + 5.0) + 1.0 - slice.confidence, index)
        })
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    ranked.truncate(SLICES_MAX);
    let worst = ranked.first().map_or(0, |entry| entry.1);
    let mut drawn: Vec<usize> = ranked.into_iter().map(|entry| entry.1).collect();
    drawn.sort_unstable();
    let first = drawn.iter().position(|&index| index == worst).unwrap_or(0);
    (drawn, first)
}

/// `SPXW 2026-12-18 PM`, with the deliverable where it is not the plain one.
pub(crate) fn slice_label(slice: &SliceMark) -> String {
    format!("{} {} {}", slice.root, date::to_text(slice.expiration), slice.settlement)
}

fn smile(json: &mut Json, row: &BoardRow<'_>, index: usize, slice: &SliceMark) {
    let members: Vec<(&Series, &SeriesMark)> =
        row.day.series.iter().zip(&row.marks.series).filter(|(_, mark)| mark.slice == index).collect();
    let kept = thinned(&members);
    let of = |read: &dyn Fn(&Series, &SeriesMark) -> Option<f64>| -> Vec<Option<f64>> {
        kept.iter().map(|(series, mark)| read(series, mark)).collect()
    };
    let text = |read: &dyn Fn(&Series, &SeriesMark) -> char| -> String {
        kept.iter().map(|(series, mark)| read(series, mark)).collect()
    };
    json.object(|json| {
        json.key("label").string(&slice_label(slice));
        json.key("chip").string(&chip(&row.day.underlying, slice));
        json.key("forward").number(slice.forward, 6);
        json.key("time").number(Some(slice.time_to_expiry), 8);
        json.key("atm").number(slice.atm_volatility, 6);
        json.key("facts").array(|json| facts(json, slice, kept.len(), members.len()));
        // With cash dividends the curve's coordinate is not the model volatility that the quotes are drawn in.
        let plain = slice.dividend_present_value.unwrap_or(0.0) == 0.0;
        json.key("curve_is_model").boolean(slice.exercise_style == ExerciseStyle::European || plain);
        let nodes = evenly(slice.curve_log_moneyness.len(), 4 * NODES_MAX);
        json.key("curve_k").numbers(nodes.iter().map(|&i| slice.curve_log_moneyness.get(i).copied()), 5);
        json.key("curve_w").numbers(nodes.iter().map(|&i| slice.curve_total_variance.get(i).copied()), 8);
        json.key("strike").numbers(of(&|series, _| Some(series.strike.to_f64())).into_iter(), 3);
        json.key("type").string(&text(&|series, _| match series.option_type {
            OptionType::Call => 'C',
            OptionType::Put => 'P',
        }));
        json.key("accepted").string(&text(&|_, mark| match mark.accepted {
            Some(true) => '1',
            Some(false) => '0',
            None => '-',
        }));
        let price = |price: Option<closemark_pricing::Price>| price.map(closemark_pricing::Price::to_f64);
        json.key("bid").numbers(of(&|_, mark| price(mark.bid)).into_iter(), 4);
        json.key("ask").numbers(of(&|_, mark| price(mark.ask)).into_iter(), 4);
        json.key("mid").numbers(of(&|_, mark| price(mark.mid)).into_iter(), 5);
        json.key("mark").numbers(of(&|_, mark| price(mark.mark)).into_iter(), 6);
        json.key("bid_volatility").numbers(of(&|_, mark| mark.bid_implied_volatility).into_iter(), 5);
        json.key("mid_volatility").numbers(of(&|_, mark| mark.implied_volatility).into_iter(), 5);
        json.key("ask_volatility").numbers(of(&|_, mark| mark.ask_implied_volatility).into_iter(), 5);
        json.key("volatility").numbers(of(&|_, mark| mark.smoothed_volatility).into_iter(), 5);
        json.key("residual").numbers(of(&|_, mark| mark.edit_half_spreads).into_iter(), 3);
        json.key("source").numbers(of(&|_, mark| Some(f64::from(mark.mark_source as u32))).into_iter(), 0);
        let bits = |mark: &SeriesMark| mark.reasons.iter().fold(0_u32, |bits, word| bits | 1 << (word as u32));
        json.key("reasons").numbers(of(&|_, mark| Some(f64::from(bits(mark)))).into_iter(), 0);
    });
}

/// `18 Dec 26`, with what else tells slices of one date apart.
fn chip(underlying: &str, slice: &SliceMark) -> String {
    let (year, month, day) = date::to_ymd(slice.expiration);
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let name = usize::try_from(month).ok().and_then(|m| months.get(m.checked_sub(1)?)).copied().unwrap_or("?");
    let root = if slice.root == underlying { String::new() } else { format!(" {}", slice.root) };
    let morning = if slice.settlement == Settlement::Am { " AM" } else { "" };
    format!("{day} {name} {:02}{root}{morning}", year.rem_euclid(100))
}

fn facts(json: &mut Json, slice: &SliceMark, kept: usize, members: usize) {
    let mut fact = |name: &str, value: Option<String>| {
        json.array(|json| {
            json.string(name);
            json.string(value.as_deref().unwrap_or("–"));
        });
    };
    let percent = |value: Option<f64>, decimals: usize| value.map(|v| format!("{:.decimals$} %", 100.0 * v));
    fact("forward", slice.forward.map(|f| format!("{f:.4}")));
    fact("discount factor", slice.discount_factor.map(|d| format!("{d:.6}")));
    match slice.exercise_style {
        ExerciseStyle::American => fact("borrow", percent(slice.borrow_rate, 2)),
        ExerciseStyle::European => fact("carry", percent(slice.carry_rate, 2)),
    }
    fact("days", Some(short(slice.time_to_expiry * 365.0, 2)));
    fact("at the money", percent(slice.atm_volatility, 2));
    fact("inside", percent(slice.share_inside, 1));
    fact("accepted", percent(slice.share_accepted, 1));
    fact("χ", slice.chi.map(|chi| format!("{chi:.2}")));
    fact("degrees of freedom", slice.degrees_of_freedom.map(|d| format!("{d:.1}")));
    fact("violations before", Some(violations(slice.violations_before)));
    fact("after", Some(violations(slice.violations_after)));
    fact("parity residual", slice.parity_residual.map(|p| format!("{p:.2}")));
    fact("solver", Some(format!("{}, {} rounds", slice.solver_status, slice.iterations)));
    fact("confidence", Some(format!("{:.2}", slice.confidence)));
    if kept < members {
        fact("drawn", Some(format!("{kept} of {members} series")));
    }
    let reasons: Vec<&str> = slice.reasons.iter().map(Reason::as_str).collect();
    if !reasons.is_empty() {
        fact("reasons", Some(reasons.join(", ")));
    }
}

/// `3 vertical, 12 butterfly`, or `none`.
pub(crate) fn violations(counts: closemark_pricing::mark::ViolationCounts) -> String {
    let kinds = [
        (counts.vertical, "vertical"),
        (counts.butterfly, "butterfly"),
        (counts.calendar, "calendar"),
        (counts.parity, "parity"),
    ];
    let said: Vec<String> = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, kind)| format!("{n} {kind}")).collect();
    if said.is_empty() { "none".to_owned() } else { said.join(", ") }
}

/// At most [`SERIES_MAX`] members: what was excluded or moved most, then two-sided out-of-the-money quotes evenly,
/// then the rest evenly; in the order they came.
fn thinned<'a>(members: &[(&'a Series, &'a SeriesMark)]) -> Vec<(&'a Series, &'a SeriesMark)> {
    if members.len() <= SERIES_MAX {
        return members.to_vec();
    }
    let mut remarkable: Vec<(f64, usize)> = Vec::new();
    let (mut quoted, mut other) = (Vec::new(), Vec::new());
    for (index, (series, mark)) in members.iter().enumerate() {
        let moved = mark.edit_half_spreads.map_or(0.0, f64::abs);
        if mark.accepted == Some(false) || moved > 1.0 {
            remarkable.push((moved, index));
        } else if mark.quote_status == QuoteStatus::TwoSided && is_out_of_the_money(series, mark) {
            quoted.push(index);
        } else {
            other.push(index);
        }
    }
    remarkable.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    remarkable.truncate(SERIES_MAX / 3);
    let mut kept: BTreeSet<usize> = remarkable.into_iter().map(|entry| entry.1).collect();
    for list in [quoted, other] {
        let room = SERIES_MAX.saturating_sub(kept.len());
        kept.extend(evenly(list.len(), room).into_iter().filter_map(|place| list.get(place).copied()));
    }
    kept.into_iter().filter_map(|index| members.get(index).copied()).collect()
}

/// At most `room` of the places `0..count`, evenly spread, the first and last among them.
fn evenly(count: usize, room: usize) -> Vec<usize> {
    match (count, room) {
        (_, 0) | (0, _) => Vec::new(),
        (_, 1) => vec![count / 2],
        _ if count <= room => (0..count).collect(),
        _ => (0..room).map(|i| i * (count - 1) / (room - 1)).collect(),
    }
}

fn line(json: &mut Json, slice: &SliceMark) {
    let nodes = evenly(slice.curve_log_moneyness.len(), NODES_MAX);
    json.object(|json| {
        json.key("label").string(&slice_label(slice));
        json.key("time").number(Some(slice.time_to_expiry), 5);
        json.key("atm").number(slice.atm_volatility, 5);
        json.key("k").numbers(nodes.iter().map(|&i| slice.curve_log_moneyness.get(i).copied()), 4);
        json.key("w").numbers(nodes.iter().map(|&i| slice.curve_total_variance.get(i).copied()), 7);
    });
}

#[cfg(test)]
mod tests {
    use super::evenly;

    #[test]
    fn even_choices_keep_both_ends_and_their_number() {
        assert_eq!(evenly(3, 10), [0, 1, 2]);
        assert_eq!(evenly(11, 3), [0, 5, 10]);
        assert_eq!(evenly(0, 5), Vec::<usize>::new());
        assert_eq!(evenly(9, 1), [4]);
        let many = evenly(1_000_003, 400);
        assert_eq!((many.len(), many[0], many[399]), (400, 0, 1_000_002));
        assert!(many.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
