//! Quotes and reference data in: streams to batches, batches to the one thread that owns the log.
//!
//! Each stream encodes its own batches, which is most of the work; the commit thread appends what has queued up and
//! makes it durable with one write and one sync; only then is anything acknowledged. The queue between them is bounded,
//! so that a log slower than its producers slows their streams down and takes no memory.

mod commit;
mod quotes;
mod reference;
mod refusals;
mod route;
mod window;
mod wire;

pub(crate) use commit::{Log, LogSettings};
pub(crate) use quotes::Quotes;
pub(crate) use reference::Reference;
pub(crate) use route::QuoteRoute;
