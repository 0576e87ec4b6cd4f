//! Quotes and reference data in: what is acknowledged lasts, what is wrong is said.

use closemark_proto::v1;
use closemark_proto::v1::quote_service_client::QuoteServiceClient;
use closemark_proto::v1::reference_service_client::ReferenceServiceClient;
use tonic::Code;
use tonic::codec::CompressionEncoding;

use crate::sample::{DAY, batch, quote};
use crate::support::{Ingest, Server, refusal};

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill_and_retries_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut stream = Ingest::open(server.channel().await).await.unwrap();
    for sequence in 1..=3 {
        let answer = stream.send(batch("feed", sequence, vec![quote(100), quote(101)])).await.unwrap();
        assert_eq!((answer.acknowledged_sequence, answer.refused_count), (sequence, 0));
    }
    server.kill();

    let server = Server::start(folder.path(), &[]);
    let mut stream = Ingest::open(server.channel().await).await.unwrap();
    // The retry is recognised; the answer is that everything up to the last durable batch is there.
    let answer = stream.send(batch("feed", 3, vec![quote(100), quote(101)])).await.unwrap();
    assert_eq!(answer.acknowledged_sequence, 3);
    let answer = stream.send(batch("feed", 4, vec![quote(102)])).await.unwrap();
    assert_eq!(answer.acknowledged_sequence, 4);
    // A sequence that comes back with other quotes is no retry.
    let status = stream.send(batch("feed", 2, vec![quote(100), quote(999)])).await.unwrap_err();
    let (code, reason, _) = refusal(&status);
    assert_eq!((code, reason.as_str()), (Code::AlreadyExists, "SEQUENCE_REUSED"));
    let metrics = server.operations("/metrics").1;
    assert!(metrics.contains("closemark_quotes_taken_total 1\n"), "{metrics}");
    assert!(metrics.contains("closemark_quotes_repeated_total 2\n"), "{metrics}");
}

#[tokio::test]
async fn a_jump_in_the_sequence_ends_the_stream_and_names_what_is_expected() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut stream = Ingest::open(server.channel().await).await.unwrap();
    stream.send(batch("feed", 1, vec![quote(100)])).await.unwrap();
    let status = stream.send(batch("feed", 3, vec![quote(100)])).await.unwrap_err();
    let (code, reason, details) = refusal(&status);
    assert_eq!((code, reason.as_str()), (Code::FailedPrecondition, "SEQUENCE_GAP"));
    assert_eq!(details.error_info().unwrap().metadata["expected_sequence"], "2");
    // Nothing was lost and nothing was taken: the expected batch goes on.
    let mut stream = Ingest::open(server.channel().await).await.unwrap();
    assert_eq!(stream.send(batch("feed", 2, vec![quote(100)])).await.unwrap().acknowledged_sequence, 2);
}

#[tokio::test]
async fn quotes_that_no_close_will_use_are_told_apart_and_the_rest_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut stream = Ingest::open(server.channel().await).await.unwrap();
    let price = |micros| Some(v1::Decimal { micros });
    let quotes = vec![
        quote(100),
        v1::Quote { osi_symbol: "../../etc/passwd".repeat(20), ..quote(101) },
        v1::Quote { venue: "NOWHERE".to_owned(), ..quote(102) },
        v1::Quote { bid: price(-1), ..quote(103) },
        v1::Quote { ask: price(i64::MAX), ..quote(104) },
        quote(105),
    ];
    let answer = stream.send(batch("feed", 1, quotes)).await.unwrap();
    assert_eq!((answer.acknowledged_sequence, answer.refused_count), (1, 4));
    let refused: Vec<(u32, &str)> = answer.refused.iter().map(|row| (row.index, row.reason.as_str())).collect();
    assert_eq!(refused, [(1, "MALFORMED_SYMBOL"), (2, "UNKNOWN_VENUE"), (3, "BAD_PRICE"), (4, "BAD_PRICE")]);
    let metrics = server.operations("/metrics").1;
    assert!(metrics.contains("closemark_quotes_refused_total{reason=\"BAD_PRICE\"} 2\n"), "{metrics}");
}

#[tokio::test]
async fn batches_out_of_form_are_refused_by_field() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[("LIMITS_QUOTES_PER_BATCH_MAX", "3")]);
    let good = batch("feed", 1, vec![quote(100)]);
    for (request, code, reason) in [
        (
            v1::IngestQuotesRequest { market_date: "../..".to_owned(), ..good.clone() },
            Code::InvalidArgument,
            "INVALID_FIELD",
        ),
        (
            v1::IngestQuotesRequest { market_date: "20261120".to_owned(), ..good.clone() },
            Code::InvalidArgument,
            "INVALID_FIELD",
        ),
        (
            v1::IngestQuotesRequest { producer_id: "a\nb".to_owned(), ..good.clone() },
            Code::InvalidArgument,
            "INVALID_FIELD",
        ),
        (v1::IngestQuotesRequest { sequence: 0, ..good.clone() }, Code::InvalidArgument, "INVALID_FIELD"),
        (batch("feed", 1, vec![quote(100); 4]), Code::ResourceExhausted, "TOO_LARGE"),
    ] {
        let mut stream = Ingest::open(server.channel().await).await.unwrap();
        let status = stream.send(request).await.unwrap_err();
        let (found, said, details) = refusal(&status);
        assert_eq!((found, said.as_str()), (code, reason), "{status:?}");
        if code == Code::InvalidArgument {
            assert_eq!(details.bad_request().unwrap().field_violations.len(), 1);
        }
        assert!(!status.message().contains('\n'));
    }
    let mut stream = Ingest::open(server.channel().await).await.unwrap();
    assert_eq!(stream.send(good).await.unwrap().acknowledged_sequence, 1);
    assert!(!folder.path().join("state/quotes/date=..").exists());
}

#[tokio::test]
async fn market_dates_outside_of_the_window_are_refused_and_make_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("LIMITS_INGEST_DAYS_BACK_MAX", "0"), ("LIMITS_INGEST_DAYS_AHEAD_MAX", "0")];
    let server = Server::start(folder.path(), &settings);
    // Of two days ten years apart at most one is today.
    let mut refused = 0;
    for day in ["2026-11-20", "2036-11-20"] {
        let mut stream = Ingest::open(server.channel().await).await.unwrap();
        let asked = v1::IngestQuotesRequest { market_date: day.to_owned(), ..batch("feed", 1, vec![quote(100)]) };
        let Err(status) = stream.send(asked).await else { continue };
        refused += 1;
        assert_eq!(refusal(&status).2.bad_request().unwrap().field_violations[0].field, "market_date");
        assert!(!folder.path().join("state/quotes").join(format!("date={day}")).exists());
        let mut client = ReferenceServiceClient::new(server.channel().await);
        let asked = v1::PutReferenceRequest {
            request_id: "r".to_owned(),
            market_date: day.to_owned(),
            ..v1::PutReferenceRequest::default()
        };
        assert_eq!(client.put_reference(asked).await.unwrap_err().code(), Code::InvalidArgument);
    }
    assert!(refused >= 1);
}

#[tokio::test]
async fn messages_above_the_limit_are_refused_also_when_they_were_small_before_decompression() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[("LIMITS_MESSAGE_BYTES_MAX", "65536")]);
    let large = || batch("feed", 1, vec![quote(100); 2000]);
    let mut stream = Ingest::open(server.channel().await).await.unwrap();
    let status = stream.send(large()).await.unwrap_err();
    let (code, reason, _) = refusal(&status);
    assert_eq!((code, reason.as_str()), (Code::ResourceExhausted, "TOO_LARGE"));

    // 2,000 equal quotes compress to a few hundred bytes.
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        let mut client = QuoteServiceClient::new(server.channel().await).send_compressed(encoding);
        let mut answers = client.ingest_quotes(tokio_stream::iter([large()])).await.unwrap().into_inner();
        let status = answers.message().await.unwrap_err();
        let (code, reason, _) = refusal(&status);
        assert_eq!((code, reason.as_str()), (Code::ResourceExhausted, "TOO_LARGE"), "{status:?}");
        let small = batch("feed", 1, vec![quote(100); 100]);
        let mut client = QuoteServiceClient::new(server.channel().await).send_compressed(encoding);
        let mut answers = client.ingest_quotes(tokio_stream::iter([small])).await.unwrap().into_inner();
        assert_eq!(answers.message().await.unwrap().unwrap().acknowledged_sequence, 1);
    }
    // The same for a call that is no stream.
    let mut client = ReferenceServiceClient::new(server.channel().await);
    let underlyings = vec![v1::Underlying { underlying: "X".repeat(60), ..Default::default() }; 3000];
    let request = v1::PutReferenceRequest {
        request_id: "r".to_owned(),
        market_date: DAY.to_owned(),
        underlyings: Some(v1::UnderlyingList { underlyings }),
        ..Default::default()
    };
    let status = client.put_reference(request).await.unwrap_err();
    let (code, reason, _) = refusal(&status);
    assert_eq!((code, reason.as_str()), (Code::ResourceExhausted, "TOO_LARGE"));
}

#[tokio::test]
async fn reference_records_are_checked_by_field_and_a_request_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut client = ReferenceServiceClient::new(server.channel().await);
    let with = |change: &dyn Fn(&mut v1::PutReferenceRequest)| {
        let mut request =
            v1::PutReferenceRequest { request_id: "one".to_owned(), market_date: DAY.to_owned(), ..Default::default() };
        change(&mut request);
        request
    };
    let rates = |zero_rate| Some(v1::RateList { rates: vec![v1::Rate { tenor_days: 30, zero_rate }] });
    let underlying = |one: v1::Underlying| Some(v1::UnderlyingList { underlyings: vec![one] });
    let xyz = || v1::Underlying {
        underlying: "XYZ".to_owned(),
        price: Some(v1::Decimal { micros: 100_000_000 }),
        ..Default::default()
    };
    for (field, request) in [
        ("rates.zero_rate[0]", with(&|r| r.rates = rates(f64::NAN))),
        ("rates.zero_rate[0]", with(&|r| r.rates = rates(f64::INFINITY))),
        (
            "underlyings.price[0]",
            with(&|r| r.underlyings = underlying(v1::Underlying { price: Some(v1::Decimal { micros: -1 }), ..xyz() })),
        ),
        (
            "underlyings.leverage[0]",
            with(&|r| r.underlyings = underlying(v1::Underlying { leverage: Some(f64::NAN), ..xyz() })),
        ),
        (
            "underlyings.margin_group[0]",
            with(&|r| r.underlyings = underlying(v1::Underlying { margin_group: "=cmd()".to_owned(), ..xyz() })),
        ),
        ("market_date", with(&|r| r.market_date = "2026-02-30".to_owned())),
        ("request_id", with(&|r| r.request_id = String::new())),
    ] {
        let status = client.put_reference(request).await.unwrap_err();
        let (code, _, details) = refusal(&status);
        assert_eq!(code, Code::InvalidArgument, "{status:?}");
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, field);
    }
    let good = with(&|r| r.underlyings = underlying(xyz()));
    assert_eq!(client.put_reference(good.clone()).await.unwrap().into_inner().version, 1);
    assert_eq!(client.put_reference(good.clone()).await.unwrap().into_inner().version, 1);
    let other = v1::PutReferenceRequest { rates: rates(0.03), ..good.clone() };
    let status = client.put_reference(other.clone()).await.unwrap_err();
    assert_eq!(refusal(&status).1, "REQUEST_ID_REUSED");
    let other = v1::PutReferenceRequest { request_id: "two".to_owned(), ..other };
    assert_eq!(client.put_reference(other).await.unwrap().into_inner().version, 2);
    drop(client);
    assert!(server.terminate());
    let server = Server::start(folder.path(), &[]);
    let mut client = ReferenceServiceClient::new(server.channel().await);
    assert_eq!(client.put_reference(good).await.unwrap().into_inner().version, 1);
}

#[tokio::test]
async fn a_drain_ends_streams_after_their_acknowledgements() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut stream = Ingest::open(server.channel().await).await.unwrap();
    stream.send(batch("feed", 1, vec![quote(100)])).await.unwrap();
    assert_eq!(server.operations("/readyz").0, 200);
    server.signal("TERM");
    let status = stream.answer().await.unwrap_err();
    let (code, reason, details) = refusal(&status);
    assert_eq!((code, reason.as_str()), (Code::Unavailable, "DRAINING"), "{status:?}");
    assert!(details.retry_info().is_some());
    drop(stream);
    assert!(server.terminate());
}
