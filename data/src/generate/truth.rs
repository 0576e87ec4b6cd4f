//! The true price of every series of one name.

use closemark_pricing::curve::DiscountCurve;
use closemark_pricing::models::{ModelDividend, ModelInput, SliceModel};
use closemark_pricing::price::Price;
use closemark_pricing::series::{Date, Instant};
use closemark_pricing::vocabulary::{ExerciseStyle, OptionType, Settlement};

use super::calibration;
use super::cast::{Class, Profile, Role};
use super::listing::{self, Program};
use super::random::Random;
use super::surface::{Component, black_volatility, undiscounted_price};
use crate::calendar::Calendar;
use crate::osi;

/// What all names of a day share.
#[derive(Clone, Debug)]
pub struct Market {
    /// The day being closed.
    pub market_date: Date,
    /// The close.
    pub snapshot: Instant,
    /// A quarter of an hour later: index classes trade on.
    pub index_snapshot: Instant,
    /// The day's zero curve.
    pub curve: DiscountCurve,
    /// Trading days.
    pub calendar: Calendar,
}

/// One series and what it is truly worth.
#[derive(Clone, Debug, PartialEq)]
pub struct TrueSeries {
    /// OSI symbol.
    pub osi_symbol: String,
    /// Strike as listed.
    pub strike: f64,
    /// Call or put.
    pub option_type: OptionType,
    /// Days to expiry.
    pub days: i32,
    /// Price per share.
    pub price: f64,
    /// Volatility under the series' own model; none at expiry, or where the value does not determine one.
    pub volatility: Option<f64>,
    /// Whether the pricing model gave the price (else the European value or the exercise value stands in).
    pub modelled: bool,
    /// Change of price with the spot, for quotes that were made at another one.
    pub delta: f64,
    /// The place of its slice.
    pub slice: usize,
}

/// One expiration of one root.
#[derive(Clone, Debug, PartialEq)]
pub struct TrueSlice {
    /// Option root.
    pub root: String,
    /// Expiration as listed.
    pub expiration: Date,
    /// AM or PM.
    pub settlement: Settlement,
    /// Years to settlement.
    pub time_to_expiry: f64,
    /// True forward.
    pub forward: f64,
    /// Deliverable text, for adjusted contracts only.
    pub deliverable: Option<String>,
}

/// A name's slices and series, in order of root, expiration, strike and type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrueName {
    /// Slices.
    pub slices: Vec<TrueSlice>,
    /// Series.
    pub series: Vec<TrueSeries>,
}

/// What a contract of an adjusted class delivers, per share of its price: `shares` of the underlying and `cash`.
#[derive(Clone, Copy)]
struct Unit {
    shares: f64,
    cash: f64,
}

/// Lists a name's series and prices each of them.
pub fn true_name(market: &Market, profile: &Profile, random: &mut Random) -> TrueName {
    let mut name = TrueName::default();
    for class in &profile.classes {
        add_class(market, profile, class, &class.root, None, random, &mut name);
    }
    let adjusted = match profile.role {
        Role::AdjustedCash => Some((Unit { shares: 1.0, cash: 0.125 }, format!("100 {} + 12.5 USD", profile.symbol))),
        Role::AdjustedShares => Some((Unit { shares: 0.1, cash: 0.0 }, format!("10 {}", profile.symbol))),
        _ => None,
    };
    if let (Some(unit), Some(class)) = (adjusted, profile.classes.first()) {
        let few =
            Class { expirations: class.expirations.min(3), series: (class.series * 0.4).max(24.0), ..class.clone() };
        let root = format!("{}1", class.root);
        add_class(market, profile, &few, &root, Some(unit), random, &mut name);
    }
    name
}

fn add_class(
    market: &Market,
    profile: &Profile,
    class: &Class,
    root: &str,
    adjusted: Option<(Unit, String)>,
    random: &mut Random,
    name: &mut TrueName,
) {
    let mut dates = listing::expirations(&market.calendar, market.market_date, class.program, class.expirations);
    if profile.expiring && listing::expires_on(&market.calendar, market.market_date, class.program) {
        dates.insert(0, market.market_date);
    }
    let weights: Vec<f64> = dates.iter().map(|d| calibration::strikes_weight(d.0 - market.market_date.0)).collect();
    let total: f64 = weights.iter().sum();
    for (&expiration, weight) in dates.iter().zip(&weights) {
        let days = expiration.0 - market.market_date.0;
        let wanted = 0.5 * class.series * weight / total * libm::exp(0.1 * random.normal());
        let (unit, deliverable) = match &adjusted {
            Some((unit, text)) => (*unit, Some(text.clone())),
            None => (Unit { shares: 1.0, cash: 0.0 }, None),
        };
        let unit_spot = unit.shares * profile.spot + unit.cash;
        let strikes = listing::strikes(profile.tier, unit_spot, profile.volatility, days, wanted as usize);
        add_slice(market, profile, (root, class.program, expiration), (unit, deliverable), &strikes, name);
    }
}

fn add_slice(
    market: &Market,
    profile: &Profile,
    (root, program, expiration): (&str, Program, Date),
    (unit, deliverable): (Unit, Option<String>),
    strikes: &[Price],
    name: &mut TrueName,
) {
    let settlement = if program == Program::IndexAm { Settlement::Am } else { Settlement::Pm };
    let snapshot = if profile.index { market.index_snapshot } else { market.snapshot };
    let Some(settles) = market.calendar.settlement_instant(expiration, settlement) else { return };
    let pricer = SlicePricer::new(market, profile, snapshot, settles);
    let slice = name.slices.len();
    name.slices.push(TrueSlice {
        root: root.to_owned(),
        expiration,
        settlement,
        time_to_expiry: pricer.t,
        forward: unit.shares * pricer.forward + unit.cash,
        deliverable,
    });
    let effective: Vec<f64> = strikes.iter().map(|k| (k.to_f64() - unit.cash) / unit.shares).collect();
    let blacks = pricer.black_volatilities(&effective);
    let mut worths: [Vec<Worth>; 2] = [OptionType::Call, OptionType::Put]
        .map(|kind| effective.iter().zip(&blacks).map(|(&k, &black)| pricer.price(kind, k, black)).collect());
    for row in &mut worths {
        make_convex(&effective, row);
    }
    let [calls, puts] = worths;
    for ((strike, call), put) in strikes.iter().zip(calls).zip(puts) {
        for (option_type, worth) in [(OptionType::Call, call), (OptionType::Put, put)] {
            let Some(osi_symbol) = osi::encode(root, expiration, option_type, *strike) else { continue };
            name.series.push(TrueSeries {
                osi_symbol,
                strike: strike.to_f64(),
                option_type,
                days: expiration.0 - market.market_date.0,
                price: unit.shares * worth.price,
                volatility: worth.volatility,
                modelled: worth.modelled,
                delta: unit.shares * worth.delta,
                slice,
            });
        }
    }
}

/// Lowers prices onto their greatest convex minorant in strike.
///
/// An American price at a volatility of its own for each strike need not be convex where the exercise value takes
/// over; a truth must be. The exercise value is convex and so is never crossed. A price that moves keeps no volatility.
fn make_convex(strikes: &[f64], row: &mut [Worth]) {
    let mut hull: Vec<(f64, f64)> = Vec::new();
    for (&k, worth) in strikes.iter().zip(row.iter()) {
        while let [.., (k0, p0), (k1, p1)] = hull.as_slice()
            && (p1 - p0) * (k - k0) > (worth.price - p0) * (k1 - k0)
        {
            hull.pop();
        }
        hull.push((k, worth.price));
    }
    for pair in hull.windows(2) {
        let &[(k0, p0), (k1, p1)] = pair else { continue };
        for (&k, worth) in strikes.iter().zip(row.iter_mut()) {
            let chord = p0 + (p1 - p0) * ((k - k0) / (k1 - k0));
            if k > k0 && k < k1 && worth.price > chord {
                // Less than a thousandth of a millionth is rounding, and the volatility still fits.
                if worth.price - chord > 1e-9 {
                    worth.volatility = None;
                }
                worth.price = chord;
            }
        }
    }
}

struct Worth {
    price: f64,
    volatility: Option<f64>,
    modelled: bool,
    delta: f64,
}

/// Prices one slice per share of the underlying.
struct SlicePricer {
    t: f64,
    spot: f64,
    forward: f64,
    discount: f64,
    /// Value at expiry of the cash that the underlying pays afterwards: it is certain, the rest is random.
    certain: f64,
    components: Vec<Component>,
    model: Option<SliceModel>,
}

impl SlicePricer {
    fn new(market: &Market, profile: &Profile, snapshot: Instant, settles: Instant) -> Self {
        let t = snapshot.years_until(settles).max(0.0);
        let discount = market.curve.discount_factor(t);
        let minus_log_discount = market.curve.minus_log_discount(t);
        let dividends: Vec<ModelDividend> = profile
            .dividends
            .iter()
            .filter_map(|d| {
                let time = snapshot.years_until(market.calendar.last_exercise_before(d.ex_date)?);
                Some(ModelDividend { time, amount: d.amount })
            })
            .collect();
        // The model of a slice carries one flat rate, and the forward is the formula of `ModelInput`.
        let rate = if t > 0.0 { minus_log_discount / t } else { 0.0 };
        let growth = rate - profile.borrow;
        let (within, after): (Vec<ModelDividend>, Vec<ModelDividend>) = dividends.iter().partition(|d| d.time <= t);
        let paid: f64 = within.iter().map(|d| d.amount * libm::exp(growth * (t - d.time))).sum();
        let forward = profile.spot * libm::exp(growth * t) - paid;
        let certain: f64 = after
            .iter()
            .map(|d| {
                let to_dividend = market.curve.minus_log_discount(d.time) - minus_log_discount;
                d.amount * libm::exp(profile.borrow * (d.time - t) - to_dividend)
            })
            .sum();
        let model = (!profile.index && t > 0.0).then(|| {
            SliceModel::new(ModelInput {
                exercise_style: ExerciseStyle::American,
                spot: profile.spot,
                time_to_expiry: t,
                discount_factor: discount,
                borrow: profile.borrow,
                forward,
                dividends: within,
            })
        });
        let components = profile.surface.components(t);
        Self { t, spot: profile.spot, forward, discount, certain, components, model }
    }

    /// Undiscounted European value.
    fn european(&self, option_type: OptionType, strike: f64) -> f64 {
        let (forward, call) = (self.forward - self.certain, option_type == OptionType::Call);
        let strike = strike - self.certain;
        if strike <= 0.0 {
            return if call { forward - strike } else { 0.0 };
        }
        undiscounted_price(&self.components, forward, strike, call)
    }

    /// Equivalent Black volatility at each strike, outwards from the forward; where the value is too small to say,
    /// `Err` of the last volatility that was not.
    fn black_volatilities(&self, strikes: &[f64]) -> Vec<Result<f64, f64>> {
        let mut result = vec![Err(0.0); strikes.len()];
        let middle = strikes.partition_point(|&k| k < self.forward);
        let mut last =
            black_volatility(self.forward, self.forward, self.t, self.european(OptionType::Call, self.forward))
                .unwrap_or(0.2);
        let start = last;
        let mut at = |i: usize, option_type: OptionType, last: &mut f64| {
            let (Some(&k), Some(slot)) = (strikes.get(i), result.get_mut(i)) else { return };
            *slot = match black_volatility(self.forward, k, self.t, self.european(option_type, k)) {
                Some(volatility) => {
                    *last = volatility;
                    Ok(volatility)
                }
                None => Err(*last),
            };
        };
        for i in middle..strikes.len() {
            at(i, OptionType::Call, &mut last);
        }
        last = start;
        for i in (0..middle).rev() {
            at(i, OptionType::Put, &mut last);
        }
        result
    }

    fn price(&self, option_type: OptionType, strike: f64, black: Result<f64, f64>) -> Worth {
        let sign = if option_type == OptionType::Call { 1.0 } else { -1.0 };
        let exercise = (sign * (self.spot - strike)).max(0.0);
        if self.t <= 0.0 {
            let delta = if exercise > 0.0 { sign } else { 0.0 };
            return Worth { price: exercise, volatility: None, modelled: true, delta };
        }
        let european = self.discount * self.european(option_type, strike);
        let (Ok(volatility) | Err(volatility)) = black;
        let delta = self.delta(sign, strike, volatility);
        let Some(model) = &self.model else {
            return Worth { price: european, volatility: black.ok(), modelled: true, delta };
        };
        let american = model
            .model_from_black(strike, volatility)
            .and_then(|sigma| Some((sigma, model.price(option_type, strike, sigma)?)));
        match american {
            Some((sigma, price)) => Worth {
                price: price.max(european).max(exercise),
                volatility: black.ok().map(|_| sigma),
                modelled: true,
                delta,
            },
            None => Worth { price: european.max(exercise), volatility: None, modelled: false, delta },
        }
    }

    fn delta(&self, sign: f64, strike: f64, volatility: f64) -> f64 {
        let deviation = volatility * self.t.sqrt();
        let d1 = libm::log(self.forward / strike.max(1e-9)) / deviation + 0.5 * deviation;
        sign * super::random::normal_cdf(sign * d1)
    }
}

#[cfg(test)]
mod tests {
    use super::{Market, TrueName, true_name};
    use crate::calendar::{Calendar, CalendarKind};
    use crate::date;
    use crate::generate::cast::{Size, profile};
    use crate::generate::random::Random;
    use closemark_pricing::curve::DiscountCurve;
    use closemark_pricing::series::Instant;
    use closemark_pricing::vocabulary::OptionType;

    fn market() -> Market {
        let market_date = date::parse("2026-11-20").unwrap();
        let calendar = Calendar::new(CalendarKind::Us).unwrap();
        let snapshot = calendar.close(market_date).unwrap();
        let curve = DiscountCurve::from_zero_rates(&[(0.1, 0.038), (1.0, 0.035), (3.0, 0.034)]).unwrap();
        Market { market_date, snapshot, index_snapshot: Instant(snapshot.0 + 900_000_000_000), curve, calendar }
    }

    /// Convex and monotone in strike within each slice and type, within `tolerance`.
    fn strike_violations(name: &TrueName, tolerance: f64) -> usize {
        let mut count = 0;
        for slice in 0..name.slices.len() {
            for option_type in [OptionType::Call, OptionType::Put] {
                let sign = if option_type == OptionType::Call { 1.0 } else { -1.0 };
                let row: Vec<(f64, f64)> = name
                    .series
                    .iter()
                    .filter(|s| s.slice == slice && s.option_type == option_type)
                    .map(|s| (s.strike, s.price))
                    .collect();
                for pair in row.windows(2) {
                    let fall = sign * (pair[0].1 - pair[1].1);
                    count += usize::from(fall < -tolerance || fall > pair[1].0 - pair[0].0 + tolerance);
                }
                for three in row.windows(3) {
                    let [(k0, p0), (k1, p1), (k2, p2)] = [three[0], three[1], three[2]];
                    let chord = (p0 * (k2 - k1) + p2 * (k1 - k0)) / (k2 - k0);
                    count += usize::from(p1 > chord + tolerance);
                }
            }
        }
        count
    }

    #[test]
    fn index_truth_is_free_of_arbitrage_and_keeps_parity() {
        let market = market();
        let profile = profile(11, 0, Size::Sample, market.market_date);
        let name = true_name(&market, &profile, &mut Random::new(1, 1));
        assert_eq!(strike_violations(&name, 1e-9), 0);
        for pair in name.series.chunks(2) {
            let slice = &name.slices[pair[0].slice];
            let discount = market.curve.discount_factor(slice.time_to_expiry);
            let gap = pair[0].price - pair[1].price - discount * (slice.forward - pair[0].strike);
            if slice.time_to_expiry > 0.0 {
                assert!(gap.abs() < 1e-8, "{}: {gap}", pair[0].osi_symbol);
            }
        }
        // AM and PM settlement meet on one date.
        assert!(
            name.slices
                .iter()
                .any(|a| name.slices.iter().any(|b| a.expiration == b.expiration && a.settlement < b.settlement))
        );
    }

    #[test]
    fn american_truth_is_at_least_exercise_value_and_rises_in_time() {
        let market = market();
        for place in [1, 2, 3, 5, 11] {
            let profile = profile(11, place, Size::Sample, market.market_date);
            let name = true_name(&market, &profile, &mut Random::new(1, 1));
            assert!(name.series.iter().all(|s| s.modelled), "{}", profile.symbol);
            assert_eq!(strike_violations(&name, 1e-9), 0, "{}", profile.symbol);
            for a in &name.series {
                let slice = &name.slices[a.slice];
                if slice.deliverable.is_some() {
                    continue;
                }
                let sign = if a.option_type == OptionType::Call { 1.0 } else { -1.0 };
                assert!(a.price >= sign * (profile.spot - a.strike) - 1e-9);
                for b in name
                    .series
                    .iter()
                    .filter(|b| b.slice > a.slice && b.strike == a.strike && b.option_type == a.option_type)
                {
                    if name.slices[b.slice].root == slice.root {
                        assert!(b.price >= a.price - 2e-4 * profile.spot, "{} {}", a.osi_symbol, b.osi_symbol);
                    }
                }
            }
        }
    }
}
