//! Publication: marks to files, whole or not at all.
//!
//! `<out>/date=YYYY-MM-DD/run=<id>/` holds the Parquet tables of [`schema`], what others make ([`ExtraFile`]) and
//! `manifest.json`; beside them, outside every digest, `timings.json`. A run is written into a temporary folder,
//! synced, renamed, entered in `state.json`, and only then named by `CURRENT`: readers see a whole close or the
//! previous one. Nothing published is overwritten.

mod digest;
mod error;
mod folder;
mod gates;
pub(crate) mod integrity;
mod lifecycle;
mod manifest;
mod parquet_file;
mod publish;
pub mod read;
mod risk_arrays;
mod rows;
mod run_id;
mod run_writer;
pub mod schema;
mod shard;
mod state;
mod table;
mod tables;
mod totals;

pub use digest::FileDigest;
pub use error::PublishError;
pub use folder::{CURRENT, current, date_folder, run_folder};
pub use gates::{Bound, Gate, gates};
pub use lifecycle::finalize;
pub use manifest::{MANIFEST, MANIFEST_FORMAT, Manifest, Provenance};
pub use parquet_file::ROW_GROUP_ROWS;
pub use publish::{
    ExtraFile, PublicationRequest, Published, Render, RunSummary, STEPS, TIMINGS, publish, publish_observed, publish_on,
};
pub use run_id::{OverrideRecord, RunInputs, is_run_id, run_id};
pub use run_writer::{OpenedRun, PublishedBefore, RunHead, RunWriter, open_run, settle_published};
pub use shard::{PREPARED, Shard, ShardWriter, Shards};
pub use state::{DateState, RunEntry, RunState, STATE};
pub use totals::{Totals, Violations};
