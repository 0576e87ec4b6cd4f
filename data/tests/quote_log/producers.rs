//! Retries, jumps, limits: what a producer can do wrong, or twice.

use closemark_data::log::{AppendError, Appended, BatchEncoder, BatchHead, EncodeError, IncomingQuote, LogLimits};
use closemark_pricing::series::Date;

use crate::support::{batch, batch_on, market_date, open, records, simulated, small_segments, update};

#[test]
fn a_retry_is_stored_once_and_a_jump_names_what_is_expected() {
    let files = simulated();
    let mut log = open(&files, LogLimits::default()).unwrap();
    let Appended::Waiting(first) = log.append(&batch("a", 1)).unwrap() else { panic!() };
    assert_eq!(log.append(&batch("a", 1)).unwrap(), Appended::Waiting(first), "sent again before it was durable");
    assert_eq!(log.append(&batch("b", 1)).unwrap(), Appended::Waiting(first), "one commit for several producers");
    match log.append(&batch("a", 3)).unwrap_err() {
        AppendError::Gap { producer_id, expected: 2, given: 3 } => assert_eq!(producer_id, "a"),
        other => panic!("{other}"),
    }
    let done = log.commit().unwrap();
    assert_eq!((done.ticket, done.records, done.quotes), (first, 2, 6));
    assert_eq!(log.append(&batch("a", 1)).unwrap(), Appended::Durable { acknowledged_sequence: 1 });
    assert_eq!(log.commit().unwrap().bytes, 0);
    assert_eq!(log.expected_sequence(market_date(), "a").unwrap(), 2);
    drop(log);
    let mut log = open(&files, LogLimits::default()).unwrap();
    assert_eq!(log.append(&batch("a", 1)).unwrap(), Appended::Durable { acknowledged_sequence: 1 });
    assert!(matches!(log.append(&batch("b", 2)).unwrap(), Appended::Waiting(_)));
    log.commit().unwrap();
    let expected = [("a", 1), ("b", 1), ("b", 2)].map(|(producer, sequence)| (producer.to_owned(), sequence));
    assert_eq!(records(&mut log).unwrap(), expected);
}

#[test]
fn a_sequence_that_comes_back_with_other_quotes_is_refused_before_and_after_a_restart() {
    let files = simulated();
    let mut log = open(&files, LogLimits::default()).unwrap();
    let other = |sequence, received_unix_nanos| {
        let head = BatchHead { producer_id: "a", sequence, market_date: market_date(), received_unix_nanos };
        BatchEncoder::default().encode(&head, [IncomingQuote { venue: "XCBO", ..Default::default() }]).unwrap()
    };
    let reused = |log: &mut closemark_data::log::QuoteLog, sequence| match log.append(&other(sequence, 5)) {
        Err(AppendError::SequenceReused { producer_id, sequence }) => (producer_id, sequence),
        got => panic!("{got:?}"),
    };
    log.append(&batch("a", 1)).unwrap();
    assert_eq!(reused(&mut log, 1), ("a".to_owned(), 1), "while it waits");
    log.append(&batch("a", 2)).unwrap();
    log.append(&other(3, 5)).unwrap();
    log.commit().unwrap();
    assert_eq!(reused(&mut log, 2), ("a".to_owned(), 2), "once it is durable");
    drop(log);
    let mut log = open(&files, LogLimits::default()).unwrap();
    assert_eq!(reused(&mut log, 1), ("a".to_owned(), 1), "after a restart");
    // The time of receipt is no content: a retry is a retry whenever it comes.
    assert_eq!(log.append(&other(3, 99)).unwrap(), Appended::Durable { acknowledged_sequence: 3 });
    assert_eq!(log.append(&batch("a", 2)).unwrap(), Appended::Durable { acknowledged_sequence: 3 });
}

#[test]
fn a_batch_that_is_refused_leaves_no_trace_of_its_date() {
    let files = simulated();
    let mut log = open(&files, LogLimits { open_dates: 1, ..LogLimits::default() }).unwrap();
    log.append(&batch("a", 1)).unwrap();
    log.commit().unwrap();
    let far = Date(market_date().0 + 10_000);
    assert!(matches!(log.append(&batch_on(far, "a", 2)), Err(AppendError::Gap { expected: 1, .. })));
    let root = std::path::Path::new(crate::support::ROOT);
    let names = closemark_data::files::Files::list(&files, root).unwrap();
    assert!(!names.iter().any(|name| name.contains("date=20") && !name.contains("2026-11-20")), "{names:?}");
    assert!(matches!(log.held(far), closemark_data::log::HeldDay::Nothing));
    // Nor is the date that is in use closed for it.
    assert!(matches!(log.held(market_date()), closemark_data::log::HeldDay::Open(_)));
}

#[test]
fn what_is_not_committed_is_seen_by_nobody() {
    let files = simulated();
    let mut log = open(&files, LogLimits::default()).unwrap();
    log.append(&batch("a", 1)).unwrap();
    assert!(records(&mut log).unwrap().is_empty());
    let before = log.commit().unwrap().ticket;
    let snapshot = log.snapshot(market_date()).unwrap().unwrap();
    let Appended::Waiting(later) = log.append(&batch("a", 2)).unwrap() else { panic!() };
    assert!(later > before);
    log.commit().unwrap();
    let mut seen = 0;
    snapshot.for_each(|_| seen += 1).unwrap();
    assert_eq!((seen, records(&mut log).unwrap().len()), (1, 2));
}

#[test]
fn reference_updates_have_versions_and_their_requests_are_taken_once() {
    let files = simulated();
    let mut log = open(&files, LogLimits::default()).unwrap();
    let first = update("one").encode(&LogLimits::default()).unwrap();
    let put = log.put_reference(&first).unwrap();
    assert_eq!((put.version, put.ticket.is_some()), (1, true));
    log.commit().unwrap();
    let again = closemark_data::log::ReferenceUpdate { received_unix_nanos: 99, ..update("one") };
    let again = log.put_reference(&again.encode(&LogLimits::default()).unwrap()).unwrap();
    assert_eq!((again.version, again.ticket), (1, None));
    let mut other = update("one");
    other.rates = Some(Vec::new());
    let other = other.encode(&LogLimits::default()).unwrap();
    assert!(matches!(log.put_reference(&other), Err(AppendError::RequestConflict { version: 1, .. })));
    drop(log);
    let mut log = open(&files, LogLimits::default()).unwrap();
    assert!(matches!(log.put_reference(&other), Err(AppendError::RequestConflict { version: 1, .. })));
    assert_eq!(log.put_reference(&update("two").encode(&LogLimits::default()).unwrap()).unwrap().version, 2);
    log.commit().unwrap();
    assert_eq!(log.snapshot(market_date()).unwrap().unwrap().reference_version(), 2);
}

#[test]
fn a_reference_update_that_would_stop_the_day_is_refused_and_a_faulty_row_is_named() {
    let limits = LogLimits::default();
    let mut twice = update("r");
    let row = closemark_data::input::RateRow { tenor_days: 30.0, zero_rate: 0.04 };
    twice.rates = Some(vec![row, row]);
    let error = twice.encode(&limits).unwrap_err().to_string();
    assert!(error.contains("each tenor once"), "{error}");
    twice.rates = Some(vec![closemark_data::input::RateRow { tenor_days: 1.0, zero_rate: f64::NAN }]);
    assert!(matches!(twice.encode(&limits), Err(EncodeError::Reference(_))));
    let mut faulty = update("r");
    faulty.dividends = Some(vec![closemark_data::input::DividendRow {
        underlying: "XYZ".to_owned(),
        status: "rumoured".to_owned(),
        ..Default::default()
    }]);
    let faults = faulty.encode(&limits).unwrap().faults;
    assert_eq!((faults.len(), faults[0].field.as_deref()), (1, Some("dividends.csv: status")));
    let tight = LogLimits { reference_bytes: 10, ..limits };
    assert!(matches!(update("r").encode(&tight), Err(EncodeError::Bytes { limit: 10, .. })));
}

#[test]
fn ids_dates_and_sizes_have_limits() {
    let encode = |producer_id: &str, sequence, date, quotes| {
        let head = BatchHead { producer_id, sequence, market_date: date, received_unix_nanos: 0 };
        BatchEncoder::default().encode(&head, vec![IncomingQuote::default(); quotes])
    };
    let long = "p".repeat(129);
    for id in ["", "a b", "a\n", "\u{e9}", long.as_str()] {
        assert!(matches!(encode(id, 1, market_date(), 1), Err(EncodeError::Id { what: "producer_id", .. })), "{id:?}");
    }
    assert_eq!(encode("p", 0, market_date(), 1), Err(EncodeError::Sequence));
    assert_eq!(encode("p", 1, market_date(), 10_001), Err(EncodeError::Quotes { limit: 10_000 }));
    for days in [i32::MIN, -30_000, 90_000, i32::MAX] {
        assert_eq!(encode("p", 1, Date(days), 1), Err(EncodeError::Date { days }));
    }

    let mut log = open(&simulated(), LogLimits { producers: 1, pending_bytes: 400, ..LogLimits::default() }).unwrap();
    log.append(&batch("a", 1)).unwrap();
    assert!(matches!(log.append(&batch("b", 1)), Err(AppendError::TooMany { what: "producers", limit: 1 })));
    let full = (2..100).find_map(|sequence| log.append(&batch("a", sequence)).err().map(|error| (sequence, error)));
    let (sequence, error) = full.unwrap();
    assert!(matches!(error, AppendError::Full { limit: 400, pending_bytes } if pending_bytes <= 400));
    log.commit().unwrap();
    assert!(matches!(log.append(&batch("a", sequence)).unwrap(), Appended::Waiting(_)));
}

#[test]
fn refused_rows_are_named_by_their_place_and_kept() {
    let head = BatchHead { producer_id: "p", sequence: 1, market_date: market_date(), received_unix_nanos: 0 };
    let good = IncomingQuote { osi_symbol: "XYZ   261218C00100000", venue: "C", ask: Some(1), ..Default::default() };
    let long = "X".repeat(65);
    let quotes = [
        good,
        IncomingQuote { ask: Some(-1), ..good },
        IncomingQuote { venue: "XZZZ", ..good },
        IncomingQuote { osi_symbol: &long, ..good },
        IncomingQuote { bid_size: Some(u32::MAX), ..good },
        IncomingQuote { bid: Some(10_000_000_000_001), ..good },
        IncomingQuote { osi_symbol: " ", ..good },
    ];
    let batch = BatchEncoder::default().encode(&head, quotes).unwrap();
    let refused: Vec<(u32, &str)> = batch.refused.iter().map(|row| (row.index, row.reason)).collect();
    let expected = [
        (1, "BAD_PRICE"),
        (2, "UNKNOWN_VENUE"),
        (3, "MALFORMED_SYMBOL"),
        (4, "MALFORMED_ROW"),
        (5, "BAD_PRICE"),
        (6, "MALFORMED_SYMBOL"),
    ];
    assert_eq!((refused.as_slice(), batch.refused_count, batch.quotes()), (&expected[..], 6, 7));
    let flood = BatchEncoder::default().encode(&head, vec![quotes[1]; 300]).unwrap();
    assert_eq!((flood.refused.len(), flood.refused_count), (100, 300));
}

#[test]
fn many_dates_and_one_writer() {
    let files = simulated();
    let limits = LogLimits { open_dates: 2, ..small_segments() };
    let mut log = open(&files, limits).unwrap();
    assert!(matches!(open(&files, limits), Err(closemark_data::log::LogError::Locked { .. })));
    let dates: Vec<Date> = (0..5).map(|days| Date(market_date().0 + days)).collect();
    for sequence in 1..4 {
        for date in &dates {
            log.append(&batch_on(*date, "a", sequence)).unwrap();
            log.commit().unwrap();
        }
    }
    assert_eq!(log.dates(), dates);
    drop(log);
    let mut log = open(&files, limits).unwrap();
    for date in &dates {
        assert_eq!(log.expected_sequence(*date, "a").unwrap(), 4);
    }
    assert!(log.snapshot(Date(0)).unwrap().is_none());
    assert!(!log.dates().contains(&Date(0)));
}
