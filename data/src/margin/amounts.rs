//! Amounts of money at the ten valuation points, in millionths of the currency.

use closemark_pricing::risk::POINTS;

/// Gains (losses negative) at the points.
pub(crate) type Gains = [i128; POINTS];

/// Adds `other` to `sum`, point by point.
pub(crate) fn add(sum: &mut Gains, other: &Gains) {
    for (sum, gain) in sum.iter_mut().zip(other) {
        *sum = sum.saturating_add(*gain);
    }
}

/// The point with the largest loss (the first of equals) and that loss; `None` where no point loses.
pub(crate) fn worst(gains: &Gains) -> Option<(usize, i128)> {
    let (place, least) = gains.iter().enumerate().min_by_key(|(place, gain)| (**gain, *place))?;
    (*least < 0).then_some((place, -*least))
}

#[cfg(test)]
mod tests {
    use super::worst;

    #[test]
    fn the_first_of_the_largest_losses_counts() {
        assert_eq!(worst(&[1, -5, 0, -5, 2, 0, 0, 0, 0, 0]), Some((1, 5)));
        assert_eq!(worst(&[0; 10]), None);
    }
}
