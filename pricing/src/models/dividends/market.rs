//! Prices of one slice under one zero curve: which solver, on which grids, in which batches.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::european::{EuropeanTable, PAIR};
use super::lanes::{LANES, Point, load};
use super::near_identity::NearIdentity;
use super::plan::{Level, Plan, RESOLVED, class, kink_width};
use super::schedule::{Instant, Schedule};
use super::sweep::{Outcome, sweep};
use super::valuation::{FirstLevels, NOTHING, Valuation};
use crate::math::{exp, ln};
use crate::models::{black, fallback, single_dividend};
use crate::vocabulary::{OptionType, PricingMethod};

/// Time values of this share of strike and price, whichever is larger, and less come from the finest grid alone, from the second
/// share on not at all.
const GAP_REFINED: (f64, f64) = (4e-4, 8e-4);
/// Up to this difference in volatility the first two levels agree, and their extrapolation stands; from the second on the
/// next level's does, between them both have their share.
const LEVELS_APART: (f64, f64) = (1e-4, 2e-4);
/// Nor is a difference below this share of the strike one.
const PRICES_APART_MIN: f64 = 2e-8;
/// From so many deviations in the money on the third level has a share of an option that may be exercised any time, from the second
/// on all of it.
const IN_THE_MONEY: (f64, f64) = (0.3, 0.5);
/// Where the roughest level still sees a call's kink, its errors are not of second order alone; this share of the extrapolation
/// from it is less wrong than all of it or nothing.
const UNRESOLVED: f64 = 0.5;

/// The method's best price, and the roughest level's: none where that does not count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Best {
    pub(crate) price: f64,
    pub(crate) rough: Option<f64>,
}

/// What the levels say together.
struct Extrapolated {
    value: Valuation,
    /// The third level's share in it.
    share: f64,
    rough: Option<f64>,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Market {
    pub(crate) schedule: Schedule,
    table: EuropeanTable,
    /// See [`Schedule::instants`]; of calls and of puts.
    instants: [Vec<Instant>; 2],
    /// See [`kink_width`].
    kink_width: f64,
    plans: RefCell<BTreeMap<(Level, i32), Arc<Plan>>>,
}

impl Market {
    pub(crate) fn new(schedule: Schedule) -> Self {
        let table = EuropeanTable::new(&schedule);
        let instants = [true, false].map(|call| schedule.instants(call));
        Self { kink_width: kink_width(&schedule), instants, schedule, table, plans: RefCell::default() }
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

    /// Where options of this type may end.
    pub(super) fn instants(&self, option_type: OptionType) -> &[Instant] {
        let [calls, puts] = &self.instants;
        if option_type == OptionType::Call { calls } else { puts }
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

    /// One sweep over all points: by class of deviation, sixteen at a time.
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
        for (class, mut members) in classes {
            // Lanes of one volatility meet the same nodes at an ex-date.
            let sigma = |index: &usize| points.get(*index).map_or(0.0, |point| point.sigma);
            members.sort_by(|a, b| sigma(a).total_cmp(&sigma(b)));
            let plan = self.plan(level, class);
            for chunk in members.chunks(LANES) {
                let batch: Vec<Point> = chunk.iter().filter_map(|&i| points.get(i).copied()).collect();
                let swept = match batch.len() {
                    1 => self.chunk::<1>(option_type, &plan, &batch, american),
                    2..=4 => self.chunk::<4>(option_type, &plan, &batch, american),
                    5..=8 => self.chunk::<8>(option_type, &plan, &batch, american),
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
        let Some(Outcome { value, delta, gamma, edge }) =
            sweep::<N>(&self.schedule, plan, option_type, &strikes, &sigmas, american)
        else {
            return Vec::new();
        };
        let lanes = value.into_iter().zip(delta.into_iter().zip(gamma)).zip(edge).take(batch.len());
        lanes.map(|((american, (delta, gamma)), edge)| Valuation { american, delta, gamma, edge }).collect()
    }

    /// American values, delta and gamma: the method's best.
    pub(crate) fn sensitivities(&self, option_type: OptionType, points: &[Point]) -> Vec<Valuation> {
        match self.method(option_type) {
            PricingMethod::SingleDividend => {
                let one = |p: &Point| {
                    let v = single_dividend::at(&self.schedule, p.strike, p.sigma)?;
                    Some(Valuation { american: v.american, delta: v.delta, gamma: v.gamma, edge: false })
                };
                points.iter().map(|p| one(p).unwrap_or(NOTHING)).collect()
            }
            PricingMethod::CashDividends => {
                self.extrapolated(option_type, points, &[]).into_iter().map(|found| found.value).collect()
            }
            _ => points.iter().map(|p| self.by_fallback(option_type, *p).0).collect(),
        }
    }

    /// American values: a level's own where grids serve, the best for [`Level::Fine`].
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

    /// The best American values, and those of the roughest level, of which some are `known`.
    pub(crate) fn best(&self, option_type: OptionType, points: &[Point], known: &[Option<f64>]) -> Vec<Best> {
        match self.method(option_type) {
            PricingMethod::CashDividends => {
                let each = self.extrapolated(option_type, points, known).into_iter();
                each.map(|found| Best { price: found.value.american, rough: found.rough }).collect()
            }
            _ => {
                let each = self.values(option_type, points, Level::Fine).into_iter();
                each.map(|price| Best { price, rough: None }).collect()
            }
        }
    }

    /// American values on the first two levels, for differences; the method's own, twice, where no grids serve.
    pub(crate) fn first_levels(&self, option_type: OptionType, points: &[Point]) -> Vec<FirstLevels> {
        let [rough, coarse] = [Level::Rough, Level::Coarse].map(|level| match self.method(option_type) {
            PricingMethod::CashDividends => self.values(option_type, points, level),
            _ => Vec::new(),
        });
        match self.method(option_type) {
            PricingMethod::CashDividends => {
                rough.into_iter().zip(coarse).map(|(rough, coarse)| FirstLevels { rough, coarse }).collect()
            }
            _ => {
                let values = self.values(option_type, points, Level::Fine).into_iter();
                values.map(|value| FirstLevels { rough: value, coarse: value }).collect()
            }
        }
    }

    /// What early exercise is worth: American less European value, within 1e-4 of the strike.
    pub(crate) fn premiums(&self, option_type: OptionType, points: &[Point]) -> Vec<f64> {
        match self.method(option_type) {
            PricingMethod::SingleDividend => {
                let one = |p: &Point| single_dividend::at(&self.schedule, p.strike, p.sigma);
                points.iter().map(|p| one(p).map_or(f64::NAN, |v| v.american - v.european)).collect()
            }
            PricingMethod::CashDividends => {
                let american = self.extrapolated(option_type, points, &[]);
                let shares: Vec<f64> = american.iter().map(|found| found.share).collect();
                let european = self.europeans(option_type, points, &shares);
                let premium = |(found, european): (&Extrapolated, &f64)| found.value.american - european;
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
            Some(v) => (Valuation { american: v.american, delta: v.delta, gamma: v.gamma, edge: false }, v.european),
            None => (NOTHING, f64::NAN),
        }
    }

    /// Extrapolated from the first two levels; where these are apart by more than a little volatility, from the next, and from
    /// the finest near the exercise boundary. What the roughest level says may be `known`; then there are no sensitivities.
    ///
    /// Errors are of second order in spacing and step together; how far two levels are apart says how much the next term
    /// may be. Where [`Self::level_alone`] names a level they are of no order, and that level says it all.
    fn extrapolated(&self, option_type: OptionType, points: &[Point], known: &[Option<f64>]) -> Vec<Extrapolated> {
        let bounded =
            |value: Valuation| value.with_bounded_delta(option_type, exp(-self.schedule.borrow * self.schedule.expiry));
        if let Some(level) = self.level_alone(option_type) {
            let values = self.swept(option_type, points, level);
            let alone = |value| Extrapolated { value: bounded(value), share: 1.0, rough: None };
            return values.into_iter().map(alone).collect();
        }
        let rough = self.swept_unknown(option_type, points, known);
        let coarse = self.swept(option_type, points, Level::Coarse);
        let exercise = |index: usize| points.get(index).map_or(0.0, |p| self.exercise(option_type, p.strike));
        let w = self.first_extrapolation(option_type);
        let mut values: Vec<(Valuation, f64)> = Vec::with_capacity(points.len());
        // Places of those that ask for the third level, and what share of them the finest has.
        let mut doubtful = Vec::new();
        for (index, (point, (rough, coarse))) in points.iter().zip(rough.iter().zip(&coarse)).enumerate() {
            let value = coarse.beyond(rough, w, exercise(index));
            let share = self.doubt(option_type, point, rough, coarse);
            let finest = self.nearness(option_type, point, value.american);
            if share > 0.0 || finest > 0.0 {
                doubtful.push((index, finest));
            }
            values.push((value, share));
        }
        if !doubtful.is_empty() {
            let w = Level::extrapolation(Level::Fine, Level::Coarse);
            let fine = self.swept_some(option_type, points, doubtful.iter().map(|(index, _)| *index), Level::Fine);
            for ((index, _), fine) in doubtful.iter().zip(&fine) {
                if let (Some((value, share)), Some(coarse)) = (values.get_mut(*index), coarse.get(*index)) {
                    *value = value.towards(&fine.beyond(coarse, w, exercise(*index)), *share);
                }
            }
            let nearest: Vec<_> = doubtful.iter().zip(&fine).filter(|((_, finest), _)| *finest > 0.0).collect();
            let w = Level::extrapolation(Level::Finest, Level::Fine);
            let places = nearest.iter().map(|((index, _), _)| *index);
            let finest = self.swept_some(option_type, points, places, Level::Finest);
            for (((index, share), fine), finest) in nearest.into_iter().zip(&finest) {
                if let Some((value, _)) = values.get_mut(*index) {
                    *value = value.towards(&finest.beyond(fine, w, exercise(*index)), *share);
                }
            }
        }
        let each = values.into_iter().zip(&rough);
        each.map(|((value, share), rough)| Extrapolated { value: bounded(value), share, rough: Some(rough.american) })
            .collect()
    }

    /// The roughest level's values, swept where they are not known.
    fn swept_unknown(&self, option_type: OptionType, points: &[Point], known: &[Option<f64>]) -> Vec<Valuation> {
        let known = |index: usize| known.get(index).copied().flatten();
        let asked = |index: &usize| known(*index).is_none();
        let mut swept = self.swept_some(option_type, points, (0..points.len()).filter(asked), Level::Rough).into_iter();
        let value = |index| match known(index) {
            Some(american) => Valuation { american, ..NOTHING },
            None => swept.next().unwrap_or(NOTHING),
        };
        (0..points.len()).map(value).collect()
    }

    /// The coarsest level that resolves a call's payoff by the last ex-date, where exercise cuts through what is left of its kink;
    /// none where the coarse levels do.
    fn level_alone(&self, option_type: OptionType) -> Option<Level> {
        let alone = option_type == OptionType::Call && !self.resolves_kink(Level::Coarse);
        alone.then(|| if self.resolves_kink(Level::Fine) { Level::Fine } else { Level::Finest })
    }

    /// `w` of the first two levels.
    pub(crate) fn first_extrapolation(&self, option_type: OptionType) -> f64 {
        let w = Level::extrapolation(Level::Coarse, Level::Rough);
        if option_type == OptionType::Call && !self.resolves_kink(Level::Rough) { UNRESOLVED * w } else { w }
    }

    /// Whether the payoff's kink is none to a level's nodes by the last ex-date.
    fn resolves_kink(&self, level: Level) -> bool {
        self.kink_width * f64::from(level as u8) >= RESOLVED
    }

    /// European values of the same levels as American ones with these shares of the third, so that what the levels have in
    /// common goes with the difference.
    fn europeans(&self, option_type: OptionType, points: &[Point], shares: &[f64]) -> Vec<f64> {
        let swept = |points: &[Point], level| self.swept_as(option_type, points, level, false);
        if let Some(level) = self.level_alone(option_type) {
            return swept(points, level).iter().map(|value| value.american).collect();
        }
        let (rough, coarse) = (swept(points, Level::Rough), swept(points, Level::Coarse));
        let w = self.first_extrapolation(option_type);
        let mut values: Vec<f64> =
            coarse.iter().zip(&rough).map(|(coarse, rough)| coarse.beyond(rough, w, 0.0).american).collect();
        let doubtful: Vec<usize> = (0..points.len()).filter(|&i| shares.get(i).is_some_and(|s| *s > 0.0)).collect();
        let chosen: Vec<Point> = doubtful.iter().filter_map(|&index| points.get(index).copied()).collect();
        let w = Level::extrapolation(Level::Fine, Level::Coarse);
        for (&index, fine) in doubtful.iter().zip(swept(&chosen, Level::Fine)) {
            if let (Some(value), Some(coarse), Some(share)) =
                (values.get_mut(index), coarse.get(index), shares.get(index))
            {
                *value += share * (fine.beyond(coarse, w, 0.0).american - *value);
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

    /// The third level's share in a price, from how far the first two are apart and what volatility that is, and from how far in
    /// the money the option is, where exercise is near; all of it where they do not agree on exercise or the boundary is beside
    /// the price. None where both exercise.
    fn doubt(&self, option_type: OptionType, point: &Point, rough: &Valuation, coarse: &Valuation) -> f64 {
        let Point { strike, sigma } = *point;
        let exercise = self.exercise(option_type, strike);
        let exercised = |level: &Valuation| exercise > 0.0 && level.american <= exercise;
        if exercised(rough) != exercised(coarse) || (exercised(coarse) && (rough.edge || coarse.edge)) {
            return 1.0;
        }
        if exercised(coarse) {
            return 0.0;
        }
        let schedule = &self.schedule;
        let near = match schedule.exercised_any_time(option_type == OptionType::Call) && exercise > 0.0 {
            true => {
                let deviations = ln(strike / schedule.spot).abs() / (sigma * schedule.expiry.sqrt());
                ((deviations - IN_THE_MONEY.0) / (IN_THE_MONEY.1 - IN_THE_MONEY.0)).clamp(0.0, 1.0)
            }
            false => 0.0,
        };
        let apart = (coarse.american - rough.american).abs();
        if near >= 1.0 || apart <= PRICES_APART_MIN * strike {
            return near;
        }
        let map = NearIdentity::new(self, option_type, strike, coarse.american);
        let deviation = map.deviation(coarse.american);
        // In the money the scale's slope has what interest is worth in it; the European vega has not.
        let european = black::vega(self.forward(), strike, schedule.expiry, sigma, schedule.discount_factor);
        let vega = (map.slope(deviation) * deviation / sigma).min(european);
        let share = near.max((apart / vega - LEVELS_APART.0) / (LEVELS_APART.1 - LEVELS_APART.0));
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
        strikes: &[f64; PAIR],
        sigmas: &[f64; PAIR],
    ) -> Option<[f64; PAIR]> {
        let largest = sigmas.iter().copied().fold(0.0, f64::max);
        let class = class(largest * self.schedule.expiry.sqrt());
        let [fine, coarse] = [Level::Fine, Level::Coarse].map(|level| {
            let plan = self.plan(level, class);
            sweep::<PAIR>(&self.schedule, &plan, option_type, strikes, sigmas, false)
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
                let solve = |kind: OptionType, strikes: &[f64; PAIR], sigmas: &[f64; PAIR]| {
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
