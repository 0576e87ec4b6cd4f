//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use closemark_data::date;
use closemark_data::export::ExportFormat;
use closemark_data::import::ImportFormat;
use closemark_data::publication::Shard;
use closemark_pricing::Price;
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
    /// Publish a close whose shards were all marked (close --shard i/n), byte for byte what one process publishes.
    Assemble(CloseArguments),
    /// Check a published day, from its files alone.
    ///
    /// Exact integer checks of arbitrage, bounds, schema and digests. Exit codes: 0 everything holds; 1 something does not.
    Verify(VerifyArguments),
    /// Generate a synthetic day with known truth (truth.parquet) and a ledger of injected faults (faults.csv).
    Generate(GenerateArguments),
    /// Make an input folder from other people's files.
    Import(ImportArguments),
    /// Portfolio margin of accounts, from a published close and a file of positions.
    ///
    /// Worst of ten valuation points by class, offsets within product groups, minimum charges; each step is printed.
    /// Exit codes: 0 done; 1 a position or the close cannot be used; 64 usage.
    Margin(MarginArguments),
    /// Write a published close as nightly files: prices and risk arrays, CSV or FIXML.
    Export(ExportArguments),
    /// Show an underlying's slices, or the smile and marks of one expiration.
    Show(ShowArguments),
    /// Fix marks that a person knows better, or answer such a proposal.
    ///
    /// Through the service (--server) a second person approves, and the next run of the day has the mark. On a bare
    /// folder (--operator) the day is closed again with it.
    Override(OverrideArguments),
    /// Make a close that a gate held the one that counts.
    Finalize(FinalizeArguments),
    /// Run the service: quotes in, closes run, marks out.
    #[cfg(feature = "serve")]
    Serve(ServeArguments),
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
    /// With --only: take the other underlyings' rows from this run of the day, so that the correction is whole.
    #[arg(long, value_name = "RUN", requires = "only")]
    pub base: Option<String>,
    /// Publish no risk arrays; a setting like any other, so the run is another run.
    #[arg(long)]
    pub no_risk_arrays: bool,
    /// Mark one of n parts of the day (1/n to n/n) and write it beside the runs; `closemark assemble` then publishes.
    #[arg(long, value_name = "i/n", value_parser = shard, conflicts_with = "base")]
    pub shard: Option<Shard>,
    /// Read and check the input, publish nothing.
    #[arg(long)]
    pub check: bool,
    /// Print the time of each stage and of the slowest underlyings.
    #[arg(long)]
    pub profile: bool,
}

impl CloseArguments {
    /// A plain close of an input folder.
    pub(crate) fn of_folder(input: PathBuf, out: PathBuf) -> Self {
        Self {
            input: Some(input),
            out,
            threads: None,
            settings: None,
            flat_rate: None,
            only: Vec::new(),
            base: None,
            no_risk_arrays: false,
            shard: None,
            check: false,
            profile: false,
        }
    }
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

/// How to reach the service.
#[derive(Args, Debug)]
pub(crate) struct ServiceArguments {
    /// The service, as https://host:port (or http:// on loopback).
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// File with the bearer token.
    #[arg(long, value_name = "FILE", requires = "server")]
    pub token_file: Option<PathBuf>,
    /// PEM file of the authority that the service's certificate is believed by.
    #[arg(long, value_name = "FILE", requires = "server")]
    pub ca: Option<PathBuf>,
    /// PEM file of the client's certificate.
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub client_certificate: Option<PathBuf>,
    /// PEM file of the client's key.
    #[arg(long, value_name = "FILE", requires = "client_certificate")]
    pub client_key: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct FinalizeArguments {
    /// The market date.
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub date: Date,
    /// The run.
    #[arg(long, value_name = "RUN")]
    pub run: String,
    /// Why it may count although a gate held it.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Folder under which closes are published, without the service.
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
    /// Who decides, without the service.
    #[arg(long, value_name = "NAME")]
    pub operator: Option<String>,
    /// Id of the request; follows from what is asked where absent.
    #[arg(long, value_name = "ID", requires = "server")]
    pub request_id: Option<String>,
    #[command(flatten)]
    pub service: ServiceArguments,
}

#[derive(Args, Debug)]
pub(crate) struct OverrideArguments {
    /// Marks per share, as "SPX   261218C06000000=12.5".
    #[arg(value_name = "SYMBOL=MARK", value_parser = fixed_mark)]
    pub marks: Vec<(String, Price)>,
    /// The market date.
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub date: Date,
    /// The run whose mark is wrong; the one that counts where absent.
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Multiplier that the mark is meant for; must be the series' own.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub multiplier: u32,
    /// Currency that the mark is meant in; must be the series' own.
    #[arg(long, value_name = "CODE", default_value = "USD")]
    pub currency: String,
    /// Approve a proposal, by its name dates/*/overrides/*; may be given more than once.
    #[arg(long, value_name = "NAME")]
    pub approve: Vec<String>,
    /// Reject a proposal.
    #[arg(long, value_name = "NAME")]
    pub reject: Vec<String>,
    /// Take an approved override back: no later run of the day has it.
    #[arg(long, value_name = "NAME")]
    pub withdraw: Vec<String>,
    /// Folder with the day's input, without the service.
    #[arg(long, value_name = "DIR")]
    pub input: Option<PathBuf>,
    /// Folder under which closes are published, without the service.
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
    /// Who decides, without the service.
    #[arg(long, value_name = "NAME")]
    pub operator: Option<String>,
    /// Id of the request; follows from what is asked where absent.
    #[arg(long, value_name = "ID", requires = "server")]
    pub request_id: Option<String>,
    #[command(flatten)]
    pub service: ServiceArguments,
}

#[cfg(feature = "serve")]
#[derive(Args, Debug)]
pub(crate) struct ServeArguments {
    /// TOML file over the defaults; CLOSEMARK_<SECTION>_<KEY> wins over both.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder with the published closes, such as `close` wrote; wins over storage.out.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Folder with the input of closes, for the venues' quotes on a card; may be given more than once; wins over
    /// storage.inputs.
    #[arg(long, value_name = "DIR")]
    pub inputs: Vec<PathBuf>,
    /// Print the documented configuration in force and end.
    #[arg(long)]
    pub print_config: bool,
    /// Make a bearer token, print it once with its entry for the access file, and end.
    #[arg(long, value_name = "NAME", requires = "roles")]
    pub new_token: Option<String>,
    /// Roles of the new token: ingest, read, operate, override.
    #[arg(long, value_name = "ROLE", value_delimiter = ',')]
    pub roles: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct MarginArguments {
    /// CSV of positions: account, osi_symbol or underlying, quantity (short is negative).
    #[arg(long, value_name = "FILE")]
    pub positions: PathBuf,
    /// Product groups instead of the built-in table, in the form of data/reference/product_groups.toml.
    #[arg(long, value_name = "FILE")]
    pub groups: Option<PathBuf>,
    /// One JSON document instead of a text.
    #[arg(long)]
    pub json: bool,
    /// Folder under which closes are published.
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
    /// The market date; the latest published where absent.
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub date: Option<Date>,
    /// One run instead of the one that counts.
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ExportArguments {
    /// csv or fixml.
    #[arg(long, value_name = "FORMAT", value_parser = export_format)]
    pub format: ExportFormat,
    /// Folder that the files are written into.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub to: PathBuf,
    /// Folder under which closes are published.
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
    /// The market date; the latest published where absent.
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub date: Option<Date>,
    /// One run instead of the one that counts.
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
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
    /// With --universe: how much of it, in percent.
    #[arg(long, value_name = "P", default_value_t = 100, requires = "universe", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub percent: u8,
    /// The bundled sample day, with its own seed.
    #[arg(long, conflicts_with_all = ["underlyings", "seed"])]
    pub sample: bool,
    /// A trading day; on a half day the snapshot is the early close.
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub date: Option<Date>,
}

#[derive(Args, Debug)]
pub(crate) struct ImportArguments {
    /// cboe-quotedata, lean, or table (any CSV or Parquet with a column map).
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    pub format: ImportFormat,
    /// The files.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Folder to write.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Price of an underlying, as SYMBOL=PRICE, or PRICE alone where there is only one; may be given more than once.
    #[arg(long, value_name = "[SYMBOL=]PRICE", value_parser = price)]
    pub price: Vec<(String, Price)>,
    /// Dividends: underlying, ex_date, amount, status; or Lean's factor-file extract.
    #[arg(long, value_name = "FILE")]
    pub dividends: Option<PathBuf>,
    /// Rates: tenor_days, zero_rate; or a Treasury par-yield table. May be given more than once.
    #[arg(long, value_name = "FILE")]
    pub rates: Vec<PathBuf>,
    /// One zero rate for all times, a fraction per year.
    #[arg(long, value_name = "R", value_parser = rate, allow_negative_numbers = true, conflicts_with = "rates")]
    pub flat_rate: Option<f64>,
    /// Column map of a table: a TOML file, or us_equity_chains, crypto_marks, spx_2011.
    #[arg(long, value_name = "FILE", required_if_eq("format", "table"))]
    pub map: Option<String>,
    /// Keep only rows where the column has the value, as COLUMN=VALUE; a value may end in *.
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = filter)]
    pub filter: Vec<(String, String)>,
}

fn export_format(text: &str) -> Result<ExportFormat, String> {
    ExportFormat::parse(text).ok_or_else(|| "allowed are csv and fixml".to_owned())
}

fn format(text: &str) -> Result<ImportFormat, String> {
    ImportFormat::parse(text).ok_or_else(|| "allowed are cboe-quotedata, lean and table".to_owned())
}

fn price(text: &str) -> Result<(String, Price), String> {
    let (symbol, number) = text.split_once('=').unwrap_or(("", text));
    let price =
        number.parse::<f64>().ok().and_then(Price::nearest).filter(|p| *p > Price::ZERO && *p <= Price::INPUT_MAX);
    price
        .map(|price| (symbol.to_owned(), price))
        .ok_or_else(|| "allowed is a positive price such as 645.57, or AAPL=645.57".to_owned())
}

fn fixed_mark(text: &str) -> Result<(String, Price), String> {
    let refused = || "allowed is SYMBOL=MARK, such as \"SPX   261218C06000000=12.5\"".to_owned();
    let (symbol, number) = text.rsplit_once('=').ok_or_else(refused)?;
    let mark = number.parse::<f64>().ok().and_then(Price::nearest);
    let mark = mark.filter(|mark| (Price::ZERO..=Price::INPUT_MAX).contains(mark)).ok_or_else(refused)?;
    if symbol.is_empty() { Err(refused()) } else { Ok((symbol.to_owned(), mark)) }
}

fn filter(text: &str) -> Result<(String, String), String> {
    let (column, value) = text.split_once('=').ok_or_else(|| "allowed is COLUMN=VALUE".to_owned())?;
    Ok((column.to_owned(), value.to_owned()))
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (-1.0..=1.0).contains(&rate) => Ok(rate),
        _ => Err("allowed is a fraction between -1 and 1, such as 0.045".to_owned()),
    }
}

fn shard(text: &str) -> Result<Shard, String> {
    let parts = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
    match parts {
        Some((number, of)) if of <= 1000 && (1..=of).contains(&number) => Ok(Shard { number, of }),
        _ => Err("allowed is i/n with i from 1 to n and n up to 1000, such as 2/3".to_owned()),
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
            vec!["serve", "--new-token", "alice"],
        ] {
            assert!(Cli::try_parse_from(std::iter::once("closemark").chain(bad.iter().copied())).is_err(), "{bad:?}");
        }
        let cli = Cli::try_parse_from(["closemark", "close", "--flat-rate", "-0.005", "--only", "A", "--only", "B"]);
        let Command::Close(arguments) = cli.unwrap().command else { panic!("not a close") };
        assert_eq!((arguments.flat_rate, arguments.only.len()), (Some(-0.005), 2));
    }
}
