//! `closemark show`: an underlying's slices, or one expiration's smile, marks and reasons, in the terminal.

mod canvas;
mod list;
mod nearest;
mod smile;
mod table;

use closemark_data::date;
use closemark_data::publication::read::{MarkRow, OpenRun, SliceRow, read_marks, read_slices};
use closemark_pricing::series::Date;

use crate::cli::ShowArguments;
use crate::exit::Exit;
use crate::output;
use crate::published;

/// Columns that everything fits into.
pub(crate) const WIDTH: usize = 100;

pub(crate) fn run(arguments: &ShowArguments) -> anyhow::Result<Exit> {
    let run = published::open(&arguments.out, arguments.date, arguments.run.as_deref())?;
    let symbol = arguments.underlying.trim().to_ascii_uppercase();
    let (symbol, slices) = match slices_of(&run, &arguments.underlying)? {
        found if !found.is_empty() => (arguments.underlying.clone(), found),
        _ => (symbol.clone(), slices_of(&run, &symbol)?),
    };
    if slices.is_empty() {
        let all = read_slices(&run.folder, None)?;
        let mut names: Vec<&str> = all.iter().map(|slice| slice.underlying.as_str()).collect();
        names.dedup();
        anyhow::bail!("{}", nearest::unknown(&symbol, &names, &date::to_text(run.market_date)));
    }
    let marks = read_marks(&run.folder, Some(&symbol))?;
    let text = match arguments.expiration {
        None => list::slices(&run, &symbol, &slices, &marks),
        Some(expiration) => expirations(arguments, expiration, &symbol, &slices, &marks)?,
    };
    output::print(&text)?;
    Ok(Exit::Done)
}

fn slices_of(run: &OpenRun, underlying: &str) -> anyhow::Result<Vec<SliceRow>> {
    Ok(read_slices(&run.folder, Some(underlying))?)
}

/// All slices of one expiration: a date may have two settlements, several roots and adjusted deliverables.
fn expirations(
    arguments: &ShowArguments,
    expiration: Date,
    symbol: &str,
    slices: &[SliceRow],
    marks: &[MarkRow],
) -> anyhow::Result<String> {
    let wanted: Vec<&SliceRow> = slices.iter().filter(|slice| slice.expiration == expiration).collect();
    if wanted.is_empty() {
        let mut listed: Vec<Date> = slices.iter().map(|slice| slice.expiration).collect();
        listed.dedup();
        listed.sort_by_key(|date| (i64::from(date.0) - i64::from(expiration.0)).abs());
        let near: Vec<String> = listed.into_iter().take(3).map(date::to_text).collect();
        anyhow::bail!("{symbol} has no series expiring {}; nearest: {}", date::to_text(expiration), near.join(", "));
    }
    let colour = output::wants_colour();
    let mut out = String::new();
    for slice in wanted {
        let rows: Vec<&MarkRow> = marks.iter().filter(|mark| belongs(mark, slice)).collect();
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&list::header(symbol, slice, &rows));
        out.push_str(&smile::draw(slice, &rows, arguments.all, colour));
        out.push_str(&table::series(&rows, slice.forward, arguments.all, colour));
    }
    Ok(out)
}

fn belongs(mark: &MarkRow, slice: &SliceRow) -> bool {
    mark.expiration == slice.expiration
        && mark.settlement == slice.settlement
        && mark.root == slice.root
        && mark.deliverable == slice.deliverable
}
