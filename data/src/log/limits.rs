//! How large anything in the log may be.

/// Most quotes of one batch.
pub const BATCH_QUOTES_MAX: usize = 10_000;
/// Longest producer or request id, bytes.
pub const ID_BYTES_MAX: usize = 128;
/// Longest text of a symbol or venue that is kept, characters: what the exceptions show of one, and one more, so that
/// they still show that it was longer.
pub(super) const TEXT_CHARACTERS_MAX: usize = 81;
/// Largest payload of a frame, bytes. A length above it is damage.
pub const FRAME_BYTES_MAX: usize = 256 << 20;

/// Limits that a service may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// A segment is sealed at the first commit after it has grown this large.
    pub segment_bytes: u64,
    /// Most bytes that may wait for a commit; a batch beyond them is [`AppendError::Full`](super::AppendError::Full).
    pub pending_bytes: usize,
    /// Largest reference update, bytes in its stored form; at most [`FRAME_BYTES_MAX`].
    pub reference_bytes: usize,
    /// Most producers of one market date.
    pub producers: usize,
    /// Most reference updates of one market date.
    pub reference_updates: usize,
    /// Most market dates kept open at a time; the one unused for longest is closed for another.
    pub open_dates: usize,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            pending_bytes: 64 << 20,
            reference_bytes: 128 << 20,
            producers: 1_024,
            reference_updates: 10_000,
            open_dates: 8,
        }
    }
}
