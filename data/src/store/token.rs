//! Page and resume tokens: they pin a run and a place in it, and only this service can make them.

use std::fmt::Write as _;

use closemark_pricing::series::Date;

use super::RunId;

/// What a token continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// A list of marks.
    Marks = 1,
    /// A stream of marks.
    Stream = 2,
    /// A list of changes.
    Changes = 3,
    /// A list of slices.
    Slices = 4,
}

/// Where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// What is continued.
    pub purpose: Purpose,
    /// The date.
    pub date: Date,
    /// The run that all pages are of.
    pub run: RunId,
    /// The first row (or other place) not yet given.
    pub next: u32,
    /// The same in the base run, where there is one.
    pub next_in_base: u32,
}

/// Makes and reads tokens under a secret key.
///
/// A token is the hexadecimal form of the cursor and of a keyed blake3 over the cursor and the request that it belongs
/// to (parent as asked, filters), so that a token continues its own request and no other.
pub struct Tokens {
    key: [u8; 32],
}

const VERSION: u8 = 1;
const CURSOR_BYTES: usize = 2 + 4 + 8 + 4 + 4;
const MAC_BYTES: usize = 32;

impl Tokens {
    /// Tokens under a key of random bytes.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// A token for the continuation of `request`, given as the texts that identify it.
    pub fn seal(&self, cursor: &Cursor, request: &[&str]) -> String {
        let bytes = encode(cursor);
        let mac = self.mac(&bytes, request);
        let mut text = String::with_capacity(2 * (CURSOR_BYTES + MAC_BYTES));
        for byte in bytes.iter().chain(mac.as_bytes()) {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    /// The cursor of a token that this service made for this purpose and request; `None` for any other text.
    pub fn open(&self, token: &str, purpose: Purpose, request: &[&str]) -> Option<Cursor> {
        if token.len() != 2 * (CURSOR_BYTES + MAC_BYTES) || !token.is_ascii() {
            return None;
        }
        let mut bytes = [0_u8; CURSOR_BYTES + MAC_BYTES];
        for (byte, pair) in bytes.iter_mut().zip(token.as_bytes().as_chunks::<2>().0) {
            *byte = 16 * digit(pair[0])? + digit(pair[1])?;
        }
        let (cursor, mac) = bytes.split_first_chunk::<CURSOR_BYTES>()?;
        let mac = blake3::Hash::from_slice(mac).ok()?;
        // Comparing two hashes takes the same time wherever they differ.
        if self.mac(cursor, request) != mac {
            return None;
        }
        decode(cursor).filter(|cursor| cursor.purpose == purpose)
    }

    fn mac(&self, cursor: &[u8; CURSOR_BYTES], request: &[&str]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(cursor);
        for text in request {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        hasher.finalize()
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

fn encode(cursor: &Cursor) -> [u8; CURSOR_BYTES] {
    let mut bytes = [0_u8; CURSOR_BYTES];
    let fields = [VERSION, cursor.purpose as u8]
        .into_iter()
        .chain(cursor.date.0.to_le_bytes())
        .chain(cursor.run.bits().to_le_bytes())
        .chain(cursor.next.to_le_bytes())
        .chain(cursor.next_in_base.to_le_bytes());
    for (byte, field) in bytes.iter_mut().zip(fields) {
        *byte = field;
    }
    bytes
}

fn decode(bytes: &[u8; CURSOR_BYTES]) -> Option<Cursor> {
    let (version, rest) = bytes.split_first_chunk::<1>()?;
    let (purpose, rest) = rest.split_first_chunk::<1>()?;
    let (date, rest) = rest.split_first_chunk::<4>()?;
    let (run, rest) = rest.split_first_chunk::<8>()?;
    let (next, rest) = rest.split_first_chunk::<4>()?;
    let (next_in_base, _) = rest.split_first_chunk::<4>()?;
    if *version != [VERSION] {
        return None;
    }
    let purposes = [Purpose::Marks, Purpose::Stream, Purpose::Changes, Purpose::Slices];
    Some(Cursor {
        purpose: purposes.into_iter().find(|p| [*p as u8] == *purpose)?,
        date: Date(i32::from_le_bytes(*date)),
        run: RunId::from_bits(u64::from_le_bytes(*run)),
        next: u32::from_le_bytes(*next),
        next_in_base: u32::from_le_bytes(*next_in_base),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cursor() -> Cursor {
        let run = RunId::parse("0123456789abcdef").unwrap();
        Cursor { purpose: Purpose::Marks, date: Date(20_777), run, next: 12_345, next_in_base: 6 }
    }

    #[test]
    fn a_token_opens_for_its_own_purpose_and_request_alone() {
        let tokens = Tokens::new([7; 32]);
        let token = tokens.seal(&cursor(), &["dates/2026-11-20/runs/current", "SPX", ""]);
        assert_eq!(tokens.open(&token, Purpose::Marks, &["dates/2026-11-20/runs/current", "SPX", ""]), Some(cursor()));
        assert_eq!(tokens.open(&token, Purpose::Stream, &["dates/2026-11-20/runs/current", "SPX", ""]), None);
        assert_eq!(tokens.open(&token, Purpose::Marks, &["dates/2026-11-20/runs/current", "SP", "X"]), None);
        assert_eq!(
            Tokens::new([8; 32]).open(&token, Purpose::Marks, &["dates/2026-11-20/runs/current", "SPX", ""]),
            None
        );
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let tokens = Tokens::new([7; 32]);
        let token = tokens.seal(&cursor(), &[]);
        for at in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(tokens.open(std::str::from_utf8(&forged).unwrap(), Purpose::Marks, &[]), None, "{at}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_opens_nothing(text in ".{0,140}") {
            prop_assert_eq!(Tokens::new([7; 32]).open(&text, Purpose::Marks, &[]), None);
        }
    }
}
