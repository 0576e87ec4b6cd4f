//! Fixed marks that lie above what the surface around them allows.

use super::class::Class;
use super::fixpoint::{Effort, Work, settle};

/// The surface with its fixed marks, lifted around those that ask for it; `None` where no surface holds them.
///
/// Solutions are closed under the pointwise maximum, so that there is a greatest one of all: below every price's own
/// ceiling. Fixed marks are possible exactly if they stand in that one.
pub(crate) fn lifted(class: &Class) -> Option<(Vec<Work>, Effort)> {
    let mut greatest = class.works.clone();
    for (work, ceilings) in greatest.iter_mut().zip(&class.ceilings) {
        for (curve, ceilings) in work.curves.iter_mut().zip(ceilings) {
            for (node, ceiling) in curve.nodes.iter_mut().zip(ceilings) {
                node.p = *ceiling;
            }
        }
    }
    let effort = settle(&mut greatest, class.arithmetic).ok()?;
    Some((greatest, effort))
}
