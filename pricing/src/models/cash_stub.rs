//! Until the cash-dividend model is merged: the fallback's prices.
use crate::mark::Greeks;
use crate::models::{Implied, ModelInput, fallback, not_converged};
use crate::vocabulary::{OptionType, PricingMethod};
#[derive(Clone, Debug)]
pub(super) struct CashDividendModel(ModelInput);
impl CashDividendModel {
    pub(super) fn new(input: &ModelInput) -> Self {
        Self(input.clone())
    }
    pub(super) fn price(&self, t: OptionType, k: f64, s: f64) -> Option<f64> {
        Some(fallback::price(&self.0, t, k, s)?.american)
    }
    pub(super) fn european_price(&self, t: OptionType, k: f64, s: f64) -> Option<f64> {
        Some(fallback::price(&self.0, t, k, s)?.european)
    }
    pub(super) fn implied_volatility(&self, _: OptionType, _: f64, _: f64, _: f64) -> Implied {
        not_converged(PricingMethod::Fallback)
    }
    pub(super) fn black_from_model(&self, _: f64, s: f64) -> Option<f64> {
        Some(s)
    }
    pub(super) fn model_from_black(&self, _: f64, s: f64) -> Option<f64> {
        Some(s)
    }
    pub(super) fn greeks(&self, _: OptionType, _: f64, _: f64) -> Option<Greeks> {
        None
    }
    pub(super) fn method(&self, _: OptionType) -> PricingMethod {
        PricingMethod::Fallback
    }
}
