//! Portfolio margin from published risk arrays: what an account must hold against its positions.
//!
//! Positions on one underlying are a class: at each of the ten valuation points their gains and losses add up in full.
//! Classes of one product group offset one another in part. The requirement is the largest loss over the points, or the
//! sum of the contracts' minimum charges where that is more.

mod amounts;
mod class;
mod close;
mod groups;
mod positions;
mod report;

pub use close::{CloseData, MarginError, SeriesData, UnderlyingData};
pub use groups::{GroupsError, ProductGroup, ProductGroups, built_in_groups};
pub use positions::{Instrument, Position, PositionFault, Quantity, read_positions};
pub use report::{AccountMargin, ClassMargin, GroupMargin, Holding, MarginReport, margin};

pub(crate) use amounts::{Gains, add, worst};
