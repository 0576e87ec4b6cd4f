//! Series that share a slice's published name and contradict it in what a slice has only one of.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use closemark_pricing::series::Series;

use super::terms::Listed;
use crate::time;

/// What a series says that its slice does not.
pub(crate) struct Contradiction {
    /// The column of `series.csv`.
    pub(crate) column: &'static str,
    /// The series' own value.
    pub(crate) value: String,
}

/// The column in which each series contradicts its slice and what it says there, or `None` where it does not.
///
/// `listed` is in canonical order. A slice is what most of its series say; among equally many, what the first of them
/// says. Only `series.csv` can contradict: symbols and the root table say the same of every series of a slice.
pub(crate) fn contradictions(listed: &[Listed]) -> Vec<Option<Contradiction>> {
    let mut fields = Vec::with_capacity(listed.len());
    for expiry in listed.chunk_by(same_expiry) {
        if expiry.iter().any(|one| one.described) {
            let mut slices: BTreeMap<&str, Vec<&Series>> = BTreeMap::new();
            for one in expiry {
                slices.entry(&one.series.deliverable.text).or_default().push(&one.series);
            }
            let said: BTreeMap<&str, &Series> =
                slices.into_iter().filter_map(|(text, own)| Some((text, majority(&own)?))).collect();
            fields.extend(expiry.iter().map(|one| {
                let said = said.get(one.series.deliverable.text.as_str())?;
                let column = differing(&one.series, said)?;
                Some(Contradiction { column, value: value(&one.series, column) })
            }));
        } else {
            fields.extend(expiry.iter().map(|_| None));
        }
    }
    fields
}

fn same_expiry(a: &Listed, b: &Listed) -> bool {
    let key = |one: &Listed| (one.series.expiration, one.series.settlement);
    key(a) == key(b) && a.series.root == b.series.root && a.underlying == b.underlying
}

/// The first series of the largest group that agrees.
fn majority<'a>(series: &[&'a Series]) -> Option<&'a Series> {
    let mut groups: Vec<(&Series, usize)> = Vec::new();
    for one in series {
        match groups.iter_mut().find(|(first, _)| differing(one, first).is_none()) {
            Some((_, count)) => *count += 1,
            None => groups.push((one, 1)),
        }
    }
    groups.into_iter().enumerate().min_by_key(|(place, (_, count))| (Reverse(*count), *place)).map(|(_, (one, _))| one)
}

fn value(series: &Series, column: &str) -> String {
    match column {
        "expiration_time" => time::to_utc_text(series.settlement_time),
        "exercise_style" => series.exercise_style.as_str().to_owned(),
        "multiplier" => series.multiplier.to_string(),
        _ => series.currency.clone(),
    }
}

/// The first column of `series.csv` in which two series of one slice differ.
fn differing(a: &Series, b: &Series) -> Option<&'static str> {
    let columns = [
        ("expiration_time", a.settlement_time == b.settlement_time),
        ("exercise_style", a.exercise_style == b.exercise_style),
        ("multiplier", a.multiplier == b.multiplier),
        ("currency", a.currency == b.currency),
    ];
    columns.into_iter().find(|(_, same)| !same).map(|(column, _)| column)
}
