//! Prices of one slice under one zero curve: which solver, on which grids, in which batches.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::european::EuropeanTable;
use super::lanes::{LANES, Point, load};
use super::plan::{EXTRAPOLATION, Level, Plan, class};
use super::schedule::Schedule;
use super::sweep::{Outcome, sweep};
use crate::models::{black, fallback, single_dividend};
use crate::vocabulary::{OptionType, PricingMethod};

/// An option's value and its derivatives in the price of the underlying; not finite where there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Valuation {
    pub(crate) american: f64,
    pub(crate) delta: f64,
    pub(crate) gamma: f64,
}

const NOTHING: Valuation = Valuation { american: f64::NAN, delta: f64::NAN, gamma: f64::NAN };

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Market {
    pub(crate) schedule: Schedule,
    table: EuropeanTable,
    plans: RefCell<BTreeMap<(Level, i32), Arc<Plan>>>,
}

impl Market {
    pub(crate) fn new(schedule: Schedule) -> Self {
        let table = EuropeanTable::new(&schedule);
        Self { schedule, table, plans: RefCell::default() }
    }

    /// The contract's forward.
    pub(crate) fn forward(&self) -> f64 {
        self.table.forward
    }

    /// The solver for this type.
    pub(crate) fn method(&self, option_type: OptionType) -> PricingMethod {
        let call = option_type == OptionType::Call;
        if !self.table.usable() || self.schedule.double_boundary(call) {
            PricingMethod::Fallback
        } else if call && single_dividend::applies(&self.schedule) {
            PricingMethod::SingleDividend
        } else {
            PricingMethod::CashDividends
        }
    }

    /// Whether European values come through the equivalent Black volatility.
    pub(crate) fn has_black(&self) -> bool {
        self.table.usable()
    }

    /// Exercise now.
    pub(crate) fn exercise(&self, option_type: OptionType, strike: f64) -> f64 {
        black::intrinsic(option_type, self.schedule.spot, strike)
    }

    fn plan(&self, level: Level, class: i32) -> Arc<Plan> {
        let mut plans = self.plans.borrow_mut();
        let plan =
            plans.entry((level, class)).or_insert_with(|| Arc::new(Plan::new(&self.schedule, class, level as usize)));
        Arc::clone(plan)
    }

    /// One sweep over all points: by class of deviation, eight at a time.
    fn swept(&self, option_type: OptionType, points: &[Point], level: Level) -> Vec<Valuation> {
        let mut values = vec![NOTHING; points.len()];
        let mut classes: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        for (index, point) in points.iter().enumerate() {
            let class = class(point.sigma * self.schedule.expiry.sqrt());
            classes.entry(class).or_default().push(index);
        }
        for (class, members) in classes {
            let plan = self.plan(level, class);
            for chunk in members.chunks(LANES) {
                let batch: Vec<Point> = chunk.iter().filter_map(|&i| points.get(i).copied()).collect();
                let swept = match batch.len() {
                    1 => self.chunk::<1>(option_type, &plan, &batch),
                    2..=4 => self.chunk::<4>(option_type, &plan, &batch),
                    _ => self.chunk::<LANES>(option_type, &plan, &batch),
                };
                for (&index, value) in chunk.iter().zip(swept) {
                    if let Some(slot) = values.get_mut(index) {
                        *slot = value;
                    }
                }
            }
        }
        values
    }

    fn chunk<const N: usize>(&self, option_type: OptionType, plan: &Plan, batch: &[Point]) -> Vec<Valuation> {
        let (strikes, sigmas) = load::<N>(batch);
        let Some(Outcome { value, delta, gamma }) =
            sweep::<N>(&self.schedule, plan, option_type, &strikes, &sigmas, true)
        else {
            return Vec::new();
        };
        let lanes = value.into_iter().zip(delta.into_iter().zip(gamma)).take(batch.len());
        lanes.map(|(american, (delta, gamma))| Valuation { american, delta, gamma }).collect()
    }

    /// American values, delta and gamma: the method's best.
    pub(crate) fn sensitivities(&self, option_type: OptionType, points: &[Point]) -> Vec<Valuation> {
        match self.method(option_type) {
            PricingMethod::SingleDividend => {
                let one = |p: &Point| {
                    let v = single_dividend::at(&self.schedule, p.strike, p.sigma)?;
                    Some(Valuation { american: v.american, delta: v.delta, gamma: v.gamma })
                };
                points.iter().map(|p| one(p).unwrap_or(NOTHING)).collect()
            }
            PricingMethod::CashDividends => self.extrapolated(option_type, points),
            _ => points.iter().map(|p| self.by_fallback(option_type, *p).0).collect(),
        }
    }

    /// American values; a level below the finest is a grid's own where grids serve.
    pub(crate) fn values(&self, option_type: OptionType, points: &[Point], level: Level) -> Vec<f64> {
        let values = match self.method(option_type) {
            PricingMethod::SingleDividend => {
                let one = |p: &Point| single_dividend::american(&self.schedule, p.strike, p.sigma);
                return points.iter().map(|p| one(p).unwrap_or(f64::NAN)).collect();
            }
            PricingMethod::CashDividends if level != Level::Fine => self.swept(option_type, points, level),
            _ => self.sensitivities(option_type, points),
        };
        values.into_iter().map(|value| value.american).collect()
    }

    /// American value with its derivatives, and the European value.
    fn by_fallback(&self, option_type: OptionType, point: Point) -> (Valuation, f64) {
        let (n, m) = (fallback::SPACE_INTERVALS, fallback::TIME_STEPS);
        match fallback::solve(&self.schedule, option_type, point.strike, point.sigma, n, m) {
            Some(v) => (Valuation { american: v.american, delta: v.delta, gamma: v.gamma }, v.european),
            None => (NOTHING, f64::NAN),
        }
    }

    /// Where the option may be exercised any time, the error of the finest grid is of second order in spacing and step and
    /// goes by extrapolation; where only before an ex-date, it is of fourth order in the spacing and small.
    fn extrapolated(&self, option_type: OptionType, points: &[Point]) -> Vec<Valuation> {
        let mut values = self.swept(option_type, points, Level::Fine);
        if !self.schedule.exercised_any_time(option_type == OptionType::Call) {
            return values;
        }
        let coarse = self.swept(option_type, points, Level::Coarse);
        for ((value, coarse), point) in values.iter_mut().zip(coarse).zip(points) {
            let exercise = self.exercise(option_type, point.strike);
            if value.american > exercise && coarse.american > exercise {
                value.american = (value.american + EXTRAPOLATION * (value.american - coarse.american)).max(exercise);
            }
        }
        values
    }

    /// Equivalent Black volatility and its derivative in the model's.
    pub(crate) fn black(&self, strike: f64, sigma: f64) -> Option<(f64, f64)> {
        self.table.black(strike, sigma, &|option_type, strikes, sigmas| {
            let largest = sigmas.iter().copied().fold(0.0, f64::max);
            let class = class(largest * self.schedule.expiry.sqrt());
            let [fine, coarse] = [Level::Fine, Level::Coarse].map(|level| {
                let plan = self.plan(level, class);
                sweep::<LANES>(&self.schedule, &plan, option_type, strikes, sigmas, false)
            });
            let (mut values, coarse) = (fine?.value, coarse?.value);
            for (value, coarse) in values.iter_mut().zip(coarse) {
                *value = (*value + EXTRAPOLATION * (*value - coarse)) / self.schedule.discount_factor;
            }
            Some(values)
        })
    }

    /// European price.
    pub(crate) fn european(&self, option_type: OptionType, point: Point) -> Option<f64> {
        let price = match self.has_black() {
            true => {
                let (sigma, _) = self.black(point.strike, point.sigma)?;
                let Schedule { expiry, discount_factor, .. } = self.schedule;
                black::price(option_type, self.table.forward, point.strike, expiry, sigma, discount_factor)
            }
            false => self.by_fallback(option_type, point).1,
        };
        price.is_finite().then_some(price)
    }
}
