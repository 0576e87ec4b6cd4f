//! Prices of one slice under one zero curve: which solver, on which grids, in which batches.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::european::EuropeanTable;
use super::lanes::{LANES, Point, load};
use super::plan::{EXTRAPOLATION, EXTRAPOLATION_FINEST, Level, Plan, class};
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

/// Time values of this share of strike and price, whichever is larger, and less come from the finest grid alone, from the second share on not at all.
const GAP_REFINED: (f64, f64) = (4e-4, 8e-4);

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
        self.swept_as(option_type, points, level, true)
    }

    /// [`Self::swept`], American or European.
    fn swept_as(&self, option_type: OptionType, points: &[Point], level: Level, american: bool) -> Vec<Valuation> {
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
                    1 => self.chunk::<1>(option_type, &plan, &batch, american),
                    2..=4 => self.chunk::<4>(option_type, &plan, &batch, american),
                    _ => self.chunk::<LANES>(option_type, &plan, &batch, american),
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

    fn chunk<const N: usize>(
        &self,
        option_type: OptionType,
        plan: &Plan,
        batch: &[Point],
        american: bool,
    ) -> Vec<Valuation> {
        let (strikes, sigmas) = load::<N>(batch);
        let Some(Outcome { value, delta, gamma }) =
            sweep::<N>(&self.schedule, plan, option_type, &strikes, &sigmas, american)
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

    /// What early exercise is worth: American less European value on the finest of the usual grids, within 1e-4 of the strike;
    /// not extrapolated, so that the exercise boundary's share of the error stays.
    pub(crate) fn premiums(&self, option_type: OptionType, points: &[Point]) -> Vec<f64> {
        match self.method(option_type) {
            PricingMethod::SingleDividend => {
                let one = |p: &Point| single_dividend::at(&self.schedule, p.strike, p.sigma);
                points.iter().map(|p| one(p).map_or(f64::NAN, |v| v.american - v.european)).collect()
            }
            PricingMethod::CashDividends => {
                let [american, european] =
                    [true, false].map(|american| self.swept_as(option_type, points, Level::Fine, american));
                let premium = |(a, e): (&Valuation, &Valuation)| a.american - e.american;
                american.iter().zip(&european).map(premium).map(|p| if p < 0.0 { 0.0 } else { p }).collect()
            }
            _ => {
                let one = |p: &Point| self.by_fallback(option_type, *p);
                points.iter().map(one).map(|(value, european)| value.american - european).collect()
            }
        }
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
        let fine: Vec<f64> = values.iter().map(|value| value.american).collect();
        let coarse = self.swept(option_type, points, Level::Coarse);
        for ((value, coarse), point) in values.iter_mut().zip(coarse).zip(points) {
            let exercise = self.exercise(option_type, point.strike);
            if value.american > exercise && coarse.american > exercise {
                value.american = (value.american + EXTRAPOLATION * (value.american - coarse.american)).max(exercise);
            }
        }
        self.refine_boundary(option_type, points, &fine, &mut values);
        values
    }

    /// Where a spacing is several percent of the price, and exercise at once is worth nearly as much as the option, that little
    /// is known to no digit: a finer grid steps in, gradually.
    fn refine_boundary(&self, option_type: OptionType, points: &[Point], fine: &[f64], values: &mut [Valuation]) {
        let mut near: Vec<(usize, f64)> = Vec::new();
        for (index, (point, value)) in points.iter().zip(values.iter()).enumerate() {
            let exercise = self.exercise(option_type, point.strike);
            let gap = (value.american - exercise) / point.strike.max(self.schedule.spot);
            let share = ((GAP_REFINED.1 - gap) / (GAP_REFINED.1 - GAP_REFINED.0)).clamp(0.0, 1.0);
            if exercise > 0.0 && share > 0.0 && class(point.sigma * self.schedule.expiry.sqrt()) >= 0 {
                near.push((index, share));
            }
        }
        if near.is_empty() {
            return;
        }
        let chosen: Vec<Point> = near.iter().filter_map(|(index, _)| points.get(*index).copied()).collect();
        let finest = self.swept(option_type, &chosen, Level::Finest);
        for ((index, share), finest) in near.into_iter().zip(finest) {
            if let (Some(value), Some(fine)) = (values.get_mut(index), fine.get(index)) {
                let better = finest.american + EXTRAPOLATION_FINEST * (finest.american - fine);
                value.american += share * (better - value.american);
            }
        }
    }

    /// Equivalent Black volatility and its derivative in the model's.
    pub(crate) fn black(&self, strike: f64, sigma: f64) -> Option<(f64, f64)> {
        self.table.black(strike, sigma, &|option_type, strikes, sigmas| self.undiscounted(option_type, strikes, sigmas))
    }

    /// European values by sweeps.
    fn undiscounted(
        &self,
        option_type: OptionType,
        strikes: &[f64; LANES],
        sigmas: &[f64; LANES],
    ) -> Option<[f64; LANES]> {
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
    }

    /// European price.
    pub(crate) fn european(&self, option_type: OptionType, point: Point) -> Option<f64> {
        let price = match self.has_black() {
            true => {
                let solve = |kind: OptionType, strikes: &[f64; LANES], sigmas: &[f64; LANES]| {
                    self.undiscounted(kind, strikes, sigmas)
                };
                let (sigma, _) = self.table.black(point.strike, point.sigma, &solve)?;
                let forward = self.table.expectation(point.sigma, &solve)?;
                let Schedule { expiry, discount_factor, .. } = self.schedule;
                black::price(option_type, forward, point.strike, expiry, sigma, discount_factor)
            }
            false => self.by_fallback(option_type, point).1,
        };
        price.is_finite().then_some(price)
    }
}
