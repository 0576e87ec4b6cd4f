//! The bundled sample's injected faults: each is said by something published, or does no harm.

use closemark_benches::{faults, truth, whole_close};
use closemark_data::sample;

#[test]
fn no_injected_fault_of_the_sample_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let closed = whole_close::close(&sample::source(), folder.path()).unwrap();
    let ledger = faults::ledger().unwrap();
    let judged = faults::judge(&closed, &truth::of_sample().unwrap(), &ledger);
    let injected: u64 = judged.values().map(|kind| kind.injected).sum();
    assert_eq!(injected, ledger.len() as u64);
    assert!(injected > 500, "{injected}");
    let missed: Vec<&String> = judged.values().flat_map(|kind| &kind.missed).collect();
    assert!(missed.is_empty(), "{missed:#?}");
    // What looks wrong at once is said, each time.
    for kind in ["BAD_PRICE", "CROSSED", "MALFORMED_SYMBOL", "UNKNOWN_VENUE"] {
        let judged = judged.get(kind).unwrap();
        assert_eq!(judged.caught, judged.injected, "{kind}");
    }
}
