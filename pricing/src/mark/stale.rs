//! Which quotes are stale: old on both sides while their slice moved on, and disagreeing with the first pass's curve.

use crate::mark::slices::Slice;
use crate::nbbo::Nbbo;
use crate::series::Instant;
use crate::settings::NbboSettings;

/// Series of a slice whose best bid and ask are both old while at least half of the slice's quoted series changed
/// lately, ascending; whether the curve lies outside their quote decides in the second pass.
pub(crate) fn stale_candidates(slice: &Slice, nbbos: &[Nbbo], settings: &NbboSettings) -> Vec<usize> {
    let since = Instant(slice.snapshot.0.saturating_sub(settings.stale_after_seconds.saturating_mul(1_000_000_000)));
    let quoted: Vec<(usize, Option<Instant>)> = slice
        .members()
        .filter_map(|i| nbbos.get(i).filter(|n| n.bid.is_some() || n.ask.is_some()).map(|n| (i, n.time)))
        .collect();
    let fresh = quoted.iter().filter(|(_, time)| time.is_some_and(|t| t >= since)).count();
    if (fresh as f64) < settings.stale_active_share * quoted.len() as f64 || fresh == 0 {
        return Vec::new();
    }
    let mut old: Vec<usize> =
        quoted.into_iter().filter(|(_, time)| time.is_some_and(|t| t < since)).map(|(i, _)| i).collect();
    old.sort_unstable();
    old
}
