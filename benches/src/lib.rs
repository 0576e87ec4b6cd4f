//! What the reports share: whole closes, and figures over them that are counted the same way everywhere.

pub mod chains;
pub mod columns;
pub mod command;
pub mod faults;
pub mod figures;
pub mod gates;
pub mod kernels;
pub mod leftovers;
pub mod models_report;
pub mod official;
pub mod print;
pub mod real_data;
pub mod risk_rows;
pub mod service_report;
pub mod share;
pub mod smoothing_report;
pub mod truth;
pub mod universe_report;
pub mod venv;
pub mod whole_close;
