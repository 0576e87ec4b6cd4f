//! `report.html`: one self-contained page that lets a quant decide whether to believe a close.
//!
//! Summary and gates first, then the board of underlyings with the least believable at the top, then the worst
//! twenty with their smiles. Figures and tables are plain HTML and need no script; `draw.js` draws the pictures from
//! JSON inside the page. Nothing in it depends on time, path, host or thread count.

pub mod figures;
mod json;
mod page;
mod worst;

use closemark_pricing::mark::UnderlyingMarks;

use crate::day::Day;

/// The drawing code, which the service's page serves as well.
pub const DRAW_JS: &str = include_str!("draw.js");

/// Underlyings that are drawn.
pub const WORST_MAX: usize = 20;

/// One gate as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// What is measured.
    pub name: String,
    /// The measured share; null where there was nothing to measure.
    pub value: Option<f64>,
    /// Its limit.
    pub limit: f64,
    /// Whether the value must be at least the limit (else at most).
    pub at_least: bool,
    /// Whether the close meets it.
    pub passed: bool,
}

/// What the page says beside the marks.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportHead<'a> {
    /// The run's id.
    pub run_id: &'a str,
    /// `FINAL` or `PRELIMINARY`.
    pub state: &'a str,
    /// The gates, in their order.
    pub gates: &'a [Gate],
}

/// The report of a close.
pub fn render(day: &Day, marks: &[UnderlyingMarks], head: &ReportHead<'_>) -> String {
    let board = figures::board(day, marks);
    page::page(day, &board, head)
}

#[cfg(test)]
mod tests;
