//! Random numbers from a seed, the same on every machine.

/// Steele, Lea and Flood 2014 (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Draw(u64);

impl Draw {
    /// A stream of its own for each part of the report, so that parts do not depend on one another.
    pub fn new(seed: u64, part: &str) -> Self {
        let mut state = seed ^ 0x6a09_e667_f3bc_c908;
        for byte in part.bytes() {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Self(state)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform between `low` and `high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        let unit = ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        low + (high - low) * unit
    }

    /// Uniform in the logarithm.
    pub fn log_between(&mut self, low: f64, high: f64) -> f64 {
        libm::exp(self.between(libm::log(low), libm::log(high)))
    }

    /// A whole number, both ends included.
    pub fn whole(&mut self, low: u32, high: u32) -> u32 {
        low + (self.next() % u64::from(high - low + 1)) as u32
    }

    /// True in half of the draws.
    pub fn coin(&mut self) -> bool {
        self.next() >> 63 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::Draw;

    #[test]
    fn a_part_draws_its_own_numbers_and_the_same_ones_again() {
        let numbers = |seed, part: &str| {
            let mut draw = Draw::new(seed, part);
            (0..2000).map(|_| draw.between(-1.0, 3.0)).collect::<Vec<_>>()
        };
        let one = numbers(1, "a");
        assert_eq!(one, numbers(1, "a"));
        assert_ne!(one, numbers(1, "b"));
        assert_ne!(one, numbers(2, "a"));
        assert!(one.iter().all(|x| (-1.0..3.0).contains(x)));
        let mean = one.iter().sum::<f64>() / 2000.0;
        assert!((mean - 1.0).abs() < 0.1, "{mean}");
    }
}
