//! The last mile: real prices made free of arbitrage in premium space, then exact integers.
//!
//! [`projection`] moves American premiums to the nearest ones that satisfy every model-free condition in real
//! numbers; [`integers`] makes every class exact: `class` turns slices into curves of points, `hull` compares
//! points, `fixpoint` lowers prices until all conditions hold, `overrides` lifts a surface around fixed marks.

mod band;
mod class;
mod discount;
pub mod european;
mod fixpoint;
mod hildreth;
mod hull;
pub mod integers;
mod interior;
mod overrides;
mod pooled;
pub mod projection;
mod rows;
mod wide;
