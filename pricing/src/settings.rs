//! Every number that a person may choose, with its default and its domain.

/// All settings of the method. Each published byte depends on these and on the inputs alone.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Settings {
    /// Best bid and offer.
    pub nbbo: NbboSettings,
    /// Forward and borrow.
    pub parity: ParitySettings,
    /// Smoothing.
    pub smoothing: SmoothingSettings,
    /// Projection and integers.
    pub publish: PublishSettings,
    /// What decides PRELIMINARY or FINAL.
    pub gates: GateSettings,
    /// Risk arrays.
    pub risk: RiskSettings,
}

/// Settings of the best bid and offer.
#[derive(Clone, Debug, PartialEq)]
pub struct NbboSettings {
    /// A quote older than this before the snapshot may be stale; seconds.
    pub stale_after_seconds: i64,
    /// Share of a slice's quoted series that must have changed since, for a quote to be stale.
    pub stale_active_share: f64,
    /// Weight of a stale quote.
    pub stale_weight: f64,
    /// The smallest half-spread a quote is given: half a tick; currency per share.
    pub half_tick: f64,
}

impl Default for NbboSettings {
    fn default() -> Self {
        Self { stale_after_seconds: 300, stale_active_share: 0.5, stale_weight: 0.25, half_tick: 0.005 }
    }
}

/// Settings of forward and borrow.
#[derive(Clone, Debug, PartialEq)]
pub struct ParitySettings {
    /// Pairs within this many standard deviations of the money estimate the forward.
    pub money_deviations: f64,
    /// Rounds of de-Americanising and re-estimating.
    pub rounds_max: u32,
    /// Largest borrow or carry rate believed, per year, either sign.
    pub borrow_max: f64,
}

impl Default for ParitySettings {
    fn default() -> Self {
        Self { money_deviations: 0.5, rounds_max: 6, borrow_max: 2.0 }
    }
}

/// Settings of smoothing, METHOD's defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct SmoothingSettings {
    /// Rounds of fit, detect, reweight, refit.
    pub rounds_max: u32,
    /// Robust rounds inside tier 1.
    pub robust_rounds: u32,
    /// Trial values of lambda.
    pub lambda_trials: u32,
    /// Generalised cross-validation's cost of a degree of freedom.
    pub gcv_gamma: f64,
    /// Percentile at which weights are capped.
    pub weight_cap_percentile: f64,
    /// Residuals above this many robust scales lose weight.
    pub huber_scales: f64,
    /// Quotes whose studentised residual is above this many robust scales, and which miss by `reject_half_spreads` when they
    /// are left out, are rejected.
    pub reject_scales: f64,
    /// A quote is rejected only where a fit without it misses it by more than this many half-spreads.
    pub reject_half_spreads: f64,
    /// Weight of the in-the-money side against the out-of-the-money side.
    pub in_the_money_weight: f64,
    /// American in-the-money quotes beyond this |delta| have no weight.
    pub american_delta_max: f64,
    /// Accepted quotes from which a slice has its own spline.
    pub spline_quotes_min: u32,
    /// Accepted quotes from which a slice has its own linear prior.
    pub prior_quotes_min: u32,
    /// Largest slope of total variance in log-moneyness in the wings, as a share of Lee's bound 2.
    pub lee_share: f64,
    /// Gradual cap: how far beyond the edge volatility the wings may go.
    pub cap_rise: f64,
    /// Hard lower limit of volatility.
    pub volatility_min: f64,
    /// Hard upper limit of volatility.
    pub volatility_max: f64,
    /// Beyond this |delta| an in-the-money series is priced from its twin, and its quote has no weight.
    pub deep_delta: f64,
    /// Density floor of tier 2, as a share of the lognormal density at the money volatility.
    pub density_floor: f64,
    /// Interior-point steps of tier 2.
    pub program_iterations_max: u32,
    /// Outer iteration stops when no mark moves by more than this; currency per share.
    pub mark_tolerance: f64,
}

impl Default for SmoothingSettings {
    fn default() -> Self {
        Self {
            rounds_max: 8,
            robust_rounds: 3,
            lambda_trials: 13,
            gcv_gamma: 1.2,
            weight_cap_percentile: 0.98,
            huber_scales: 2.0,
            reject_scales: 3.0,
            reject_half_spreads: 3.0,
            in_the_money_weight: 0.1,
            american_delta_max: 0.85,
            spline_quotes_min: 8,
            prior_quotes_min: 4,
            lee_share: 0.95,
            cap_rise: 0.5,
            volatility_min: 0.001,
            volatility_max: 5.0,
            deep_delta: 0.98,
            density_floor: 1e-3,
            program_iterations_max: 60,
            mark_tolerance: 1e-6,
        }
    }
}

/// Settings of projection and exact publication.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishSettings {
    /// Sweeps of the real-valued projection.
    pub projection_sweeps_max: u32,
    /// Violations below this are left to the integers; currency per share.
    pub projection_tolerance: f64,
    /// A move of exact publication above this is an error of an earlier stage; currency per share.
    pub move_alarm: f64,
    /// Edits beyond this many half-spreads are listed in `exceptions`.
    pub edit_exception_half_spreads: f64,
}

impl Default for PublishSettings {
    fn default() -> Self {
        Self {
            projection_sweeps_max: 2000,
            projection_tolerance: 2e-7,
            move_alarm: 0.0005,
            edit_exception_half_spreads: 1.0,
        }
    }
}

/// Limits of the gates; a close outside any of them is PRELIMINARY.
#[derive(Clone, Debug, PartialEq)]
pub struct GateSettings {
    /// Least share of listed (or expected) series with a mark.
    pub coverage_min: f64,
    /// Largest share of input rows dropped.
    pub dropped_rows_max: f64,
    /// Largest share of slices that did not converge.
    pub non_converged_max: f64,
    /// Least share of two-sided out-of-the-money quotes that contain their mark.
    pub inside_min: f64,
    /// Largest share of slices whose at-the-money volatility moved by more than half since the previous close.
    pub jump_share_max: f64,
}

impl Default for GateSettings {
    fn default() -> Self {
        Self {
            coverage_min: 0.95,
            dropped_rows_max: 0.02,
            non_converged_max: 0.01,
            inside_min: 0.90,
            jump_share_max: 0.05,
        }
    }
}

/// Settings of the risk arrays. Ranges are shares of the underlying's price.
///
/// # Source
/// 17 CFR 240.15c3-1a(b)(1)(i) and FINRA Rule 4210(g)(2), (7).
#[derive(Clone, Debug, PartialEq)]
pub struct RiskSettings {
    /// Whether a close has them.
    pub arrays: bool,
    /// Single stocks and funds, either way.
    pub equity_range: f64,
    /// Narrow-based indices, either way.
    pub narrow_index_range: f64,
    /// Broad-based indices that are not of high capitalisation, either way.
    pub broad_index_range: f64,
    /// High-capitalisation broad-based indices, down.
    pub high_cap_index_down: f64,
    /// High-capitalisation broad-based indices, up.
    pub high_cap_index_up: f64,
    /// Leveraged and inverse funds, either way, per unit of their factor's size.
    pub leveraged_fund_range: f64,
    /// Least charge per contract and unit of its multiplier; currency.
    pub minimum_charge: f64,
}

impl Default for RiskSettings {
    fn default() -> Self {
        Self {
            arrays: true,
            equity_range: 0.15,
            narrow_index_range: 0.15,
            broad_index_range: 0.10,
            high_cap_index_down: 0.08,
            high_cap_index_up: 0.06,
            leveraged_fund_range: 0.15,
            minimum_charge: 0.375,
        }
    }
}
