//! `closemark generate`: a synthetic day with known truth.

use closemark_data::date;
use closemark_data::generate::{GenerateRequest, generate};

use crate::cli::GenerateArguments;
use crate::exit::Exit;
use crate::output;
use crate::text::{counted, grouped};

pub(crate) fn run(arguments: &GenerateArguments) -> anyhow::Result<Exit> {
    let mut request = if arguments.universe {
        GenerateRequest { percent: arguments.percent, ..GenerateRequest::universe(arguments.seed, &arguments.out) }
    } else if arguments.sample {
        GenerateRequest::sample(&arguments.out)
    } else {
        GenerateRequest::new(arguments.seed, usize::from(arguments.underlyings), &arguments.out)
    };
    if let Some(date) = arguments.date {
        request.market_date = date;
    }
    let summary = generate(&request)?;
    output::print(&format!(
        "{}: {} with {} series and {} in {}, {} series without a true price, {} in faults.csv\n\
         closemark close --input {}\n",
        date::to_text(request.market_date),
        counted(summary.underlyings as u64, "underlying"),
        grouped(summary.series),
        counted(summary.quotes, "quote"),
        counted(summary.parts as u64, "file"),
        grouped(summary.unpriced),
        counted(summary.faults, "fault"),
        arguments.out.display(),
    ))?;
    Ok(Exit::Done)
}
