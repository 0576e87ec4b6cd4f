//! What was measured on real chains and what the generator therefore imitates.
//!
//! The figures are quantiles and shares over 334 US names (290,037 series, one close of August 2026) and, for index
//! classes, over one European index chain; no row of a vendor's data is among them. Tiers rank names by option volume.

mod spreads;
mod zero_bids;

use super::random::Random;

/// How liquid a name's options are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// The few dozen most traded names.
    A,
    /// Widely traded names.
    B,
    /// Occasionally traded names.
    C,
    /// The long tail.
    D,
    /// Cash-settled index classes.
    Index,
}

/// Log-normal spread of one measured quantity over names, cut at measured extremes.
struct Spread {
    log_mean: f64,
    log_deviation: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn draw(&self, random: &mut Random) -> f64 {
        libm::exp(self.log_mean + self.log_deviation * random.normal()).clamp(self.least, self.most)
    }
}

impl Tier {
    /// The published letter (`I` for index classes).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
            Self::Index => "I",
        }
    }

    fn spread_row(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
            Self::C => 2,
            Self::D => 3,
            Self::Index => 4,
        }
    }

    /// Listed series of one name.
    pub fn draw_series(self, random: &mut Random) -> f64 {
        let (log_mean, log_deviation, least, most) = match self {
            Self::A => (7.87, 0.64, 886.0, 8_400.0),
            Self::B => (7.19, 0.71, 464.0, 7_000.0),
            Self::C => (6.50, 0.66, 144.0, 3_900.0),
            Self::D => (4.79, 1.17, 12.0, 1_270.0),
            Self::Index => (9.7, 0.3, 5_000.0, 26_000.0),
        };
        Spread { log_mean, log_deviation, least, most }.draw(random)
    }

    /// Listed expirations of one name with `series` listed series; names with more series have more expirations.
    pub fn draw_expirations(self, random: &mut Random, series: f64) -> usize {
        let (median, deviation, least, most, elasticity, typical) = match self {
            Self::A => (19.0, 0.10, 15.0, 21.0, 0.10, 2_900.0),
            Self::B => (15.0, 0.12, 11.0, 19.0, 0.12, 1_260.0),
            Self::C => (12.5, 0.20, 6.0, 17.0, 0.20, 667.0),
            Self::D => (4.4, 0.25, 3.0, 14.0, 0.35, 123.0),
            Self::Index => (40.0, 0.10, 16.0, 56.0, 0.20, 16_000.0),
        };
        let centre = median * libm::pow(series / typical, elasticity);
        (centre * libm::exp(deviation * random.normal())).clamp(least, most) as usize
    }

    /// Venues that quote a series of the tier, of the 18 that list it.
    pub fn draw_venue_count(self, random: &mut Random) -> usize {
        let (least, most) = match self {
            Self::A => (16, 18),
            Self::B => (14, 18),
            Self::C => (13, 17),
            Self::D => (12, 17),
            Self::Index => (1, 4),
        };
        least + random.below(most - least + 1)
    }

    /// Mean age of a venue's last quote at the snapshot, seconds.
    pub fn mean_quote_age(self) -> f64 {
        match self {
            Self::A => 4.0,
            Self::B => 12.0,
            Self::C => 30.0,
            Self::D => 70.0,
            Self::Index => 3.0,
        }
    }

    /// The spread that a fraction `level` of the tier's series of this mid do not exceed, in currency units.
    pub fn spread_quantile(self, mid: f64, level: f64) -> f64 {
        let bucket = spreads::MID_BOUNDS.iter().take_while(|&&bound| mid > bound).count();
        let Some(row) = spreads::SPREADS.get(self.spread_row()).and_then(|rows| rows.get(bucket)) else {
            return 0.0;
        };
        interpolate(&spreads::LEVELS, row, level)
    }

    /// Share of the tier's series without a bid at moneyness `K/S - 1`; index classes are left to their prices.
    pub fn zero_bid_share(self, call: bool, moneyness: f64, days: f64) -> f64 {
        let column = zero_bids::DAY_BOUNDS.iter().take_while(|&&bound| days > bound).count();
        let row = zero_bids::MONEYNESS_BOUNDS.iter().take_while(|&&bound| moneyness > bound).count();
        zero_bids::ZERO_BIDS
            .get(self.spread_row())
            .and_then(|types| types.get(usize::from(!call)))
            .and_then(|rows| rows.get(row))
            .and_then(|columns| columns.get(column))
            .map_or(0.0, |&thousandths| f64::from(thousandths) / 1_000.0)
    }
}

/// Share of a name's strikes that one expiration lists, relative to an even share, by days to expiry.
pub fn strikes_weight(days: i32) -> f64 {
    match days {
        ..=8 => 1.15,
        9..=31 => 1.0,
        32..=62 => 0.7,
        63..=250 => 1.15,
        _ => 1.1,
    }
}

/// The listed strikes as fractions of the spot for a name of 40 % volatility: lowest and highest.
pub fn strike_range(tier: Tier, days: i32) -> (f64, f64) {
    match (tier, days) {
        (Tier::A, ..=31) => (0.45, 1.5),
        (Tier::A, 32..=62) => (0.5, 1.55),
        (Tier::A, _) => (0.14, 2.1),
        (Tier::B, ..=31) => (0.5, 1.42),
        (Tier::B, 32..=62) => (0.57, 1.33),
        (Tier::B, _) => (0.36, 1.7),
        (Tier::C, ..=31) => (0.54, 1.32),
        (Tier::C, 32..=62) => (0.68, 1.26),
        (Tier::C, _) => (0.41, 1.6),
        (Tier::D, ..=62) => (0.58, 1.27),
        (Tier::D, _) => (0.47, 1.48),
        // Index strikes reach far down: the buyers of crash protection want them.
        (Tier::Index, ..=31) => (0.6, 1.25),
        (Tier::Index, _) => (0.2, 1.8),
    }
}

/// The usual gap between strikes, in currency units.
pub fn strike_step(spot: f64, days: i32) -> f64 {
    let near = days <= 31;
    match spot {
        s if s <= 25.0 => 0.5,
        s if s <= 50.0 && near => 0.5,
        s if s <= 100.0 && near => 1.0,
        s if s <= 50.0 => 1.0,
        s if s <= 100.0 => 2.5,
        s if s <= 200.0 && near => 2.5,
        s if s <= 300.0 => 5.0,
        s if s <= 500.0 && near => 5.0,
        s if s <= 1_000.0 => 10.0,
        s if s <= 3_000.0 => 20.0,
        _ if near => 5.0,
        _ => 25.0,
    }
}

/// A name's spot.
pub fn draw_spot(tier: Tier, random: &mut Random) -> f64 {
    let (log_mean, log_deviation) = match tier {
        Tier::A => (5.4, 0.8),
        Tier::B => (4.99, 1.1),
        Tier::C => (4.83, 1.0),
        Tier::D | Tier::Index => (4.4, 1.05),
    };
    Spread { log_mean, log_deviation, least: 4.0, most: 2_000.0 }.draw(random)
}

/// A name's at-the-money volatility at one to two months, from measured quantiles.
pub fn draw_volatility(random: &mut Random) -> f64 {
    const LEVELS: [f64; 7] = [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0];
    const VOLATILITIES: [f64; 7] = [0.122, 0.178, 0.280, 0.379, 0.524, 0.700, 1.339];
    interpolate(&LEVELS, &VOLATILITIES, random.uniform())
}

/// Linear between nodes, constant outside.
fn interpolate(levels: &[f64], values: &[f64], level: f64) -> f64 {
    let mut before: Option<(f64, f64)> = None;
    for (&x, &y) in levels.iter().zip(values) {
        if level <= x {
            return match before {
                Some((x0, y0)) => y0 + (y - y0) * ((level - x0) / (x - x0)),
                None => y,
            };
        }
        before = Some((x, y));
    }
    before.map_or(0.0, |(_, y)| y)
}

#[cfg(test)]
mod tests {
    use super::{Random, Tier, draw_volatility, interpolate};

    #[test]
    fn look_ups_hit_the_measured_cells() {
        assert_eq!(Tier::A.spread_quantile(3.0, 0.5), 0.5);
        assert_eq!(Tier::D.spread_quantile(15.0, 0.5), 3.5);
        assert_eq!(Tier::B.spread_quantile(0.3, 0.99), 0.92);
        assert_eq!(Tier::A.zero_bid_share(true, 0.05, 5.0), 0.142);
        assert_eq!(Tier::C.zero_bid_share(false, -0.3, 20.0), 0.799);
        assert_eq!(Tier::Index.zero_bid_share(false, -0.3, 20.0), 0.0);
    }

    #[test]
    fn interpolation_is_linear_inside_and_flat_outside() {
        assert_eq!(interpolate(&[0.0, 1.0], &[2.0, 4.0], 0.25), 2.5);
        assert_eq!(interpolate(&[0.0, 1.0], &[2.0, 4.0], -1.0), 2.0);
        assert_eq!(interpolate(&[0.0, 1.0], &[2.0, 4.0], 9.0), 4.0);
    }

    #[test]
    fn volatilities_have_the_measured_median() {
        let mut r = Random::new(5, 5);
        let mut all: Vec<f64> = (0..9_999).map(|_| draw_volatility(&mut r)).collect();
        all.sort_by(f64::total_cmp);
        assert!((all[4_999] - 0.379).abs() < 0.01);
    }
}
