//! `report.html`: one self-contained page that lets a quant decide whether to believe a close.
//!
//! Summary and gates first, then the board of underlyings with the least believable at the top, then the worst
//! twenty with their smiles. Figures and tables are plain HTML and need no script; `draw.js` draws the pictures from
//! JSON inside the page. Nothing in it depends on time, path, host or thread count.

mod board;
pub mod figures;
mod json;
mod page;
mod worst;

use closemark_pricing::mark::UnderlyingMarks;

use crate::day::Day;
use crate::publication::Gate;

/// The drawing code, which the service's page serves as well.
pub const DRAW_JS: &str = include_str!("draw.js");

/// The style that the drawing code's classes rely on, in light and dark.
pub const STYLE_CSS: &str = include_str!("style.css");

/// Underlyings that are drawn.
pub const WORST_MAX: usize = 20;

/// What the page says beside the marks.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportHead<'a> {
    /// The run's id.
    pub run_id: &'a str,
    /// The gates, in their order.
    pub gates: &'a [Gate],
}

/// The report of a close.
pub fn render(day: &Day, marks: &[UnderlyingMarks], head: &ReportHead<'_>) -> String {
    render_board(day, &figures::board(day, marks), head)
}

/// The report of a close whose board is there; of the day only its head is looked at.
pub fn render_board(day: &Day, board: &figures::Board<'_>, head: &ReportHead<'_>) -> String {
    page::page(day, board, head)
}

#[cfg(test)]
mod tests;
