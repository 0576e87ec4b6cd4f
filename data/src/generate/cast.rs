//! Who is in the day: each name's profile, drawn from the seed and the name's number alone.

use closemark_pricing::series::Date;
use closemark_pricing::vocabulary::MarginGroup;

use super::calibration::{self, Tier};
use super::listing::Program;
use super::random::Random;
use super::surface::{Event, Scenario, TrueSurface};

/// What befalls a whole name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Nothing.
    Ordinary,
    /// Its print is an after-hours price.
    AfterHours,
    /// Trading was halted before the close.
    Halted,
    /// Its row is missing from `underlyings.csv`.
    NoPrice,
    /// A second root delivers 100 shares and cash.
    AdjustedCash,
    /// A second root delivers 10 shares.
    AdjustedShares,
}

/// The tick sizes of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ticks {
    /// A cent at every price.
    AllPenny,
    /// A cent below 3, else five.
    Penny,
    /// Five cents below 3, else ten.
    Nickel,
}

/// A cash dividend to come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dividend {
    /// First day without it.
    pub ex_date: Date,
    /// Cash per share.
    pub amount: f64,
    /// Declared, or projected.
    pub declared: bool,
}

/// One option class of a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Class {
    /// Option root.
    pub root: String,
    /// Which expirations.
    pub program: Program,
    /// How many expirations.
    pub expirations: usize,
    /// How many series.
    pub series: f64,
}

/// Everything about one name that its options' truth and quotes follow from.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The underlying's symbol.
    pub symbol: String,
    /// Liquidity.
    pub tier: Tier,
    /// What befalls it.
    pub role: Role,
    /// European and cash-settled.
    pub index: bool,
    /// Portfolio-margin group.
    pub margin_group: MarginGroup,
    /// A leveraged fund's factor.
    pub leverage: f64,
    /// The true price of the underlying at the snapshot.
    pub spot: f64,
    /// Borrow rate (names) or dividend yield (indices).
    pub borrow: f64,
    /// Cash dividends over three years; empty for those that pay nothing and for indices.
    pub dividends: Vec<Dividend>,
    /// At-the-money volatility, announcements aside.
    pub volatility: f64,
    /// The true law.
    pub surface: TrueSurface,
    /// Tick sizes.
    pub ticks: Ticks,
    /// Whether it also lists series that expire today, where today is such a day.
    pub expiring: bool,
    /// Option classes.
    pub classes: Vec<Class>,
}

/// How large the day is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// The bundled sample: every feature, few series.
    Sample,
    /// As many series as the measured names have.
    Full,
    /// The mix of the whole US market.
    Universe,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Stock,
    Fund,
    Leveraged(f64),
    Index { am: Option<&'static str>, pm: Option<&'static str>, spot: f64, group: MarginGroup, series: f64 },
}

#[derive(Clone, Copy)]
struct Part {
    name: Option<&'static str>,
    kind: Kind,
    tier: Tier,
    role: Role,
    shape: Shape,
    pays: Option<bool>,
    hard_to_borrow: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Skew,
    Tails,
    Announcement,
    Any,
}

const fn part(tier: Tier, role: Role, shape: Shape, pays: Option<bool>) -> Part {
    Part { name: None, kind: Kind::Stock, tier, role, shape, pays, hard_to_borrow: false }
}

const fn index(
    name: &'static str,
    (am, pm): (Option<&'static str>, Option<&'static str>),
    spot: f64,
    group: MarginGroup,
    series: f64,
) -> Part {
    let kind = Kind::Index { am, pm, spot, group, series };
    Part { name: Some(name), kind, ..part(Tier::Index, Role::Ordinary, Shape::Skew, Some(false)) }
}

/// The first names of every day, so that a small day already has one of each feature.
const LEADERS: [Part; 18] = [
    index("SPX", (Some("SPX"), Some("SPXW")), 6_642.17, MarginGroup::HighCapIndex, 25_000.0),
    part(Tier::A, Role::Ordinary, Shape::Announcement, Some(false)),
    part(Tier::B, Role::Ordinary, Shape::Skew, Some(true)),
    Part { hard_to_borrow: true, ..part(Tier::C, Role::Ordinary, Shape::Tails, Some(false)) },
    Part { kind: Kind::Fund, ..part(Tier::A, Role::Ordinary, Shape::Skew, Some(true)) },
    part(Tier::D, Role::AdjustedCash, Shape::Any, Some(false)),
    part(Tier::B, Role::AfterHours, Shape::Any, Some(false)),
    part(Tier::D, Role::Halted, Shape::Tails, Some(false)),
    index("XSP", (None, Some("XSP")), 664.22, MarginGroup::HighCapIndex, 20_000.0),
    part(Tier::D, Role::NoPrice, Shape::Any, Some(false)),
    Part { kind: Kind::Leveraged(3.0), ..part(Tier::C, Role::Ordinary, Shape::Skew, Some(false)) },
    part(Tier::C, Role::Ordinary, Shape::Announcement, Some(true)),
    part(Tier::D, Role::AdjustedShares, Shape::Any, Some(true)),
    Part { kind: Kind::Leveraged(-1.0), ..part(Tier::D, Role::Ordinary, Shape::Skew, Some(false)) },
    index("RUT", (Some("RUT"), Some("RUTW")), 2_418.83, MarginGroup::BroadIndex, 18_000.0),
    Part { hard_to_borrow: true, ..part(Tier::B, Role::Ordinary, Shape::Announcement, Some(false)) },
    index("NDX", (Some("NDX"), Some("NDXP")), 24_512.60, MarginGroup::HighCapIndex, 22_000.0),
    index("MRUT", (None, Some("MRUT")), 241.88, MarginGroup::BroadIndex, 15_000.0),
];

/// Whether name number `place` is an index.
pub fn is_index(place: usize, size: Size) -> bool {
    let small_indices = size == Size::Sample && place >= 14;
    !small_indices && LEADERS.get(place).is_some_and(|part| matches!(part.kind, Kind::Index { .. }))
}

/// The profile of name number `place`.
pub fn profile(seed: u64, place: usize, size: Size, market_date: Date) -> Profile {
    let mut random = Random::new(seed, place as u64);
    let random = &mut random;
    let part = match LEADERS.get(place) {
        Some(part) if !matches!(part.kind, Kind::Index { .. }) || is_index(place, size) => *part,
        _ => draw_part(random, size),
    };
    let tier = part.tier;
    let (spot, volatility) = match part.kind {
        Kind::Index { spot, .. } => (spot, random.between(0.13, 0.19)),
        Kind::Fund => (calibration::draw_spot(tier, random), random.between(0.14, 0.3)),
        Kind::Leveraged(factor) => (calibration::draw_spot(tier, random).min(150.0), 0.17 * factor.abs()),
        Kind::Stock => (calibration::draw_spot(tier, random), calibration::draw_volatility(random)),
    };
    let spot = libm::round(spot * 100.0) / 100.0;
    let surface = draw_surface(random, part, volatility);
    let pays = part.pays.unwrap_or_else(|| random.chance(if part.kind == Kind::Fund { 0.9 } else { 0.45 }));
    let dividends = if pays { draw_dividends(random, spot, market_date) } else { Vec::new() };
    let borrow = match part.kind {
        Kind::Index { .. } => random.between(0.011, 0.015),
        _ if part.hard_to_borrow => random.between(0.08, 0.45),
        _ => random.between(0.0, 0.005),
    };
    let classes = draw_classes(random, part, size, place);
    Profile {
        symbol: part.name.map_or_else(|| symbol(place), str::to_owned),
        tier,
        role: part.role,
        index: matches!(part.kind, Kind::Index { .. }),
        margin_group: match part.kind {
            Kind::Index { group, .. } => group,
            Kind::Leveraged(_) => MarginGroup::LeveragedFund,
            _ => MarginGroup::Equity,
        },
        leverage: if let Kind::Leveraged(factor) = part.kind { factor } else { 1.0 },
        spot,
        borrow,
        dividends,
        volatility,
        surface,
        ticks: match (part.kind, tier) {
            (Kind::Fund, Tier::A) => Ticks::AllPenny,
            (Kind::Index { spot, .. }, _) if spot < 1_000.0 => Ticks::Penny,
            (_, Tier::A | Tier::B) => Ticks::Penny,
            (_, Tier::C) if random.chance(0.6) => Ticks::Penny,
            _ => Ticks::Nickel,
        },
        expiring: part.role == Role::Ordinary && (place < 5 || random.chance(0.25)),
        classes,
    }
}

fn draw_part(random: &mut Random, size: Size) -> Part {
    let weights = match size {
        Size::Universe => [0.004, 0.013, 0.05, 0.933],
        Size::Full => [0.05, 0.15, 0.3, 0.5],
        Size::Sample => [0.03, 0.12, 0.3, 0.55],
    };
    let tier = [Tier::A, Tier::B, Tier::C, Tier::D].get(random.weighted(&weights)).copied().unwrap_or(Tier::D);
    let shape = [Shape::Skew, Shape::Announcement, Shape::Tails]
        .get(random.weighted(&[0.5, 0.3, 0.2]))
        .copied()
        .unwrap_or(Shape::Skew);
    let kind = match random.uniform() {
        u if u < 0.15 => Kind::Fund,
        u if u < 0.18 => Kind::Leveraged([2.0, 3.0, -1.0, -2.0].get(random.below(4)).copied().unwrap_or(2.0)),
        _ => Kind::Stock,
    };
    let role = match random.uniform() {
        u if u < 0.01 => Role::AfterHours,
        u if u < 0.013 => Role::Halted,
        u if u < 0.015 => Role::NoPrice,
        u if u < 0.02 => Role::AdjustedCash,
        u if u < 0.025 => Role::AdjustedShares,
        _ => Role::Ordinary,
    };
    let shape = if kind == Kind::Stock { shape } else { Shape::Skew };
    let hard_to_borrow = kind == Kind::Stock && random.chance(0.04);
    // A name that is expensive to borrow hardly ever pays.
    Part { kind, hard_to_borrow, ..part(tier, role, shape, hard_to_borrow.then_some(false)) }
}

fn draw_surface(random: &mut Random, part: Part, volatility: f64) -> TrueSurface {
    let (jump_rate, jump_mean, jump_deviation, loud) = match part.shape {
        Shape::Tails => (2.5, random.between(-0.03, 0.06), random.between(0.12, 0.2), 1.7),
        _ if part.tier == Tier::Index => (1.2, random.between(-0.11, -0.08), 0.07, 1.6),
        _ => (1.0, random.between(-0.1, -0.05), random.between(0.1, 0.14), 1.6),
    };
    let mirrored = matches!(part.kind, Kind::Leveraged(factor) if factor < 0.0);
    let jump_mean = if mirrored { -jump_mean } else { jump_mean };
    let now = if part.shape == Shape::Tails { 0.28 } else { 0.3 };
    let slope = libm::exp(random.between(-0.15, 0.25));
    let calm = Scenario {
        weight: 0.45,
        volatility_now: 0.75 * now,
        volatility_long: 0.75 * now * slope,
        speed: random.between(1.0, 4.0),
        jump_rate,
        jump_mean: 0.6 * jump_mean,
        jump_deviation: 0.7 * jump_deviation,
    };
    let usual =
        Scenario { weight: 0.4, volatility_now: now, volatility_long: now * slope, jump_mean, jump_deviation, ..calm };
    let wild = Scenario {
        weight: 0.15,
        volatility_now: loud * now,
        volatility_long: loud * now * slope,
        jump_mean: 1.3 * jump_mean,
        jump_deviation: 1.2 * jump_deviation,
        ..calm
    };
    let quiet = TrueSurface { scenarios: vec![calm, usual, wild], event: None, later_events: None };
    let calibrated = quiet.calibrated(40.0 / 365.0, volatility);
    if part.shape != Shape::Announcement {
        return calibrated;
    }
    // A move of two to three daily moves of the name, up or down, on a morning within six weeks.
    let move_size = volatility / libm::sqrt(252.0) * random.between(2.2, 3.6);
    let up_weight = random.between(0.42, 0.58);
    let time = (random.below(30) as f64 + 2.0 + 17.0 / 24.0) / 365.0;
    let event =
        Event { time, up_weight, up_mean: 1.0 + move_size * (1.0 - up_weight) * 2.0, deviation: 0.3 * move_size };
    TrueSurface { event: Some(event), later_events: Some((move_size * move_size, 91.0 / 365.0)), ..calibrated }
}

fn draw_dividends(random: &mut Random, spot: f64, market_date: Date) -> Vec<Dividend> {
    let annual_yield = random.between(0.006, 0.045);
    let (gap, per_year) = if random.chance(0.85) { (91, 4.0) } else { (182, 2.0) };
    let amount = (libm::round(100.0 * spot * annual_yield / per_year) / 100.0).max(0.01);
    let first = 3 + random.below(usize::try_from(gap).unwrap_or(91) - 3) as i32;
    (0..14)
        .map(|i| Dividend {
            ex_date: Date(market_date.0 + first + gap * i),
            // Boards raise by a cent or two a year.
            amount: libm::round(100.0 * amount * (1.0 + 0.03 * f64::from(i) / per_year)) / 100.0,
            declared: i == 0,
        })
        .take_while(|d| d.ex_date.0 - market_date.0 <= 1_160)
        .collect()
}

fn draw_classes(random: &mut Random, part: Part, size: Size, place: usize) -> Vec<Class> {
    let tier = part.tier;
    if let Kind::Index { am, pm, series, .. } = part.kind {
        let (series, am_count, pm_count) = match size {
            Size::Sample => (if place == 0 { 1_700.0 } else { 700.0 }, 6, 9),
            Size::Full => (0.2 * series, 12, 24),
            Size::Universe => (series, 16, 44),
        };
        let class = |root: &str, program, expirations, share: f64| Class {
            root: root.to_owned(),
            program,
            expirations,
            series: share * series,
        };
        let mut classes = Vec::new();
        classes.extend(am.map(|root| class(root, Program::IndexAm, am_count, 0.4)));
        classes.extend(pm.map(|root| class(root, Program::IndexPm, pm_count, if am.is_some() { 0.6 } else { 1.0 })));
        return classes;
    }
    let mut series = tier.draw_series(random);
    let mut expirations = tier.draw_expirations(random, series);
    if size == Size::Sample {
        let (most, most_expirations) = match tier {
            Tier::A => (760.0, 9),
            Tier::B => (480.0, 8),
            Tier::C => (280.0, 6),
            _ => (130.0, 4),
        };
        series = series.min(most).max(70.0);
        expirations = expirations.min(most_expirations);
    }
    let program = match tier {
        Tier::A => Program::Daily,
        Tier::B => Program::Weekly,
        Tier::C if random.chance(0.7) => Program::Weekly,
        Tier::D if expirations > 6 => Program::Weekly,
        _ => Program::Monthly,
    };
    vec![Class { root: part.name.map_or_else(|| symbol(place), str::to_owned), program, expirations, series }]
}

/// A made-up ticker of four letters, different for each of the first 10,000 places.
fn symbol(place: usize) -> String {
    const CONSONANTS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
    const VOWELS: &[u8; 5] = b"AEIOU";
    // 7,919 is prime to 10,000, so the walk meets every combination once.
    let mut code = place.wrapping_mul(7_919).wrapping_add(4_321) % 10_000;
    let mut text = String::with_capacity(4);
    for letters in [CONSONANTS.as_slice(), VOWELS, CONSONANTS, VOWELS] {
        if let Some(&letter) = letters.get(code % letters.len()) {
            text.push(char::from(letter));
        }
        code /= letters.len();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{LEADERS, Role, Size, profile, symbol};
    use closemark_pricing::series::Date;
    use std::collections::BTreeSet;

    #[test]
    fn tickers_are_unique_and_profiles_repeat() {
        let all: BTreeSet<String> = (0..10_000).map(symbol).collect();
        assert_eq!(all.len(), 10_000);
        let date = Date(20_777);
        for place in 0..LEADERS.len() {
            let one = profile(1, place, Size::Sample, date);
            assert_eq!(one, profile(1, place, Size::Sample, date));
            assert!(one.spot > 1.0 && one.volatility > 0.1);
            if place > 0 {
                assert_ne!(one.spot, profile(2, place + 20, Size::Sample, date).spot);
            }
        }
    }

    #[test]
    fn a_small_day_has_every_role() {
        let roles: Vec<Role> = (0..14).map(|i| profile(9, i, Size::Sample, Date(20_777)).role).collect();
        for role in [Role::AfterHours, Role::Halted, Role::NoPrice, Role::AdjustedCash, Role::AdjustedShares] {
            assert!(roles.contains(&role), "{role:?}");
        }
    }
}
