//! Days with known truth, made by hand for tests.
#![allow(dead_code, reason = "no test binary uses all of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::sync::Arc;

use closemark_pricing::curve::DiscountCurve;
use closemark_pricing::day::{CashDividend, DividendKnowledge, UnderlyingDay};
use closemark_pricing::models::{ModelInput, SliceModel};
use closemark_pricing::price::Price;
use closemark_pricing::quote::{Venue, VenueQuote};
use closemark_pricing::series::{Date, Deliverable, Instant, Series};
use closemark_pricing::vocabulary::{ExerciseStyle, MarginGroup, OptionType, Settlement};

pub(crate) mod lattice;

/// Nanoseconds of a day.
pub(crate) const DAY_NS: i64 = 86_400_000_000_000;
/// The snapshot: a day count that stands for 16:00 New York.
pub(crate) const SNAPSHOT: Instant = Instant(20_000 * DAY_NS);

/// A small linear congruential generator: Knuth's MMIX constants, upper bits.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Uniform in (0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }
}

/// One listed series with its true price.
pub(crate) struct Listed {
    pub(crate) days: i64,
    pub(crate) strike: f64,
    pub(crate) option_type: OptionType,
    pub(crate) truth: f64,
}

/// What a test day is made of.
pub(crate) struct Plan {
    pub(crate) style: ExerciseStyle,
    pub(crate) spot: f64,
    pub(crate) rate: f64,
    pub(crate) dividends: Vec<(i64, f64)>,
    pub(crate) knowledge: DividendKnowledge,
}

pub(crate) fn series(plan: &Plan, listed: &Listed) -> Series {
    let expiration = Date(20_000 + listed.days as i32);
    Series {
        osi_symbol: format!(
            "TST   {:06}{}{:08}",
            listed.days,
            listed.option_type.as_str(),
            (listed.strike * 1000.0).round() as i64
        ),
        root: "TST".to_owned(),
        expiration,
        settlement_time: Instant(SNAPSHOT.0 + listed.days * DAY_NS),
        snapshot: SNAPSHOT,
        strike: Price::nearest(listed.strike).unwrap(),
        option_type: listed.option_type,
        exercise_style: plan.style,
        settlement: Settlement::Pm,
        multiplier: 100,
        currency: "USD".to_owned(),
        deliverable: Deliverable {
            text: "100 TST".to_owned(),
            shares: 100.0,
            cash: 0.0,
            standard: true,
            priceable: true,
        },
        calendar: true,
    }
}

pub(crate) fn quote(bid: f64, ask: f64) -> VenueQuote {
    VenueQuote {
        venue: Venue(0),
        consolidated: false,
        bid: (bid > 0.0).then(|| Price::nearest(bid).unwrap()),
        bid_size: Some(10),
        ask: (ask > 0.0).then(|| Price::nearest(ask).unwrap()),
        ask_size: Some(10),
        time: Some(Instant(SNAPSHOT.0 - 1_000_000_000)),
    }
}

/// A day whose quotes bracket the truth: each side between 0.2 and 1.0 spreads away, on ticks of `tick`.
pub(crate) fn day(plan: &Plan, mut listed: Vec<Listed>, tick: f64, seed: u64) -> (UnderlyingDay, Vec<f64>) {
    listed.sort_by(|a, b| {
        a.days.cmp(&b.days).then(a.strike.total_cmp(&b.strike)).then(a.option_type.cmp(&b.option_type))
    });
    let mut random = Random(seed);
    let mut quotes = Vec::new();
    let mut offsets = vec![0];
    for l in &listed {
        let width = tick.max(0.02 * l.truth.sqrt());
        let bid = ((l.truth - width * (0.2 + 0.8 * random.uniform())) / tick).floor() * tick;
        let ask = ((l.truth + width * (0.2 + 0.8 * random.uniform())) / tick).ceil() * tick;
        quotes.push(quote(bid.max(0.0), ask));
        offsets.push(quotes.len() as u32);
    }
    let truth = listed.iter().map(|l| l.truth).collect();
    let day = UnderlyingDay {
        underlying: "TST".to_owned(),
        market_date: Date(20_000),
        snapshot: SNAPSHOT,
        price: Price::nearest(plan.spot),
        price_time: Some(SNAPSHOT),
        halted: false,
        settlement_price: None,
        margin_group: MarginGroup::Equity,
        leverage: 1.0,
        dividend_knowledge: plan.knowledge,
        dividends: plan
            .dividends
            .iter()
            .map(|&(days, amount)| CashDividend {
                time: Instant(SNAPSHOT.0 + days * DAY_NS - DAY_NS / 4),
                amount,
                declared: true,
            })
            .collect(),
        curve: Arc::new(DiscountCurve::flat(plan.rate).unwrap()),
        series: listed.iter().map(|l| series(plan, l)).collect(),
        quotes,
        quote_offsets: offsets,
        venues: Arc::from(["XTST".to_owned()]),
        previous: Vec::new(),
    };
    (day, truth)
}

/// A skewed smile whose total variance grows in time at every moneyness.
pub(crate) fn smile(k: f64, t: f64) -> f64 {
    let z = k / t.sqrt().max(0.05);
    0.2 - 0.04 * z / (1.0 + 0.5 * z.abs()) + 0.01 * z * z / (1.0 + z.abs())
}

/// The model of one American slice that pays no dividend.
pub(crate) fn american_slice(spot: f64, t: f64, rate: f64, borrow: f64) -> SliceModel {
    SliceModel::new(ModelInput {
        exercise_style: ExerciseStyle::American,
        spot,
        time_to_expiry: t,
        discount_factor: libm::exp(-rate * t),
        borrow,
        forward: spot * libm::exp((rate - borrow) * t),
        dividends: Vec::new(),
    })
}
