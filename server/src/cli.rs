//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use closemark_data::date;
use closemark_pricing::series::Date;

use crate::exit::Exit;

/// Closing marks of listed options: from per-exchange quotes to arbitrage-free prices.
#[derive(Debug, Parser)]
#[command(name = "closemark", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Close a day: quotes in, published marks out.
    ///
    /// Exit codes: 0 published and final; 2 published but held by a gate; 1 nothing published; 64 usage.
    Close(CloseArguments),
    /// Check a published day, from its files alone.
    ///
    /// Exact integer checks of arbitrage, bounds, schema and digests. Exit codes: 0 everything holds; 1 something does not.
    Verify(VerifyArguments),
    /// Generate a synthetic day with known truth (truth.parquet) and a ledger of injected faults (faults.csv).
    Generate(GenerateArguments),
    /// Show an underlying's slices, or the smile and marks of one expiration.
    Show(ShowArguments),
}

#[derive(Args, Debug)]
pub(crate) struct CloseArguments {
    /// Folder with the day's input; the bundled sample day where absent.
    #[arg(long, value_name = "DIR")]
    pub input: Option<PathBuf>,
    /// Folder under which closes are published.
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
    /// Threads; all processors where absent. The published bytes do not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// TOML file with settings of the method; it wins over `[settings]` in day.toml.
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// One zero rate for all times, a fraction per year, instead of rates.csv.
    #[arg(long, value_name = "R", value_parser = rate, allow_negative_numbers = true)]
    pub flat_rate: Option<f64>,
    /// Close only this underlying; may be given more than once.
    #[arg(long, value_name = "UNDERLYING")]
    pub only: Vec<String>,
    /// Read and check the input, publish nothing.
    #[arg(long)]
    pub check: bool,
    /// Print the time of each stage and of the slowest underlyings.
    #[arg(long)]
    pub profile: bool,
}

#[derive(Args, Debug)]
pub(crate) struct VerifyArguments {
    /// A published date (`out/date=2026-11-20`) or one run in it.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// List every violation, not the first twenty.
    #[arg(long)]
    pub all: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ShowArguments {
    /// The underlying's symbol.
    #[arg(value_name = "UNDERLYING")]
    pub underlying: String,
    /// An expiration, as 2026-12-18; without it, the list of slices.
    #[arg(value_name = "EXPIRATION", value_parser = day)]
    pub expiration: Option<Date>,
    /// Folder under which closes are published.
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
    /// The market date; the latest published where absent.
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub date: Option<Date>,
    /// One run instead of the one that counts, such as a close held by a gate.
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// Draw and list in-the-money series as well.
    #[arg(long)]
    pub all: bool,
}

#[derive(Args, Debug)]
pub(crate) struct GenerateArguments {
    /// The seed; the same seed gives the same bytes.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// How many underlyings.
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub underlyings: u16,
    /// Folder to write.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The whole US market: about 6,000 underlyings and 25 million quotes.
    #[arg(long, conflicts_with_all = ["underlyings", "sample"])]
    pub universe: bool,
    /// The bundled sample day, with its own seed.
    #[arg(long, conflicts_with_all = ["underlyings", "seed"])]
    pub sample: bool,
    /// A trading day; on a half day the snapshot is the early close.
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub date: Option<Date>,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (-1.0..=1.0).contains(&rate) => Ok(rate),
        _ => Err("allowed is a fraction between -1 and 1, such as 0.045".to_owned()),
    }
}

fn day(text: &str) -> Result<Date, String> {
    date::parse(text).ok_or_else(|| "allowed is a date such as 2026-12-18".to_owned())
}

/// Reads the command line; help and version are printed here and end the program well.
pub(crate) fn parse() -> Result<Command, Exit> {
    Cli::try_parse().map(|cli| cli.command).map_err(|error| {
        let asked = !error.use_stderr();
        // Whoever asked for help may have left before reading it.
        let _ = error.print();
        if asked { Exit::Done } else { Exit::Usage }
    })
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Cli, Command};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn values_outside_their_domain_are_refused() {
        for bad in [
            vec!["close", "--threads", "0"],
            vec!["close", "--flat-rate", "nan"],
            vec!["close", "--flat-rate", "4.5"],
            vec!["show", "SPX", "2026-13-01"],
            vec!["verify"],
            vec!["serve"],
        ] {
            assert!(Cli::try_parse_from(std::iter::once("closemark").chain(bad.iter().copied())).is_err(), "{bad:?}");
        }
        let cli = Cli::try_parse_from(["closemark", "close", "--flat-rate", "-0.005", "--only", "A", "--only", "B"]);
        let Command::Close(arguments) = cli.unwrap().command else { panic!("not a close") };
        assert_eq!((arguments.flat_rate, arguments.only.len()), (Some(-0.005), 2));
    }
}
