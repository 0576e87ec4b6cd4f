//! What is set aside before the first fit, lest it lead it.

use super::{Observation, Robust, median};
use crate::settings::SmoothingSettings;
use crate::smoothing::prior::Prior;

impl Robust {
    /// Sets aside gross outliers before the first fit: far from the running median of seven neighbours' residuals.
    pub(super) fn start(&mut self, observed: &mut [Observation], settings: &SmoothingSettings) {
        let usable = |o: &Observation| o.two_sided && !o.excluded && o.weight > 0.0 && o.leading;
        let places: Vec<usize> = (0..observed.len()).filter(|i| usable(&observed[*i])).collect();
        if places.len() < settings.spline_quotes_min as usize {
            return;
        }
        let points = || places.iter().map(|i| (observed[*i].y, observed[*i].value, 1.0));
        let Some(prior) = Prior::fit(points(), [1e-6, 1e-3]) else { return };
        let place: Vec<f64> = points().map(|(y, _, _)| y).collect();
        let residual: Vec<f64> = points().map(|(y, value, _)| value - prior.value(y)).collect();
        let mut gaps = Vec::with_capacity(places.len());
        for (j, own) in residual.iter().enumerate() {
            let low = j.saturating_sub(3).min(places.len().saturating_sub(7));
            self.to_order.clear();
            self.to_order.extend(residual.iter().skip(low).take(7));
            gaps.push((own - median(&mut self.to_order)).abs() / observed[places[j]].half_spread);
        }
        let scale = 1.4826 * median(&mut gaps.clone());
        let limit = (2.0 * settings.reject_scales * scale).max(3.0 * settings.reject_half_spreads);
        for (j, gap) in gaps.iter().enumerate() {
            let observation = &mut observed[places[j]];
            if *gap <= limit || observation.protected {
                continue;
            }
            // Far from the median because its neighbours are, or lie along a slope?
            let low = j.saturating_sub(3).min(places.len().saturating_sub(7));
            let high = (low + 7).min(places.len());
            let along = self.gap_to_line(&place[low..high], &residual[low..high], j - low);
            if along / observation.half_spread > limit {
                observation.robust_weight = 0.0;
                observation.rejected = true;
            }
        }
    }

    /// Distance of a point from the line through a window by the medians of pairwise slopes and of intercepts.
    ///
    /// # Source
    /// Theil (1950), Sen (1968).
    fn gap_to_line(&mut self, y: &[f64], residual: &[f64], own: usize) -> f64 {
        self.to_order.clear();
        for (i, (yi, ri)) in y.iter().zip(residual).enumerate() {
            for (yj, rj) in y.iter().zip(residual).skip(i + 1).filter(|(yj, _)| **yj > *yi) {
                self.to_order.push((rj - ri) / (yj - yi));
            }
        }
        let slope = median(&mut self.to_order);
        self.to_order.clear();
        self.to_order.extend(y.iter().zip(residual).map(|(y, r)| r - slope * y));
        let intercept = median(&mut self.to_order);
        match (y.get(own), residual.get(own)) {
            (Some(y), Some(r)) => (r - slope * y - intercept).abs(),
            _ => 0.0,
        }
    }
}
