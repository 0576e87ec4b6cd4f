//! The rows of an input folder's files, as the writer takes them and the reader gives them.

use closemark_pricing::price::Price;
use closemark_pricing::series::{Date, Instant};
use closemark_pricing::vocabulary::{ExerciseStyle, MarginGroup, OptionType, Settlement};

/// Everything that stands in an input folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DayFiles {
    /// The day being closed.
    pub market_date: Date,
    /// RFC 3339 with offset, `2026-11-20T16:00:00-05:00`.
    pub snapshot: String,
    /// Roots with a snapshot of their own, RFC 3339.
    pub snapshots: Vec<(String, String)>,
    /// `us` or `always`; empty means `us`.
    pub calendar: String,
    /// TOML of the table `[settings]` and its sub-tables, headers included, appended to `day.toml` as it is.
    pub settings_toml: Option<String>,
    /// Rows of `quotes.parquet`.
    pub quotes: Vec<QuoteRow>,
    /// Rows of `underlyings.csv`.
    pub underlyings: Vec<UnderlyingRow>,
    /// Rows of `series.csv`; without any there is no such file.
    pub series: Vec<SeriesRow>,
    /// Rows of `dividends.csv`; without any there is no such file.
    pub dividends: Vec<DividendRow>,
    /// Rows of `rates.csv`; without any there is no such file.
    pub rates: Vec<RateRow>,
    /// Rows of `corporate_actions.csv`; without any there is no such file.
    pub corporate_actions: Vec<CorporateActionRow>,
}

/// One row of `quotes`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuoteRow {
    /// OSI symbol, or an opaque one that `series.csv` describes.
    pub osi_symbol: String,
    /// MIC, OPRA letter or `NBBO`.
    pub venue: String,
    /// Bid per share.
    pub bid: Option<Price>,
    /// Contracts bid for; null = unknown.
    pub bid_size: Option<u32>,
    /// Offer per share.
    pub ask: Option<Price>,
    /// Contracts offered; null = unknown.
    pub ask_size: Option<u32>,
    /// When the venue said so.
    pub quote_time: Option<Instant>,
    /// The venue's order of quotes of one time.
    pub sequence: Option<u64>,
}

/// One row of `underlyings.csv`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnderlyingRow {
    /// The underlying's symbol.
    pub underlying: String,
    /// Its print.
    pub price: Option<Price>,
    /// When it printed.
    pub price_time: Option<Instant>,
    /// Whether trading was halted.
    pub halted: bool,
    /// Portfolio-margin group; by the root table where null.
    pub margin_group: Option<MarginGroup>,
    /// A leveraged fund's factor.
    pub leverage: Option<f64>,
    /// What settles series expiring today.
    pub settlement_price: Option<Price>,
}

/// One row of `series.csv`; what is null the symbol and the root table say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesRow {
    /// OSI symbol, or an opaque one.
    pub osi_symbol: String,
    /// The underlying's symbol.
    pub underlying: Option<String>,
    /// Expiration date as listed.
    pub expiration: Option<Date>,
    /// The settlement event, where the calendar does not say.
    pub expiration_time: Option<Instant>,
    /// Strike per share.
    pub strike: Option<Price>,
    /// Call or put.
    pub option_type: Option<OptionType>,
    /// American or European.
    pub exercise_style: Option<ExerciseStyle>,
    /// AM or PM.
    pub settlement: Option<Settlement>,
    /// Currency units per contract and price unit.
    pub multiplier: Option<u32>,
    /// ISO 4217 code.
    pub currency: Option<String>,
    /// `100 XYZ + 12.5 USD`.
    pub deliverable: Option<String>,
    /// Whether coverage counts it.
    pub expected: bool,
}

/// One row of `dividends.csv`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DividendRow {
    /// The underlying's symbol.
    pub underlying: String,
    /// First day without the dividend; null for the status `none`.
    pub ex_date: Option<Date>,
    /// Cash per share.
    pub amount: Option<f64>,
    /// `declared`, `projected` or `none`.
    pub status: String,
}

/// One row of `rates.csv`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RateRow {
    /// Days from the market date.
    pub tenor_days: f64,
    /// Continuously compounded, ACT/365, fraction.
    pub zero_rate: f64,
}

/// One row of `corporate_actions.csv`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CorporateActionRow {
    /// The underlying's symbol.
    pub underlying: String,
    /// First day at the new terms.
    pub effective_date: Date,
    /// `split`, `spin_off` or `special_dividend`.
    pub kind: String,
    /// New shares per old one.
    pub ratio: Option<f64>,
    /// Cash or value per share taken off.
    pub amount: Option<f64>,
}
