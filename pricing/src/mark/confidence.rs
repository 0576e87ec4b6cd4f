//! How far a slice and a series should be believed, in [0, 1].
//!
//! A product of plain factors, so that a reader can take it apart; nothing is fitted.

use crate::mark::rows::{SeriesMark, SliceMark};
use crate::vocabulary::{MarkSource, Reason, SolverStatus};

/// Confidence of a slice.
///
/// # Formula
/// `share_inside * min(1, sqrt(accepted / 8))`, times 0.5 where not converged, 0.7 where the forward is the model's, 0.8
/// where the borrow is suspect; a slice without own quotes starts from 0.3.
pub(super) fn of_slice(slice: &SliceMark) -> f64 {
    let accepted = f64::from(slice.used_calls + slice.used_puts);
    let own = if accepted > 0.0 { slice.share_inside.unwrap_or(0.5) * (accepted / 8.0).sqrt().min(1.0) } else { 0.3 };
    let converged = if slice.solver_status == SolverStatus::Converged && !slice.reasons.contains(Reason::NonConverged) { 1.0 } else { 0.5 };
    let forward = if slice.reasons.contains(Reason::ForwardFromModel) { 0.7 } else { 1.0 };
    let borrow = if slice.reasons.contains(Reason::BorrowSuspect) { 0.8 } else { 1.0 };
    (own * converged * forward * borrow).clamp(0.0, 1.0)
}

/// Confidence of a series: its slice's, less where its own quote disagrees or there is none.
///
/// # Formula
/// times 1 inside the quote; `1 / edit_half_spreads` outside; 0.6 without a quote beyond the last accepted one or at a
/// cap; 0.8 without a quote otherwise; 0.5 for a bare mid.
pub(super) fn of_series(slice: f64, row: &SeriesMark) -> f64 {
    let own = match (row.edit_half_spreads, row.mark_source) {
        (_, MarkSource::NbboMid) => 0.5,
        (Some(edit), _) => 1.0 / edit.abs().max(1.0),
        (None, MarkSource::Extrapolated | MarkSource::CapHigh | MarkSource::CapLow) => 0.6,
        (None, _) => 0.8,
    };
    (slice * own).clamp(0.0, 1.0)
}
