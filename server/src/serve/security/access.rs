//! The access file: who may call, known by the digest of a token or of a certificate.
//!
//! The file is looked at on every call that shows credentials, and read again when it changed, so that a revocation
//! counts from the next call on. A file that cannot be read any more lets nobody in.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::SystemTime;

use closemark_data::time;
use closemark_pricing::series::Instant;
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::role::{Role, Roles};

/// A longer access file is refused.
const BYTES_MAX: u64 = 1 << 22;
/// Callers that one file may name.
const CALLERS_MAX: usize = 10_000;
/// Longest name of a caller.
const NAME_BYTES_MAX: usize = 64;

/// What a caller shows, as its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// blake3 of a bearer token.
    Token([u8; 32]),
    /// SHA-256 of a client certificate.
    Certificate([u8; 32]),
}

impl Credential {
    /// The credential of a bearer token.
    pub(crate) fn of_token(token: &str) -> Self {
        Self::Token(*blake3::hash(token.as_bytes()).as_bytes())
    }

    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Token(a), Self::Token(b)) | (Self::Certificate(a), Self::Certificate(b)) => a.ct_eq(b).into(),
            _ => false,
        }
    }
}

/// One entry of the file.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: Arc<str>,
    pub(crate) roles: Roles,
    credential: Credential,
    expires: Option<Instant>,
    revoked: bool,
}

/// Why credentials let nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No entry has this digest.
    Unknown,
    /// The entry's time has passed.
    Expired,
    /// The entry was revoked.
    Revoked,
    /// The file cannot be read.
    Unreadable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    #[serde(default)]
    caller: Vec<EntryForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryForm {
    name: String,
    roles: Vec<Role>,
    token_blake3: Option<String>,
    certificate_sha256: Option<String>,
    expires: Option<String>,
    #[serde(default)]
    revoked: bool,
}

/// Everybody who may call by name.
pub(crate) struct AccessFile {
    path: PathBuf,
    loaded: RwLock<Loaded>,
}

struct Loaded {
    stamp: Option<(SystemTime, u64)>,
    entries: Option<Arc<Vec<Entry>>>,
}

impl AccessFile {
    /// Reads the file.
    ///
    /// # Errors
    /// One line where it cannot be read, or an entry is not of its form.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let stamp = stamp(path);
        let entries = Arc::new(read(path)?);
        Ok(Self { path: path.to_owned(), loaded: RwLock::new(Loaded { stamp, entries: Some(entries) }) })
    }

    /// The entry of a credential, if it counts at this instant.
    pub(crate) fn find(&self, credential: &Credential, now: Instant) -> Result<Entry, Refusal> {
        let entries = self.current().ok_or(Refusal::Unreadable)?;
        let mut found = None;
        for entry in entries.iter().filter(|entry| entry.credential.is(credential)) {
            found.get_or_insert(entry);
        }
        let entry = found.ok_or(Refusal::Unknown)?;
        if entry.revoked {
            return Err(Refusal::Revoked);
        }
        if entry.expires.is_some_and(|expires| expires <= now) {
            return Err(Refusal::Expired);
        }
        Ok(entry.clone())
    }

    fn current(&self) -> Option<Arc<Vec<Entry>>> {
        let stamp = stamp(&self.path);
        if let Ok(loaded) = self.loaded.read()
            && loaded.stamp == stamp
        {
            return loaded.entries.clone();
        }
        let mut loaded = self.loaded.write().ok()?;
        if loaded.stamp != stamp {
            loaded.entries = match read(&self.path) {
                Ok(entries) => {
                    tracing::info!(callers = entries.len(), "access file read again");
                    Some(Arc::new(entries))
                }
                Err(error) => {
                    tracing::error!(%error, "access file cannot be read; nobody is let in by name");
                    None
                }
            };
            loaded.stamp = stamp;
        }
        loaded.entries.clone()
    }
}

/// What changes when the file does: its time and its length.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn read(path: &Path) -> anyhow::Result<Vec<Entry>> {
    let length = std::fs::metadata(path).map_err(|error| anyhow::anyhow!("access file: {error}"))?.len();
    anyhow::ensure!(length <= BYTES_MAX, "access file: {length} bytes; allowed are {BYTES_MAX}");
    parse(&std::fs::read_to_string(path).map_err(|error| anyhow::anyhow!("access file: {error}"))?)
}

fn parse(text: &str) -> anyhow::Result<Vec<Entry>> {
    // The parser's own message quotes the line, which may hold a secret written there by mistake.
    let form: FileForm = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(0, |span| text.get(..span.start).unwrap_or(text).matches('\n').count() + 1);
        anyhow::anyhow!("access file: line {line} is not of the form that README describes")
    })?;
    anyhow::ensure!(form.caller.len() <= CALLERS_MAX, "access file: more than {CALLERS_MAX} callers");
    form.caller.into_iter().map(entry).collect()
}

fn entry(form: EntryForm) -> anyhow::Result<Entry> {
    let name = form.name;
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-@".contains(&b));
    anyhow::ensure!(
        plain && (1..=NAME_BYTES_MAX).contains(&name.len()),
        "access file: a caller's name is 1 to {NAME_BYTES_MAX} letters, digits, dots, dashes, underscores and @"
    );
    let credential = match (form.token_blake3, form.certificate_sha256) {
        (Some(hex), None) => digest(&hex).map(Credential::Token),
        (None, Some(hex)) => digest(&hex).map(Credential::Certificate),
        _ => anyhow::bail!("access file: {name} needs either token_blake3 or certificate_sha256"),
    };
    let credential = credential.ok_or_else(|| anyhow::anyhow!("access file: {name}'s digest is not 64 hex digits"))?;
    let expires =
        match form.expires {
            None => None,
            Some(text) => Some(time::parse(&text).ok_or_else(|| {
                anyhow::anyhow!("access file: {name} expires at no time such as 2027-01-01T00:00:00Z")
            })?),
        };
    Ok(Entry { name: name.into(), roles: Roles::of(&form.roles), credential, expires, revoked: form.revoked })
}

/// 32 bytes of hex digits, with or without the colons that openssl writes.
fn digest(hex: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = hex.bytes().filter(|b| *b != b':').collect();
    let mut bytes = [0_u8; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use closemark_pricing::series::Instant;

    use super::{AccessFile, Credential, Refusal, parse};

    fn file(text: &str) -> (tempfile::TempDir, AccessFile) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.toml");
        std::fs::write(&path, text).unwrap();
        let file = AccessFile::open(&path).unwrap();
        (folder, file)
    }

    fn caller(token: &str, more: &str) -> String {
        let hex = blake3::hash(token.as_bytes()).to_hex();
        format!("[[caller]]\nname = \"n-{token}\"\nroles = [\"read\"]\ntoken_blake3 = \"{hex}\"\n{more}\n")
    }

    #[test]
    fn tokens_count_until_they_expire_or_are_revoked() {
        let text =
            caller("a", "") + &caller("b", "expires = \"2027-01-01T00:00:00Z\"") + &caller("c", "revoked = true");
        let (_folder, file) = file(&text);
        let at = |text: &str| closemark_data::time::parse(text).unwrap();
        let (before, on) = (at("2026-12-31T23:59:59Z"), at("2027-01-01T00:00:00Z"));
        let find = |token: &str, now: Instant| file.find(&Credential::of_token(token), now).map(|e| e.name.to_string());
        assert_eq!(find("a", on), Ok("n-a".to_owned()));
        assert_eq!(find("b", before), Ok("n-b".to_owned()));
        assert_eq!(find("b", on), Err(Refusal::Expired));
        assert_eq!(find("c", before), Err(Refusal::Revoked));
        assert_eq!(find("d", before), Err(Refusal::Unknown));
        let certificate = Credential::Certificate(*blake3::hash(b"a").as_bytes());
        assert_eq!(file.find(&certificate, before).map(|e| e.roles).unwrap_err(), Refusal::Unknown);
    }

    #[test]
    fn a_changed_file_counts_at_once_and_a_damaged_one_lets_nobody_in() {
        let (folder, file) = file(&caller("a", ""));
        let path = folder.path().join("access.toml");
        let find = || file.find(&Credential::of_token("a"), Instant(0)).map(|_| ());
        assert_eq!(find(), Ok(()));
        std::fs::write(&path, caller("a", "revoked = true")).unwrap();
        assert_eq!(find(), Err(Refusal::Revoked));
        std::fs::write(&path, "[[caller]]\nname = 3").unwrap();
        assert_eq!(find(), Err(Refusal::Unreadable));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(find(), Err(Refusal::Unreadable));
        std::fs::write(&path, caller("a", "")).unwrap();
        assert_eq!(find(), Ok(()));
    }

    #[test]
    fn entries_out_of_form_are_refused_without_repeating_what_they_hold() {
        for text in [
            "[[caller]]\nname = \"a\"\nroles = [\"read\"]\ntoken = \"secret\"",
            "[[caller]]\nname = \"a\"\nroles = [\"read\"]\ntoken_blake3 = \"secret\"",
            "[[caller]]\nname = \"a b\"\nroles = [\"read\"]\ntoken_blake3 = \"00\"",
            "[[caller]]\nname = \"a\"\nroles = [\"admin\"]\ntoken_blake3 = \"00\"",
            "[[caller]]\nname = \"a\"\nroles = []",
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with("access file: ") && !error.contains("secret"), "{error}");
        }
    }
}
