//! Prices of one slice under one zero curve: which solver, on which grids, in which batches.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::european::EuropeanTable;
use super::lanes::{LANES, Point, load};
use super::near_identity::NearIdentity;
use super::plan::{Level, Plan, class};
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

/// Time values of this share of strike and price, whichever is larger, and less come from the finest grid alone, from the second
/// share on not at all.
const GAP_REFINED: (f64, f64) = (4e-4, 8e-4);
/// Up to this difference in volatility the first two levels agree, and their extrapolation stands; from the second on the
/// next level's does, between them both have their share.
const LEVELS_APART: (f64, f64) = (1e-4, 2e-4);
/// Nor is a difference below this share of the strike one.
const PRICES_APART_MIN: f64 = 2e-8;

impl Valuation {
    /// What this level and a coarser one say together; this one alone where either is exercised.
    fn beyond(&self, coarser: &Self, w: f64, exercise: f64) -> Self {
        if !(self.american > exercise && coarser.american > exercise) {
            return *self;
        }
        let value = self.towards(coarser, -w);
        Self { american: value.american.max(exercise), ..value }
    }

    /// On the line from this to another, which is at one.
    fn towards(&self, other: &Self, share: f64) -> Self {
        let between = |a: f64, b: f64| a + share * (b - a);
        Self {
            american: between(self.american, other.american),
            delta: between(self.delta, other.delta),
            gamma: between(self.gamma, other.gamma),
        }
    }
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

    /// [`Self::values`] for differences: of the first two levels alone where grids serve, so that no other level comes and goes
    /// between neighbours.
    pub(crate) fn values_alike(&self, option_type: OptionType, points: &[Point]) -> Vec<f64> {
        match self.method(option_type) {
            PricingMethod::CashDividends => {
                self.first_levels(option_type, points, true).into_iter().map(|value| value.american).collect()
            }
            _ => self.values(option_type, points, Level::Fine),
        }
    }

    /// The first two levels together.
    fn first_levels(&self, option_type: OptionType, points: &[Point], american: bool) -> Vec<Valuation> {
        let [rough, coarse] =
            [Level::Rough, Level::Coarse].map(|level| self.swept_as(option_type, points, level, american));
        let w = Level::extrapolation(Level::Coarse, Level::Rough);
        let each = points.iter().zip(rough.iter().zip(&coarse));
        each.map(|(point, (rough, coarse))| {
            let exercise = if american { self.exercise(option_type, point.strike) } else { 0.0 };
            coarse.beyond(rough, w, exercise)
        })
        .collect()
    }

    /// What early exercise is worth: American less European value, within 1e-4 of the strike.
    pub(crate) fn premiums(&self, option_type: OptionType, points: &[Point]) -> Vec<f64> {
        match self.method(option_type) {
            PricingMethod::SingleDividend => {
                let one = |p: &Point| single_dividend::at(&self.schedule, p.strike, p.sigma);
                points.iter().map(|p| one(p).map_or(f64::NAN, |v| v.american - v.european)).collect()
            }
            PricingMethod::CashDividends => {
                let american = self.extrapolated(option_type, points);
                let european = self.first_levels(option_type, points, false);
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

    /// Extrapolated from the first two levels; where these are apart by more than a little volatility, from the next, and from
    /// the finest near the exercise boundary.
    ///
    /// Errors are of second order in spacing and step together; how far two levels are apart says how much the next term
    /// may be.
    fn extrapolated(&self, option_type: OptionType, points: &[Point]) -> Vec<Valuation> {
        let rough = self.swept(option_type, points, Level::Rough);
        let coarse = self.swept(option_type, points, Level::Coarse);
        let w = Level::extrapolation(Level::Coarse, Level::Rough);
        let mut values: Vec<Valuation> = Vec::with_capacity(points.len());
        let (mut doubtful, mut near) = (Vec::new(), Vec::new());
        for (index, (point, (rough, coarse))) in points.iter().zip(rough.iter().zip(&coarse)).enumerate() {
            let value = coarse.beyond(rough, w, self.exercise(option_type, point.strike));
            let share = self.doubt(option_type, point, (coarse.american - rough.american).abs(), value.american);
            let boundary = self.nearness(option_type, point, value.american);
            if share > 0.0 || boundary > 0.0 {
                doubtful.push((index, share));
                near.push(boundary);
            }
            values.push(value);
        }
        if doubtful.is_empty() {
            return values;
        }
        let w = Level::extrapolation(Level::Fine, Level::Coarse);
        let fine = self.swept_some(option_type, points, doubtful.iter().map(|(index, _)| *index), Level::Fine);
        for ((index, share), fine) in doubtful.iter().zip(&fine) {
            if let (Some(value), Some(coarse), Some(point)) =
                (values.get_mut(*index), coarse.get(*index), points.get(*index))
            {
                let better = fine.beyond(coarse, w, self.exercise(option_type, point.strike));
                *value = value.towards(&better, *share);
            }
        }
        let nearest = || doubtful.iter().zip(&near).zip(&fine).filter(|((_, boundary), _)| **boundary > 0.0);
        let w = Level::extrapolation(Level::Finest, Level::Fine);
        let finest = self.swept_some(option_type, points, nearest().map(|(((index, _), _), _)| *index), Level::Finest);
        for ((((index, _), boundary), fine), finest) in nearest().zip(&finest) {
            if let (Some(value), Some(point)) = (values.get_mut(*index), points.get(*index)) {
                let better = finest.beyond(fine, w, self.exercise(option_type, point.strike));
                *value = value.towards(&better, *boundary);
            }
        }
        values
    }

    /// [`Self::swept`] of some of the points, by their places.
    fn swept_some(
        &self,
        option_type: OptionType,
        points: &[Point],
        places: impl Iterator<Item = usize>,
        level: Level,
    ) -> Vec<Valuation> {
        let chosen: Vec<Point> = places.filter_map(|index| points.get(index).copied()).collect();
        self.swept(option_type, &chosen, level)
    }

    /// The next level's share in a price, from how far the first two are apart and what volatility that is.
    fn doubt(&self, option_type: OptionType, point: &Point, apart: f64, value: f64) -> f64 {
        if apart <= PRICES_APART_MIN * point.strike {
            return 0.0;
        }
        let map = NearIdentity::new(self, option_type, point.strike, value);
        let deviation = map.deviation(value);
        let volatility = apart * point.sigma / (map.slope(deviation) * deviation);
        let share = (volatility - LEVELS_APART.0) / (LEVELS_APART.1 - LEVELS_APART.0);
        if share < 1.0 { share.max(0.0) } else { 1.0 }
    }

    /// The finest level's share in a price: where a spacing is several percent of the price, and exercise at once is worth nearly
    /// as much as the option, that little is known to no digit by the others.
    fn nearness(&self, option_type: OptionType, point: &Point, value: f64) -> f64 {
        let exercise = self.exercise(option_type, point.strike);
        let wide = class(point.sigma * self.schedule.expiry.sqrt()) >= 0;
        if !wide || exercise <= 0.0 || !self.schedule.exercised_any_time(option_type == OptionType::Call) {
            return 0.0;
        }
        let gap = (value - exercise) / point.strike.max(self.schedule.spot);
        ((GAP_REFINED.1 - gap) / (GAP_REFINED.1 - GAP_REFINED.0)).clamp(0.0, 1.0)
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
        let w = Level::extrapolation(Level::Fine, Level::Coarse);
        let (mut values, coarse) = (fine?.value, coarse?.value);
        for (value, coarse) in values.iter_mut().zip(coarse) {
            *value = (*value + w * (*value - coarse)) / self.schedule.discount_factor;
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
