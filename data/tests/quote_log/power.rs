//! The power goes before and after every single operation of a working log, and an error comes there too.

use std::io::ErrorKind;

use closemark_data::files::{Forget, Operation, Simulated, Trouble};
use closemark_data::log::{AppendError, Appended, LogError, LogLimits, QuoteLog};

use crate::support::{batch, open, records, simulated, small_segments, update};

const ROUNDS: u64 = 12;

/// What producers saw acknowledged: highest sequence of each of two, and whether the reference update was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    acknowledged: [u64; 2],
    reference: bool,
}

const PRODUCERS: [&str; 2] = ["a", "b"];

/// Sends rounds until all are acknowledged or the log fails. The second producer sends two batches a round and repeats
/// one of them; a reference update goes with the third round.
fn work(log: &mut QuoteLog, seen: &mut Seen) -> Result<(), AppendError> {
    while seen.acknowledged[0] < ROUNDS || seen.acknowledged[1] < 2 * ROUNDS || !seen.reference {
        let mut waiting = *seen;
        for (place, producer) in PRODUCERS.iter().enumerate() {
            for _ in 0..=place {
                let sequence = waiting.acknowledged[place] + 1;
                if sequence > ROUNDS * (place as u64 + 1) {
                    continue;
                }
                if let Appended::Durable { acknowledged_sequence } = log.append(&batch(producer, sequence))? {
                    assert!(acknowledged_sequence >= sequence);
                }
                waiting.acknowledged[place] = sequence;
            }
        }
        if waiting.acknowledged[1] > 1 {
            log.append(&batch("b", waiting.acknowledged[1] - 1))?;
        }
        if waiting.acknowledged[0] >= 3 {
            let put = log.put_reference(&update("request").encode(&LogLimits::default()).unwrap())?;
            assert_eq!(put.version, 1);
            waiting.reference = true;
        }
        log.commit()?;
        *seen = waiting;
    }
    Ok(())
}

fn run(files: &Simulated, seen: &mut Seen) -> Result<(), AppendError> {
    let mut log = open(files, small_segments())?;
    work(&mut log, seen)
}

/// Everything acknowledged is there, nothing is there twice, and each producer's batches are without a gap.
fn check(files: &Simulated, seen: &Seen, context: &str) {
    let mut log = open(files, small_segments()).unwrap_or_else(|error| panic!("{context}: {error}"));
    let found = records(&mut log).unwrap_or_else(|error| panic!("{context}: {error}"));
    for (producer, acknowledged) in PRODUCERS.iter().zip(seen.acknowledged) {
        let own: Vec<u64> = found.iter().filter(|(id, _)| id == producer).map(|(_, sequence)| *sequence).collect();
        let expected: Vec<u64> = (1..=own.len() as u64).collect();
        assert_eq!(own, expected, "{context}: {producer} twice or with a gap");
        assert!(own.len() as u64 >= acknowledged, "{context}: {producer} lost {acknowledged} down to {}", own.len());
    }
    let requests = found.iter().filter(|(id, _)| id == "request").count();
    assert!(requests <= 1 && requests >= usize::from(seen.reference), "{context}: the update");
}

fn survive(trouble: Trouble, forget: impl Fn(usize) -> Vec<Forget>) -> usize {
    let quiet = simulated();
    let first = quiet.steps().len();
    let mut whole = Seen::default();
    run(&quiet, &mut whole).unwrap();
    let steps = quiet.steps();
    let sealed = steps.iter().filter(|step| step.operation == Operation::Rename && step.after).count();
    assert!(sealed > 3, "the run must seal segments: {sealed}");
    check(&quiet, &whole, "undisturbed");
    for (step, point) in steps.iter().enumerate().skip(first) {
        for forget in forget(step) {
            let context = format!("{trouble:?} at {point:?}, {forget:?}");
            let files = simulated();
            files.trouble_at(step, trouble);
            let mut seen = Seen::default();
            let failed = run(&files, &mut seen);
            assert!(failed.is_err(), "{context}: nothing noticed it");
            if trouble != Trouble::PowerCut {
                // The process goes on, and opens the log again: reads then show more than the device holds.
                run(&files, &mut seen).unwrap_or_else(|error| panic!("{context}: {error}"));
            }
            files.restart(forget);
            check(&files, &seen, &context);
            // And the work can be finished, with every retry taken once.
            run(&files, &mut seen).unwrap_or_else(|error| panic!("{context}: {error}"));
            check(&files, &seen, &context);
            assert_eq!(seen, whole, "{context}");
        }
    }
    steps.len() - first
}

#[test]
fn a_power_cut_at_any_step_loses_nothing_acknowledged() {
    let steps = survive(Trouble::PowerCut, |step| {
        let seeds = (0..6).map(|seed| Forget::Part(seed + 1000 * step as u64));
        std::iter::once(Forget::Everything).chain(seeds).collect()
    });
    assert!(steps > 100, "{steps}");
}

#[test]
fn an_error_at_any_step_loses_nothing_acknowledged_even_when_the_power_goes_later() {
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        survive(Trouble::Error(kind), |step| vec![Forget::Everything, Forget::Part(step as u64)]);
    }
}

#[test]
fn power_cuts_one_after_another() {
    for seed in 0..40u64 {
        let files = simulated();
        let mut seen = Seen::default();
        let mut cuts = 0;
        for round in 0..200u64 {
            let ahead = (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(round * 7919) >> 7) % 23;
            files.trouble_at(files.steps().len() + ahead as usize, Trouble::PowerCut);
            match run(&files, &mut seen) {
                Ok(()) => break,
                Err(AppendError::Log(LogError::Io { .. } | LogError::Refusing { .. })) => cuts += 1,
                Err(other) => panic!("{seed}: {other}"),
            }
            files.restart(if round.is_multiple_of(3) { Forget::Everything } else { Forget::Part(seed * 1000 + round) });
            check(&files, &seen, &format!("seed {seed}, cut {round}"));
        }
        assert!(cuts > 0);
    }
}
