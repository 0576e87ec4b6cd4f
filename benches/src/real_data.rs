//! Where the real chains lie: beside the project, never in it.

use std::path::{Path, PathBuf};

/// The folder of real data: `CLOSEMARK_REAL_DATA`, or `shared/data` beside the project; `None` where it is absent.
pub fn folder() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("CLOSEMARK_REAL_DATA").map_or_else(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}
