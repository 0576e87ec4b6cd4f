//! Elementary functions and rules of quadrature whose bits do not depend on the host.
//!
//! Only the four operations, `sqrt` and bit patterns are used, all of which IEEE 754 fixes; there is no fused
//! multiply-add. The functions are branch-light so that loops over slices vectorise.

mod chebyshev;
mod exponential;
mod gauss_legendre;
mod logarithm;
mod normal;

pub use chebyshev::{chebyshev_coefficients, chebyshev_nodes, chebyshev_value};
pub use exponential::exp;
pub(crate) use exponential::{ExpTable, exp_normal, exp_short};
pub use gauss_legendre::{GaussLegendre, gauss_legendre};
pub use logarithm::ln;
pub(crate) use logarithm::{LnTable, ln_normal};
pub use normal::{inverse_normal_cdf, mills_ratio, normal_cdf, normal_pdf};
pub(crate) use normal::{
    mills_fraction, mills_fractions, normal_cdf_each, normal_cdf_quick, normal_cdf_short, normal_cdf_short_each,
    normal_each, normal_pdf_normal, normal_short_each,
};

/// `1 / sqrt(2 pi)`.
pub const INV_SQRT_2PI: f64 = 0.398_942_280_401_432_7;
