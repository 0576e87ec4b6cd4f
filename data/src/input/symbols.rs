//! Distinct symbols of a day's quotes, numbered as they first appear, without a `String` for each row.

use closemark_pricing::price::Price;

/// A symbol longer than this is no symbol.
pub(crate) const SYMBOL_BYTES_MAX: usize = 64;

/// A table of distinct byte strings with a fixed hash, so that nothing depends on a random seed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Symbols {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    /// Open addressing; zero is free, otherwise number plus one. Its length is a power of two.
    slots: Vec<u32>,
}

impl Symbols {
    /// The number of a symbol, a new one at its first appearance. `None` where it is too long, or where the table
    /// would outgrow its 32-bit offsets.
    pub(crate) fn intern(&mut self, symbol: &[u8]) -> Option<u32> {
        if symbol.len() > SYMBOL_BYTES_MAX {
            return None;
        }
        if (self.ends.len() + 1) * 2 > self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut place = hash(symbol) as usize & mask;
        loop {
            match self.slots.get(place).copied()? {
                0 => break,
                taken if self.get(taken - 1) == symbol => return Some(taken - 1),
                _ => place = (place + 1) & mask,
            }
        }
        let number = u32::try_from(self.ends.len()).ok().filter(|n| *n < u32::MAX - 1)?;
        let end = u32::try_from(self.bytes.len() + symbol.len()).ok()?;
        self.bytes.extend_from_slice(symbol);
        self.ends.push(end);
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = number + 1;
        }
        Some(number)
    }

    /// Forgets every symbol and keeps the room.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.slots.fill(0);
    }

    /// The bytes of a numbered symbol; empty for a number that was never given.
    pub(crate) fn get(&self, number: u32) -> &[u8] {
        let number = number as usize;
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(number).copied().unwrap_or(start);
        self.bytes.get(start as usize..end as usize).unwrap_or_default()
    }

    /// How many symbols there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(1024);
        let mut slots = vec![0u32; size];
        for number in 0..self.ends.len() as u32 {
            let mut place = hash(self.get(number)) as usize & (size - 1);
            while slots.get(place).is_some_and(|taken| *taken != 0) {
                place = (place + 1) & (size - 1);
            }
            if let Some(slot) = slots.get_mut(place) {
                *slot = number + 1;
            }
        }
        self.slots = slots;
    }
}

/// Eight bytes at a time through a multiply and a fold.
fn hash(symbol: &[u8]) -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ symbol.len() as u64;
    for chunk in symbol.chunks(8) {
        let word = chunk.iter().rev().fold(0u64, |word, byte| (word << 8) | u64::from(*byte));
        state = (state ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
        state ^= state >> 32;
    }
    state
}

/// A quote row as read: symbol and venue as numbers, absent values as sentinels, to stay small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawQuote {
    pub(crate) time: i64,
    /// Zero = unknown, else the sequence plus one.
    pub(crate) sequence: u64,
    pub(crate) bid: i64,
    pub(crate) ask: i64,
    pub(crate) bid_size: u32,
    pub(crate) ask_size: u32,
    pub(crate) symbol: u32,
    pub(crate) venue: u16,
}

impl RawQuote {
    pub(crate) const NO_TIME: i64 = i64::MIN;
    pub(crate) const NO_SIZE: u32 = u32::MAX;
    /// A price of zero and an absent price mean the same.
    pub(crate) const NO_PRICE: i64 = 0;

    pub(crate) fn price(micros: i64) -> Option<Price> {
        (micros != Self::NO_PRICE).then(|| Price::from_micros(micros))
    }

    pub(crate) fn size(size: u32) -> Option<u32> {
        (size != Self::NO_SIZE).then_some(size)
    }
}

#[cfg(test)]
mod tests {
    use super::Symbols;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_follow_first_appearance(words in prop::collection::vec("[a-c]{0,4}", 0..3000)) {
            let mut symbols = Symbols::default();
            let mut seen: Vec<String> = Vec::new();
            for word in &words {
                let expected = seen.iter().position(|s| s == word).unwrap_or_else(|| { seen.push(word.clone()); seen.len() - 1 });
                prop_assert_eq!(symbols.intern(word.as_bytes()), Some(expected as u32));
                prop_assert_eq!(symbols.get(expected as u32), word.as_bytes());
            }
            prop_assert_eq!(symbols.len(), seen.len());
        }
    }

    #[test]
    fn too_long_is_no_symbol() {
        assert_eq!(Symbols::default().intern(&[b'A'; 65]), None);
    }
}
