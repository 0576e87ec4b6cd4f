//! The append-only quote log: what has come in, durable before it is acknowledged.
//!
//! One folder for each market date, `date=YYYY-MM-DD`, with segments `segment-0000000001.log`, ... A segment is frames
//! with length, kind and CRC-32C ([`frame`]); it ends with a seal that carries its blake3 digest, which the next one's
//! head repeats, so that the segments of a date are a chain. Batches and reference updates are frames in the order of
//! their arrival; nothing is ever overwritten, and late and corrected quotes stand beside what they correct: the close's
//! snapshot decides.
//!
//! # Use
//! One thread owns the [`QuoteLog`]; it is `Send` and blocks. Everything else may run anywhere:
//!
//! 1. A connection's own [`BatchEncoder`] makes an [`EncodedBatch`] of what came in. This is the larger part of the work,
//!    and needs no lock.
//! 2. The owner takes what has queued up and calls [`QuoteLog::append`] for each batch. [`Appended::Durable`] is a
//!    retry: acknowledge it at once. [`Appended::Waiting`] carries a [`Ticket`].
//! 3. When the queue is empty, or [`AppendError::Full`] says so, or some milliseconds have passed, the owner calls
//!    [`QuoteLog::commit`]: one write and one `fdatasync` for all that waits. Every ticket up to [`Committed::ticket`]
//!    may now be acknowledged, none before.
//! 4. After an error of the log itself ([`AppendError::Log`], or any of `commit`) nothing that waited may be
//!    acknowledged. The log refuses from then on ([`LogError::Refusing`]): drop it, and open it again. Producers then send
//!    what was not acknowledged once more; what had become durable all the same is recognised by its sequence.
//! 5. For a close, the owner gives a [`DaySnapshot`] ([`QuoteLog::held`], or [`ClosedDay::read`] on a thread that may
//!    wait), which any other thread turns into a [`Day`](crate::day::Day).
//!
//! ```
//! use std::sync::Arc;
//! use closemark_data::date;
//! use closemark_data::files::Simulated;
//! use closemark_data::log::{Appended, BatchEncoder, BatchHead, IncomingQuote, LogLimits, QuoteLog};
//!
//! let mut log = QuoteLog::open(Arc::new(Simulated::default()), "/log".as_ref(), LogLimits::default())?;
//! let market_date = date::parse("2026-11-20").unwrap();
//! let head = BatchHead { producer_id: "feed-a", sequence: 1, market_date, received_unix_nanos: 0 };
//! let quote = IncomingQuote { osi_symbol: "XYZ   261218C00100000", venue: "XCBO", ask: Some(1_250_000), ..Default::default() };
//! let batch = BatchEncoder::default().encode(&head, [quote])?;
//! let Appended::Waiting(ticket) = log.append(&batch)? else { panic!("new") };
//! assert!(log.commit()?.ticket >= ticket);
//! assert_eq!(log.append(&batch)?, Appended::Durable { acknowledged_sequence: 1 });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Torn tails and damage
//! A group of frames that were made durable together begins with a commit frame, which is written only after everything
//! before it is durable. At replay, bytes that are no frame and have no later commit behind them are the torn end of a
//! group that was never acknowledged: they are left out, and the segment is written anew without them before the log is
//! written to again. Any other bytes that are no frame are damage to what was durable: the log refuses to open, naming
//! file and byte, and touches nothing.

mod batch;
mod day_log;
mod error;
pub mod frame;
mod limits;
mod producer;
mod quote_log;
mod reference;
mod replay;
mod segment;
mod snapshot;
mod varint;

pub use batch::{
    BatchEncoder, BatchHead, BatchReader, EncodedBatch, IncomingQuote, LoggedQuote, PayloadFault, REFUSED_LISTED_MAX,
    RefusedRow,
};
pub use error::{AppendError, EncodeError, LogError};
pub use limits::{BATCH_QUOTES_MAX, FRAME_BYTES_MAX, ID_BYTES_MAX, LogLimits};
pub use quote_log::{Appended, Committed, HeldDay, QuoteLog, ReferencePut, Ticket};
pub use reference::{EncodedReference, ReferenceUpdate};
pub use snapshot::{ClosedDay, DayError, DaySnapshot, Record};
