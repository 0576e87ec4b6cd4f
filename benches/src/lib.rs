//! What the reports share: figures over a closed day, counted the same way everywhere.

pub mod chains;
pub mod figures;
pub mod truth;
