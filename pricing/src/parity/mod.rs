//! Forward, borrow and the one price of the underlying, from put-call parity.
//!
//! [`forward`] estimates one slice's forward from its pairs (with the American model in the loop), [`spot`] decides
//! which price of the underlying serves everything, [`curve`] implies the zero curve from European classes.

pub mod curve;
pub mod forward;
pub mod spot;

pub use curve::implied_curve;
pub use forward::{ForwardEstimate, Pair, SliceTerms, estimate_forward};
pub use spot::{ParityResult, SliceParity, solve_parity};
