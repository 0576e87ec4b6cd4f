//! From a symbol to its row: an open-addressed table of row numbers, at most half full.

use super::table::StoredTable;

/// No row.
const FREE: u32 = u32::MAX;

/// Finds rows by the text of one column, which is unique.
pub(crate) struct Index {
    slots: Vec<u32>,
    place: usize,
}

impl Index {
    /// Indexes a column.
    ///
    /// # Errors
    /// The text that occurs twice.
    pub(crate) fn build(table: &StoredTable, place: usize) -> Result<Self, String> {
        let size = (table.rows() as usize).saturating_mul(2).next_power_of_two().max(2);
        let mut index = Self { slots: vec![FREE; size], place };
        for row in 0..table.rows() {
            let Some(text) = table.row(row).map(|view| view.text(place)) else { continue };
            match index.probe(table, text) {
                (_, Some(_)) => return Err(format!("{text:?} occurs twice")),
                (slot, None) => {
                    if let Some(slot) = index.slots.get_mut(slot) {
                        *slot = row;
                    }
                }
            }
        }
        Ok(index)
    }

    /// The row of a text.
    pub(crate) fn find(&self, table: &StoredTable, text: &str) -> Option<u32> {
        self.probe(table, text).1
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> u64 {
        (self.slots.len() * size_of::<u32>()) as u64
    }

    /// The slot at which the search for a text ends, and the row there.
    fn probe(&self, table: &StoredTable, text: &str) -> (usize, Option<u32>) {
        let mask = self.slots.len().saturating_sub(1);
        let mut slot = (hash(text.as_bytes()) as usize) & mask;
        // At most half of the slots are taken, so that a free one ends every search.
        for _ in 0..self.slots.len() {
            let row = self.slots.get(slot).copied().unwrap_or(FREE);
            if row == FREE {
                return (slot, None);
            }
            if table.row(row).is_some_and(|view| view.text(self.place) == text) {
                return (slot, Some(row));
            }
            slot = (slot + 1) & mask;
        }
        (slot, None)
    }
}

/// Eight bytes at a time: mix, multiply, fold. The keys come from a published close, not from callers.
fn hash(bytes: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut tail = [0_u8; 8];
    for (to, from) in tail.iter_mut().zip(rest) {
        *to = *from;
    }
    let mut state = bytes.len() as u64;
    for word in words.iter().chain(std::iter::once(&tail)) {
        let product = u128::from(state ^ u64::from_le_bytes(*word)) * u128::from(ODD);
        state = (product as u64) ^ ((product >> 64) as u64);
    }
    state.wrapping_mul(ODD) >> 16
}
