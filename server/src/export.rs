//! `closemark export`: a published close as the files that other people's systems read.

use closemark_data::date;
use closemark_data::export::{ExportRequest, export};

use crate::cli::ExportArguments;
use crate::exit::Exit;
use crate::output;
use crate::published;
use crate::text::counted;

pub(crate) fn run(arguments: &ExportArguments) -> anyhow::Result<Exit> {
    let run = published::open(&arguments.out, arguments.date, arguments.run.as_deref())?;
    let request = ExportRequest { run: &run, format: arguments.format, to: &arguments.to };
    let files = export(&request)?;
    let mut text = format!("Close of {}, run {}\n", date::to_text(run.market_date), run.run_id);
    for file in files {
        text.push_str(&format!("  {}  {}\n", file.path.display(), counted(file.rows, "row")));
    }
    output::print(&text)?;
    Ok(Exit::Done)
}
