//! Published closes in memory, for those who ask often.
//!
//! A [`Store`] opens `<out>/date=D/run=ID/`, believes it only after `verify`'s own comparison with the manifest, and
//! keeps what was used last within a budget of bytes. A [`Close`] is one run, whole: a reader takes an `Arc` of it and
//! sees that run to the end, also while `CURRENT` moves or the store lets the close go.
//!
//! Each table is kept once, as the Arrow IPC messages that Arrow Flight sends; rows, pages and look-ups read the same
//! bytes in place. Nothing that a caller says becomes a path: dates and run ids are parsed, and written again.

mod arrays;
mod board;
mod changes;
mod close;
mod columns;
mod dictionaries;
mod error;
mod index;
mod message;
mod pointer;
mod shelf;
mod table;
mod token;
mod view;

pub use arrays::find_array;
pub use board::{BoardEntry, board};
pub use changes::{Change, Changes};
pub use close::{Close, SliceId};
pub use columns::{exception, mark, risk_array, slice};
pub use error::StoreError;
pub use message::Message;
pub use shelf::{Listing, RunId, Store};
pub use table::StoredTable;
pub use token::{Cursor, Purpose, Tokens};
pub use view::{RowView, Words};
