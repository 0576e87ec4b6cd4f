//! What verification found.

use std::fmt;

/// The kinds of condition that a published close must meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// A file is missing, was changed, or is not in the manifest.
    Digest,
    /// The manifest contradicts itself, its folder or the rows.
    Manifest,
    /// A column is missing, of another type or of another nullability; the file is not laid out as promised.
    Schema,
    /// Rows are not in the declared order, or a key stands twice.
    Order,
    /// A word is not in its closed vocabulary.
    Vocabulary,
    /// A value is there where none may be, or is missing.
    Null,
    /// A quote contradicts its status, or a mid its bid and ask.
    Quote,
    /// `edit` is not the mark less the mid.
    Edit,
    /// A row has no slice, or differs from it in what they share.
    Slice,
    /// A mark lies outside the model-free bounds.
    Bounds,
    /// A mark is below its exercise value, or an expiring one is not at it.
    Intrinsic,
    /// The mark of a zero bid lies above its ask, without a reason.
    ZeroBid,
    /// Prices are not monotone in strike, or fall faster than strikes rise.
    Vertical,
    /// Prices are not convex in strike.
    Butterfly,
    /// Prices are not ordered in time.
    Calendar,
    /// Call and put contradict parity.
    Parity,
    /// The numbers are too large to be checked exactly.
    Arithmetic,
}

impl Kind {
    /// The word that reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::Manifest => "manifest",
            Self::Schema => "schema",
            Self::Order => "order",
            Self::Vocabulary => "vocabulary",
            Self::Null => "null",
            Self::Quote => "quote",
            Self::Edit => "edit",
            Self::Slice => "slice",
            Self::Bounds => "bounds",
            Self::Intrinsic => "intrinsic",
            Self::ZeroBid => "zero_bid",
            Self::Vertical => "vertical",
            Self::Butterfly => "butterfly",
            Self::Calendar => "calendar",
            Self::Parity => "parity",
            Self::Arithmetic => "arithmetic",
        }
    }
}

/// One thing that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The file.
    pub file: String,
    /// What does not hold.
    pub kind: Kind,
    /// The symbols, columns or rows concerned.
    pub subject: String,
    /// The values.
    pub detail: String,
}

impl Violation {
    pub(super) fn new(file: &str, kind: Kind, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { file: file.to_owned(), kind, subject: subject.into(), detail: detail.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}: {}", self.file, self.kind.as_str(), self.subject, self.detail)
    }
}

/// What was read and what was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VerifyReport {
    /// The run.
    pub run_id: String,
    /// The day it closed.
    pub market_date: String,
    /// Rows of `marks` read.
    pub marks: u64,
    /// Rows of `slices` read.
    pub slices: u64,
    /// Single conditions checked in exact arithmetic.
    pub conditions: u64,
    /// What does not hold; empty for a good close. At most [`VerifyReport::VIOLATIONS_MAX`] are listed.
    pub violations: Vec<Violation>,
    /// How many there are, listed or not.
    pub violation_count: u64,
}

impl VerifyReport {
    /// Longest list of violations kept: a broken file must not fill the memory with what it breaks.
    pub const VIOLATIONS_MAX: usize = 10_000;

    /// Whether everything holds.
    pub fn holds(&self) -> bool {
        self.violation_count == 0
    }

    /// How many violations of a kind are listed.
    pub fn count(&self, kind: Kind) -> usize {
        self.violations.iter().filter(|v| v.kind == kind).count()
    }

    pub(super) fn add(&mut self, found: Vec<Violation>) {
        self.violation_count += found.len() as u64;
        let room = Self::VIOLATIONS_MAX.saturating_sub(self.violations.len());
        self.violations.extend(found.into_iter().take(room));
    }
}
