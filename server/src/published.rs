//! The published run that a command reads.

use std::path::Path;

use closemark_data::publication::date_folder;
use closemark_data::publication::read::{OpenRun, dates, open_current, open_run};
use closemark_pricing::series::Date;

/// The run that counts, of a date or of the latest; or one run by name.
pub(crate) fn open(out: &Path, date: Option<Date>, run: Option<&str>) -> anyhow::Result<OpenRun> {
    let Some(run_id) = run else { return Ok(open_current(out, date)?) };
    let dates = match date {
        Some(date) => vec![date],
        None => dates(out)?,
    };
    for date in dates.into_iter().rev() {
        if let Ok(run) = open_run(&date_folder(out, date)?, run_id, date) {
            return Ok(run);
        }
    }
    anyhow::bail!("{}: no run {run_id}", out.display())
}
