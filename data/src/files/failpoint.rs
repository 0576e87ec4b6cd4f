//! Ends the process at a chosen operation on the real disk, for tests of what is left then.
//!
//! `CLOSEMARK_FAILPOINT=sync-before:3` aborts before the third sync, `rename-after:1` after the first rename. Only built
//! with the feature `failpoints`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Operation;

struct Plan {
    point: String,
    number: u64,
    count: AtomicU64,
}

static PLAN: OnceLock<Option<Plan>> = OnceLock::new();

fn plan() -> Option<Plan> {
    let text = std::env::var("CLOSEMARK_FAILPOINT").ok()?;
    let (point, number) = text.split_once(':')?;
    Some(Plan { point: point.to_owned(), number: number.parse().ok()?, count: AtomicU64::new(0) })
}

/// Passes a point, or ends here.
pub(super) fn pass(operation: Operation, after: bool) {
    let Some(plan) = PLAN.get_or_init(plan) else { return };
    let name = match operation {
        Operation::CreateFolder => "create-folder",
        Operation::Create => "create",
        Operation::Append => "append",
        Operation::Sync => "sync",
        Operation::Rename => "rename",
        Operation::Remove => "remove",
        Operation::SyncFolder => "sync-folder",
    };
    let met = plan.point.strip_prefix(name) == Some(if after { "-after" } else { "-before" });
    if met && plan.count.fetch_add(1, Ordering::Relaxed) + 1 == plan.number {
        std::process::abort();
    }
}
