//! Page tokens of the ledger's lists: where the next page begins, sealed so that a forged one is refused.

use subtle::ConstantTimeEq;
use tonic::Status;

use super::errors;

/// Entries of a page where the caller does not say.
const SIZE: u32 = 100;
/// Most entries of a page.
const SIZE_MAX: u32 = 1000;
/// Hex digits of a token's seal.
const SEAL: usize = 32;

/// One page that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// Entries at most.
    pub(crate) size: u32,
    /// The last entry of the page before.
    pub(crate) after: Option<String>,
    list: &'static str,
    scope: String,
}

impl Page {
    /// Reads what a request says of pages. `scope` is what the list was filtered by: a token of one list is none of
    /// another's.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a size out of bounds, and for a token that this service did not give for this list.
    pub(crate) fn read(
        key: &[u8; 32],
        list: &'static str,
        scope: &str,
        size: i32,
        token: &str,
    ) -> Result<Self, Status> {
        let size = match u32::try_from(size) {
            Ok(0) => SIZE,
            Ok(size) if size <= SIZE_MAX => size,
            _ => return Err(errors::bad_field("page_size", &size.to_string(), &format!("0 to {SIZE_MAX}"))),
        };
        let page = Self { size, after: None, list, scope: scope.to_owned() };
        if token.is_empty() {
            return Ok(page);
        }
        let refused = || errors::bad_field("page_token", token, "a token that the last answer of the same list gave");
        let (seal, after) = token.split_at_checked(SEAL).ok_or_else(refused)?;
        let holds: bool = seal.as_bytes().ct_eq(page.seal(key, after).as_bytes()).into();
        if holds { Ok(Self { after: Some(after.to_owned()), ..page }) } else { Err(refused()) }
    }

    /// The token of the page after an entry.
    pub(crate) fn token(&self, key: &[u8; 32], last: &str) -> String {
        format!("{}{last}", self.seal(key, last))
    }

    fn seal(&self, key: &[u8; 32], last: &str) -> String {
        let mut hasher = blake3::Hasher::new_keyed(key);
        for field in [self.list, &self.scope, last] {
            hasher.update(&(field.len() as u64).to_le_bytes());
            hasher.update(field.as_bytes());
        }
        hasher.finalize().to_hex().chars().take(SEAL).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Page;

    #[test]
    fn a_token_opens_its_own_list_alone() {
        let key = [7; 32];
        let page = Page::read(&key, "closes", "2026-11-20", 0, "").unwrap();
        assert_eq!((page.size, page.after.as_deref()), (100, None));
        let token = page.token(&key, "0123456789abcdef");
        let read = |list, scope, token: &str| Page::read(&key, list, scope, 10, token).map(|page| page.after);
        assert_eq!(read("closes", "2026-11-20", &token).unwrap().as_deref(), Some("0123456789abcdef"));
        assert!(read("overrides", "2026-11-20", &token).is_err());
        assert!(read("closes", "2026-11-23", &token).is_err());
        let (other, wide) = (token.replace("0123456789abcdef", "0123456789abcdee"), "é".repeat(40));
        for forged in [&token[1..], other.as_str(), "x", wide.as_str()] {
            assert_eq!(read("closes", "2026-11-20", forged).unwrap_err().code(), tonic::Code::InvalidArgument);
        }
        assert!(Page::read(&[8; 32], "closes", "2026-11-20", 10, &token).is_err());
        assert!(Page::read(&key, "closes", "", -1, "").is_err() && Page::read(&key, "closes", "", 1001, "").is_err());
    }
}
