//! The quotes that count: per series and venue the last at or before the snapshot.

use closemark_pricing::mark::ExceptionRow;
use closemark_pricing::quote::{Venue, VenueQuote};
use closemark_pricing::series::{Instant, Series};

use super::exceptions::{self, DUPLICATE_QUOTE};
use super::symbols::RawQuote;
use crate::reference::{NBBO, VenueTable};

/// Row numbers grouped by series: those of group `g` are `rows[offsets[g]..offsets[g + 1]]`, in reading order.
pub(crate) struct Groups {
    offsets: Vec<u32>,
    rows: Vec<u32>,
}

impl Groups {
    /// Groups rows by the group of their symbol; rows of symbols without a group are left out.
    pub(crate) fn new(quotes: &[RawQuote], group_of: impl Fn(u32) -> Option<u32>, groups: usize) -> Self {
        // Rows of one symbol mostly stand together.
        let mut last = (u32::MAX, None);
        let group_of_row: Vec<Option<u32>> = quotes
            .iter()
            .map(|quote| {
                if quote.symbol != last.0 {
                    last = (quote.symbol, group_of(quote.symbol));
                }
                last.1
            })
            .collect();
        let mut offsets = vec![0u32; groups + 1];
        for number in group_of_row.iter().flatten() {
            if let Some(count) = offsets.get_mut(*number as usize + 1) {
                *count += 1;
            }
        }
        let mut total = 0u32;
        for offset in &mut offsets {
            total += *offset;
            *offset = total;
        }
        let mut next = offsets.clone();
        let mut rows = vec![0u32; total as usize];
        for (index, group) in group_of_row.into_iter().enumerate() {
            let Some(place) = group.and_then(|number| next.get_mut(number as usize)) else { continue };
            if let Some(row) = rows.get_mut(*place as usize) {
                *row = index as u32;
            }
            *place += 1;
        }
        Self { offsets, rows }
    }

    /// The rows of a group.
    pub(crate) fn rows_of(&self, group: usize) -> &[u32] {
        match (self.offsets.get(group), self.offsets.get(group + 1)) {
            (Some(start), Some(end)) => self.rows.get(*start as usize..*end as usize).unwrap_or_default(),
            _ => &[],
        }
    }
}

/// What choosing among a series' rows left behind.
pub(crate) struct Selection<'a> {
    pub(crate) venues: &'a VenueTable,
    pub(crate) faults: Vec<ExceptionRow>,
    pub(crate) rows_dropped: u64,
    scratch: Vec<RawQuote>,
}

impl<'a> Selection<'a> {
    pub(crate) fn new(venues: &'a VenueTable) -> Self {
        Self { venues, faults: Vec::new(), rows_dropped: 0, scratch: Vec::new() }
    }

    /// Appends to `chosen` the quotes of one series that count, ascending venue.
    pub(crate) fn choose(
        &mut self,
        underlying: &str,
        series: &Series,
        quotes: &[RawQuote],
        rows: &[u32],
        chosen: &mut Vec<VenueQuote>,
    ) {
        let snapshot = series.snapshot.0;
        let mut candidates = std::mem::take(&mut self.scratch);
        candidates.clear();
        // A row without a time is taken to be there from the start.
        let in_time = rows.iter().filter_map(|row| quotes.get(*row as usize)).filter(|quote| quote.time <= snapshot);
        candidates.extend(in_time);
        // Stable: rows equal in all of this stay in the order of part and row, and the last one counts.
        candidates.sort_by_key(|quote| (quote.venue, quote.time, quote.sequence));
        for group in candidates.chunk_by(|a, b| a.venue == b.venue) {
            self.note_duplicates(underlying, series, group);
            if let Some(last) = group.last() {
                chosen.push(self.venue_quote(last));
            }
        }
        self.scratch = candidates;
    }

    /// Rows of one venue at one time and sequence are duplicates where they say the same, where they carry a
    /// sequence (which is then not unique), or where they carry no time by which one could be the later.
    fn note_duplicates(&mut self, underlying: &str, series: &Series, group: &[RawQuote]) {
        for pair in group.windows(2) {
            let [earlier, later] = pair else { continue };
            let same_place = earlier.time == later.time && earlier.sequence == later.sequence;
            let same_content = (earlier.bid, earlier.bid_size, earlier.ask, earlier.ask_size)
                == (later.bid, later.bid_size, later.ask, later.ask_size);
            if same_place && (same_content || later.sequence != 0 || later.time == RawQuote::NO_TIME) {
                let mut fault = exceptions::series(DUPLICATE_QUOTE, underlying, series, 1);
                fault.scope = "venue_quote";
                fault.field = self.venues.venues().get(usize::from(later.venue)).map(|venue| venue.mic.clone());
                fault.before = Some(text(earlier));
                fault.after = Some(text(later));
                self.faults.push(fault);
                self.rows_dropped += 1;
            }
        }
    }

    fn venue_quote(&self, raw: &RawQuote) -> VenueQuote {
        let consolidated = self.venues.venues().get(usize::from(raw.venue)).is_some_and(|venue| venue.mic == NBBO);
        VenueQuote {
            venue: Venue(raw.venue),
            consolidated,
            bid: RawQuote::price(raw.bid),
            bid_size: RawQuote::size(raw.bid_size),
            ask: RawQuote::price(raw.ask),
            ask_size: RawQuote::size(raw.ask_size),
            time: (raw.time != RawQuote::NO_TIME).then_some(Instant(raw.time)),
        }
    }
}

fn text(quote: &RawQuote) -> String {
    let side = |micros: i64, size: u32| {
        let price = RawQuote::price(micros).map_or_else(|| "-".to_owned(), |price| price.to_string());
        RawQuote::size(size).map_or_else(|| price.clone(), |size| format!("{price} ({size})"))
    };
    format!("{} / {}", side(quote.bid, quote.bid_size), side(quote.ask, quote.ask_size))
}
