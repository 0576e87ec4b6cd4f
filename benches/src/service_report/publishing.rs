//! The real close job ended at failpoints: before and after each sync, rename and pointer move.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use closemark_data::date;
use closemark_data::publication::{current, date_folder};
use closemark_data::verify::verify;

use super::service::program;
use super::table::Table;

const OPERATIONS: [&str; 6] = ["create-folder", "create", "append", "sync", "rename", "sync-folder"];
/// Each operation's occurrences that are tried; a publication has fewer of most.
const NUMBERS: std::ops::RangeInclusive<u32> = 1..=12;

fn close(input: &Path, out: &Path, failpoint: Option<&str>) -> Result<Option<i32>> {
    let mut command = Command::new(program()?);
    command.arg("close").arg("--input").arg(input).arg("--out").arg(out).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(point) = failpoint {
        command.env("CLOSEMARK_FAILPOINT", point);
    }
    Ok(command.status()?.code())
}

/// Whether what readers meet is no close, or a whole one.
fn whole(out: &Path, market_date: closemark_pricing::series::Date) -> bool {
    let Ok(folder) = date_folder(out, market_date) else { return false };
    match folder.is_dir().then(|| current(&folder)) {
        None | Some(Ok(None)) => true,
        Some(Ok(Some(_))) => verify(&folder).is_ok_and(|report| report.holds()),
        Some(Err(_)) => false,
    }
}

/// Measures, and adds the rows.
///
/// # Errors
/// Where the small day for it cannot be made or closed.
pub fn measure(table: &mut Table) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let input = scratch.path().join("day");
    let made = Command::new(program()?)
        .args(["generate", "--seed", "5", "--underlyings", "2", "--out"])
        .arg(&input)
        .stdout(Stdio::null())
        .status()?;
    ensure!(made.success(), "closemark generate ended with {made}");
    let text = std::fs::read_to_string(input.join("day.toml"))?;
    let market_date =
        text.lines().find_map(|line| line.strip_prefix("market_date = \"")).and_then(|rest| rest.get(..10));
    let market_date = market_date.and_then(date::parse).context("the generated day has no date")?;
    let (mut met, mut broken) = (0u64, 0u64);
    for operation in OPERATIONS {
        for side in ["before", "after"] {
            for number in NUMBERS {
                let out = scratch.path().join(format!("out-{operation}-{side}-{number}"));
                // Ended by a signal there is no code; with one the point was not reached.
                if close(&input, &out, Some(&format!("{operation}-{side}:{number}")))?.is_some() {
                    break;
                }
                met += 1;
                let left_whole = whole(&out, market_date);
                let again = close(&input, &out, None)?;
                broken += u64::from(!left_whole || !matches!(again, Some(0 | 2)) || !whole(&out, market_date));
                std::fs::remove_dir_all(&out)?;
            }
        }
    }
    if met == 0 {
        table.note("publishing", "publication ended at failpoints", "build with --features failpoints");
        return Ok(());
    }
    table.note("publishing_points", "publication ended at failpoints: points of the real close job", met);
    table.target(
        "publishing_broken",
        "publication: readers met half a close, or it could not be redone",
        broken,
        "0",
        broken == 0,
    );
    Ok(())
}
