//! The digest of canonical inputs: content, not files.
//!
//! Each record is written in one normalised form and hashed; the hashes of one kind are added modulo 2^256 and
//! stand beside their count. A sum does not depend on the order of its terms, so neither does the digest: file
//! form, parts, row order and producer do not enter.

use std::collections::BTreeMap;

/// The sums of all kinds of records so far.
#[derive(Clone, Debug, Default)]
pub struct InputDigest {
    kinds: BTreeMap<&'static str, Kind>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Kind {
    count: u64,
    sum: [u64; 4],
}

impl Kind {
    fn add(&mut self, count: u64, limbs: [u64; 4]) {
        self.count = self.count.saturating_add(count);
        let mut carry = false;
        for (limb, more) in self.sum.iter_mut().zip(limbs) {
            let (sum, first) = limb.overflowing_add(more);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = first || second;
        }
    }
}

impl InputDigest {
    /// Adds one record that stands for `count` records of a kind.
    pub fn add(&mut self, kind: &'static str, count: u64, record: &Record) {
        let hash = blake3::hash(&record.bytes);
        let mut limbs = [0; 4];
        for (limb, bytes) in limbs.iter_mut().zip(hash.as_bytes().as_chunks::<8>().0) {
            *limb = u64::from_le_bytes(*bytes);
        }
        self.kinds.entry(kind).or_default().add(count, limbs);
    }

    /// Adds everything that was added to another digest.
    pub fn merge(&mut self, other: &Self) {
        for (kind, own) in &other.kinds {
            self.kinds.entry(kind).or_default().add(own.count, own.sum);
        }
    }

    /// The 256-bit digest over all kinds, in hex.
    pub fn hex(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"closemark canonical inputs 1");
        for (name, kind) in &self.kinds {
            let mut head = Record::default();
            head.text(name).whole(kind.count as i64);
            hasher.update(&head.bytes);
            for limb in kind.sum {
                hasher.update(&limb.to_le_bytes());
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    /// How many records of each kind there are, by kind.
    pub fn counts(&self) -> Vec<(String, u64)> {
        self.kinds.iter().map(|(name, kind)| ((*name).to_owned(), kind.count)).collect()
    }
}

/// One record in its normalised form: texts with their length, numbers in little-endian, absent values marked.
#[derive(Clone, Debug, Default)]
pub struct Record {
    bytes: Vec<u8>,
}

impl Record {
    /// Empties the record for the next one.
    pub fn clear(&mut self) -> &mut Self {
        self.bytes.clear();
        self
    }

    /// Appends a text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    /// Appends a whole number.
    pub fn whole(&mut self, value: i64) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Appends a real number by its bits, negative zero as zero.
    pub fn real(&mut self, value: f64) -> &mut Self {
        self.bytes.extend_from_slice(&(value + 0.0).to_bits().to_le_bytes());
        self
    }

    /// Appends a number that may be absent.
    pub fn maybe(&mut self, value: Option<i64>) -> &mut Self {
        self.bytes.push(u8::from(value.is_some()));
        if let Some(value) = value { self.whole(value) } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::{InputDigest, Record};

    fn record(text: &str, value: Option<i64>) -> Record {
        let mut record = Record::default();
        record.text(text).maybe(value);
        record
    }

    fn digest(records: &[(&'static str, Record)]) -> String {
        let mut digest = InputDigest::default();
        for (kind, record) in records {
            digest.add(kind, 1, record);
        }
        digest.hex()
    }

    #[test]
    fn order_does_not_enter_but_content_kind_and_number_do() {
        let (a, b) = (("x", record("A", Some(1))), ("y", record("B", None)));
        let both = digest(&[a.clone(), b.clone()]);
        assert_eq!(both, digest(&[b.clone(), a.clone()]));
        assert_ne!(both, digest(std::slice::from_ref(&a)));
        assert_ne!(both, digest(&[a.clone(), b.clone(), b.clone()]));
        let (mut left, mut right) = (InputDigest::default(), InputDigest::default());
        left.add(a.0, 1, &a.1);
        right.add(b.0, 1, &b.1);
        right.merge(&left);
        assert_eq!(both, right.hex());
        assert_ne!(both, digest(&[("y", a.1.clone()), b.clone()]));
        assert_ne!(both, digest(&[("x", record("A", Some(2))), b]));
    }

    #[test]
    fn the_sum_carries_across_limbs() {
        // Adding one hash n times is multiplying it by n modulo 2^256, done here by schoolbook on 32 bytes.
        let one = record("carry", Some(7));
        let mut digest = InputDigest::default();
        for _ in 0..1000 {
            digest.add("k", 1, &one);
        }
        let hash = blake3::hash(&one.bytes);
        let mut carry = 0u32;
        let product: Vec<u8> = hash
            .as_bytes()
            .iter()
            .map(|byte| {
                carry += u32::from(*byte) * 1000;
                let low = carry as u8;
                carry >>= 8;
                low
            })
            .collect();
        let sum: Vec<u8> = digest.kinds["k"].sum.iter().flat_map(|limb| limb.to_le_bytes()).collect();
        assert_eq!(sum, product);
    }
}
