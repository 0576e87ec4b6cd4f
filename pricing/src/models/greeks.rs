//! Sensitivities of European options on the implied forward.

use crate::mark::Greeks;
use crate::math::{INV_SQRT_2PI, exp, ln, normal_cdf};
use crate::models::ModelInput;
use crate::vocabulary::OptionType;

const DAYS_PER_YEAR: f64 = 365.0;

/// All five, in closed form; `None` where spot, volatility or strike is no positive number.
///
/// # Formula
/// Black 1976 with `F = S e^{c T}`, `c = ln(F/S)/T` the rate less the carry, held in every derivative but rho's, where
/// rate and `c` move together: `dF/dS = F/S`, `dF/dr = T F`, so `rho = +-T D K Phi(+-d2)`; theta is `-V_T/365` with
/// S held: `V_T = -r V + Delta S c + D F phi(d1) sigma / (2 sqrt T)`.
///
/// # Units
/// [`Greeks`]'.
///
/// # Source
/// Haug 2007, chapter 2, in spot terms.
pub(super) fn european(input: &ModelInput, option_type: OptionType, strike: f64, sigma: f64) -> Option<Greeks> {
    let ModelInput { spot, time_to_expiry: t, discount_factor: d, forward: f, .. } = *input;
    let root_t = t.sqrt();
    let stdev = sigma * root_t;
    if !(spot > 0.0 && spot.is_finite() && stdev > 0.0) {
        return None;
    }
    let carry = ln(f / spot) / t;
    let rate = -ln(d) / t;
    let d1 = ln(f / strike) / stdev + 0.5 * stdev;
    let d2 = d1 - stdev;
    let density = INV_SQRT_2PI * exp(-0.5 * d1 * d1);
    let sign = match option_type {
        OptionType::Call => 1.0,
        OptionType::Put => -1.0,
    };
    let (n1, n2) = (normal_cdf(sign * d1), normal_cdf(sign * d2));
    let value = d * sign * (f * n1 - strike * n2);
    let delta = sign * d * n1 * f / spot;
    let vega = d * f * density * root_t;
    let gamma = d * density * f / (spot * spot * stdev);
    let by_time = -rate * value + delta * spot * carry + 0.5 * d * f * density * sigma / root_t;
    let rho = sign * t * d * strike * n2;
    Some(Greeks { delta, gamma, vega, theta: -by_time / DAYS_PER_YEAR, rho })
}
