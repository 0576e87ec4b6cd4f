//! What differs between two runs of one date: one walk through both in published order.

use std::cmp::Ordering;

use super::close::Close;
use super::columns::mark;
use super::view::RowView;

/// A series whose mark differs.
#[derive(Clone, Copy)]
pub struct Change<'a> {
    /// The older row; `None` where the series was not listed.
    pub before: Option<RowView<'a>>,
    /// The newer row; `None` where the series is not listed any more.
    pub after: Option<RowView<'a>>,
}

/// Walks through the changes from a place in both runs.
pub struct Changes<'a> {
    base: &'a Close,
    newer: &'a Close,
    at: (u32, u32),
}

impl<'a> Changes<'a> {
    /// From `at`: the rows of the base and of the newer run that were not yet compared.
    pub fn from(base: &'a Close, newer: &'a Close, at: (u32, u32)) -> Self {
        Self { base, newer, at }
    }

    /// Where the walk stands.
    pub fn at(&self) -> (u32, u32) {
        self.at
    }
}

impl<'a> Iterator for Changes<'a> {
    type Item = Change<'a>;

    fn next(&mut self) -> Option<Change<'a>> {
        loop {
            let pair = (self.base.marks().row(self.at.0), self.newer.marks().row(self.at.1));
            let order = match &pair {
                (None, None) => return None,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(before), Some(after)) => compare(before, after),
            };
            match (order, pair) {
                (Ordering::Less, (before, _)) => {
                    self.at.0 += 1;
                    return Some(Change { before, after: None });
                }
                (Ordering::Greater, (_, after)) => {
                    self.at.1 += 1;
                    return Some(Change { before: None, after });
                }
                (Ordering::Equal, (before, after)) => {
                    self.at = (self.at.0 + 1, self.at.1 + 1);
                    let price = |row: &Option<RowView<'_>>| row.and_then(|row| row.decimal(mark::MARK));
                    if price(&before) != price(&after) {
                        return Some(Change { before, after });
                    }
                }
            }
        }
    }
}

/// The published order of two rows.
fn compare(a: &RowView<'_>, b: &RowView<'_>) -> Ordering {
    if a.text(mark::OSI_SYMBOL) == b.text(mark::OSI_SYMBOL) {
        return Ordering::Equal;
    }
    let text = |place: usize| a.text(place).cmp(b.text(place));
    text(mark::UNDERLYING)
        .then_with(|| a.date(mark::EXPIRATION).cmp(&b.date(mark::EXPIRATION)))
        .then_with(|| text(mark::SETTLEMENT))
        .then_with(|| text(mark::ROOT))
        .then_with(|| a.decimal(mark::STRIKE).cmp(&b.decimal(mark::STRIKE)))
        .then_with(|| text(mark::OPTION_TYPE))
        .then_with(|| text(mark::OSI_SYMBOL))
}
