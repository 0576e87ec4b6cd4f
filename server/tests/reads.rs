//! Reads against the real server on loopback, compared with the published files as their plain readers read them.

#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod serving;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use closemark_data::date;
use closemark_data::publication::read::{MarkRow, SliceRow, read_marks, read_risk_arrays, read_slices};
use closemark_pricing::Price;
use closemark_proto::v1::mark_service_client::MarkServiceClient;
use closemark_proto::v1::risk_service_client::RiskServiceClient;
use closemark_proto::v1::surface_service_client::SurfaceServiceClient;
use closemark_proto::v1::{
    BatchGetMarksRequest, BatchGetRiskArraysRequest, Decimal, GetMarkRequest, GetRiskArrayRequest, GetSliceRequest,
    ListMarkChangesRequest, ListMarksRequest, ListSlicesRequest, Mark, StreamMarksRequest,
};
use serving::{DATE, Server, absent, close, run_folder, text};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt;

async fn channel(server: &Server) -> Channel {
    Endpoint::from_shared(server.address.clone()).unwrap().connect().await.unwrap()
}

async fn marks(server: &Server) -> MarkServiceClient<Channel> {
    MarkServiceClient::new(channel(server).await)
}

fn current() -> String {
    format!("dates/{DATE}/runs/current")
}

fn same(mark: &Mark, row: &MarkRow) {
    let money = |price: Option<Price>| price.map(|price| Decimal { micros: price.micros() });
    assert_eq!(mark.osi_symbol, row.osi_symbol);
    assert_eq!(mark.name, format!("dates/{DATE}/runs/{}/marks/{}", row.run_id, row.osi_symbol));
    assert_eq!((&mark.underlying, &mark.root), (&row.underlying, &row.root));
    assert_eq!(mark.expiration, date::to_text(row.expiration));
    assert_eq!(mark.strike, money(Some(row.strike)));
    assert_eq!(
        mark.option_type().as_str_name(),
        format!("OPTION_TYPE_{}", if row.option_type.as_str() == "C" { "CALL" } else { "PUT" })
    );
    assert_eq!(mark.settlement().as_str_name(), format!("SETTLEMENT_{}", row.settlement));
    assert_eq!(i64::from(mark.multiplier), row.multiplier);
    assert_eq!((&mark.currency, &mark.deliverable), (&row.currency, &row.deliverable));
    assert_eq!((mark.bid, mark.ask, mark.mid), (money(row.bid), money(row.ask), money(row.mid)));
    assert_eq!((mark.mark, mark.edit), (money(row.mark), money(row.edit)));
    assert_eq!(mark.bid_size.map(|size| size as i64), row.bid_size);
    assert_eq!(mark.quote_status, row.quote_status.as_str());
    assert_eq!((&mark.quote_flags, &mark.reasons), (&row.quote_flags, &row.reasons));
    assert_eq!(mark.mark_source, row.mark_source.as_str());
    assert_eq!(mark.implied_volatility, row.implied_volatility);
    assert_eq!(mark.smoothed_volatility, row.smoothed_volatility);
    assert_eq!(
        (mark.delta, mark.gamma, mark.vega, mark.theta, mark.rho),
        (row.delta, row.gamma, row.vega, row.theta, row.rho)
    );
    assert_eq!((mark.forward, mark.discount_factor_pico), (row.forward, row.discount_factor));
    assert_eq!(
        (mark.time_to_expiry, mark.total_variance, mark.confidence),
        (row.time_to_expiry, row.total_variance, row.confidence)
    );
    assert_eq!(mark.run_id, row.run_id);
}

/// The code, and that the details say more than the sentence.
fn refused(status: &Status, code: Code) {
    assert_eq!(status.code(), code, "{status}");
    let details = status.get_error_details();
    assert!(details.error_info().is_some(), "{status}");
    match code {
        Code::InvalidArgument => assert!(!details.bad_request().unwrap().field_violations.is_empty()),
        Code::NotFound => assert!(!details.resource_info().unwrap().resource_name.is_empty()),
        _ => {}
    }
}

#[tokio::test]
async fn series_batches_and_pages_are_what_was_published() {
    let out = tempfile::tempdir().unwrap();
    let run = close(out.path(), "0.04");
    let server = Server::start(out.path(), &[]);
    let rows = read_marks(&run_folder(out.path(), &run), None).unwrap();
    let mut client = marks(&server).await;

    for row in rows.iter().step_by(97) {
        for run in ["current", &run] {
            let name = format!("dates/{DATE}/runs/{run}/marks/{}", row.osi_symbol);
            same(&client.get_mark(GetMarkRequest { name }).await.unwrap().into_inner(), row);
        }
    }

    let mut osi_symbols: Vec<String> = rows.iter().rev().take(999).map(|row| row.osi_symbol.clone()).collect();
    osi_symbols.insert(3, "NONE  261218C00001000".to_owned());
    let batch = BatchGetMarksRequest { parent: current(), osi_symbols };
    let answer = client.batch_get_marks(batch).await.unwrap().into_inner();
    assert_eq!(answer.missing, ["NONE  261218C00001000"]);
    assert_eq!(answer.marks.len(), 999.min(rows.len()));
    answer.marks.iter().zip(rows.iter().rev()).for_each(|(mark, row)| same(mark, row));

    // Pages of every kind of filter, compared with the file filtered here.
    let one = &rows[rows.len() / 2];
    let expiration = date::to_text(one.expiration);
    for (underlying, expiration, size) in [
        ("", "", 0),
        (one.underlying.as_str(), "", 13),
        ("", expiration.as_str(), 50),
        (&one.underlying, &expiration, 7),
        ("NONE", "", 0),
    ] {
        let mut request = ListMarksRequest {
            parent: current(),
            underlying: underlying.to_owned(),
            expiration: expiration.to_owned(),
            page_size: size,
            page_token: String::new(),
        };
        let mut found = Vec::new();
        loop {
            let page = client.list_marks(request.clone()).await.unwrap().into_inner();
            assert!(page.marks.len() <= if size == 0 { 1000 } else { size as usize });
            found.extend(page.marks);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let wanted: Vec<&MarkRow> = rows
            .iter()
            .filter(|row| underlying.is_empty() || row.underlying == underlying)
            .filter(|row| expiration.is_empty() || date::to_text(row.expiration) == expiration)
            .collect();
        assert_eq!(found.len(), wanted.len());
        found.iter().zip(wanted).for_each(|(mark, row)| same(mark, row));
    }
}

#[tokio::test]
async fn a_stream_resumes_where_it_was_cut_also_after_a_restart() {
    let out = tempfile::tempdir().unwrap();
    let run = close(out.path(), "0.04");
    let server = Server::start(out.path(), &[]);
    let rows = read_marks(&run_folder(out.path(), &run), None).unwrap();
    let request = |resume_token: &str| StreamMarksRequest { parent: current(), resume_token: resume_token.to_owned() };
    let mut stream = marks(&server).await.stream_marks(request("")).await.unwrap().into_inner();
    let first = stream.message().await.unwrap().unwrap();
    let mut found = first.marks;
    drop(stream);
    // Another run becomes the one that counts, and the server is another: the stream goes on in the run it began.
    assert_ne!(close(out.path(), "0.05"), run);
    let server = server.restart(out.path());
    let mut stream = marks(&server).await.stream_marks(request(&first.resume_token)).await.unwrap().into_inner();
    while let Some(message) = stream.message().await.unwrap() {
        found.extend(message.marks);
    }
    assert_eq!(found.len(), rows.len());
    found.iter().zip(&rows).for_each(|(mark, row)| same(mark, row));
}

#[tokio::test]
async fn pages_stay_in_their_run_and_changes_are_those_between_the_files() {
    let out = tempfile::tempdir().unwrap();
    let older = close(out.path(), "0.04");
    let server = Server::start(out.path(), &[]);
    let mut client = marks(&server).await;
    let list = |page_token: &str| ListMarksRequest {
        parent: current(),
        page_token: page_token.to_owned(),
        ..ListMarksRequest::default()
    };
    let page = client.list_marks(list("")).await.unwrap().into_inner();
    assert!(page.marks.iter().all(|mark| mark.run_id == older));
    let newer = close(out.path(), "0.05");
    let next = client.list_marks(list(&page.next_page_token)).await.unwrap().into_inner();
    assert!(!next.marks.is_empty() && next.marks.iter().all(|mark| mark.run_id == older));
    let fresh = client.list_marks(list("")).await.unwrap().into_inner();
    assert!(fresh.marks.iter().all(|mark| mark.run_id == newer));

    let read = |run: &str| -> BTreeMap<String, Option<i64>> {
        let rows = read_marks(&run_folder(out.path(), run), None).unwrap();
        rows.into_iter().map(|row| (row.osi_symbol, row.mark.map(Price::micros))).collect()
    };
    let (before, after) = (read(&older), read(&newer));
    let expected: BTreeSet<String> = after
        .iter()
        .filter(|(symbol, mark)| before.get(*symbol) != Some(*mark))
        .map(|(symbol, _)| symbol.clone())
        .collect();
    assert!(!expected.is_empty());
    let mut found = BTreeSet::new();
    let mut request =
        ListMarkChangesRequest { parent: current(), base_run: older.clone(), page_size: 37, page_token: String::new() };
    loop {
        let page = client.list_mark_changes(request.clone()).await.unwrap().into_inner();
        for change in page.changes {
            assert_eq!(change.before.map(|d| d.micros), before[&change.osi_symbol]);
            assert_eq!(change.after.map(|d| d.micros), after[&change.osi_symbol]);
            assert_eq!((change.multiplier, change.currency.as_str()), (100, "USD"));
            assert!(found.insert(change.osi_symbol));
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(found, expected);
}

#[tokio::test]
async fn slices_come_with_their_fit_and_their_marks() {
    let out = tempfile::tempdir().unwrap();
    let run = close(out.path(), "0.04");
    let server = Server::start(out.path(), &[]);
    let folder = run_folder(out.path(), &run);
    let mut client = SurfaceServiceClient::new(channel(&server).await);
    let rows = read_slices(&folder, None).unwrap();
    let underlyings: BTreeSet<&str> = rows.iter().map(|row| row.underlying.as_str()).collect();
    for underlying in underlyings {
        let own: Vec<&SliceRow> = rows.iter().filter(|row| row.underlying == underlying).collect();
        let mut request = ListSlicesRequest {
            parent: format!("{}/underlyings/{underlying}", current()),
            page_size: 3,
            page_token: String::new(),
        };
        let mut slices = Vec::new();
        loop {
            let page = client.list_slices(request.clone()).await.unwrap().into_inner();
            slices.extend(page.slices);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert_eq!(slices.len(), own.len());
        let marks = read_marks(&folder, Some(underlying)).unwrap();
        for (slice, row) in slices.iter().zip(own) {
            assert_eq!(
                slice.name,
                format!(
                    "dates/{DATE}/runs/{run}/underlyings/{underlying}/slices/{}-{}-{}",
                    row.root,
                    date::to_text(row.expiration),
                    row.settlement
                )
            );
            assert!(slice.curve_log_moneyness.is_empty());
            let answer = client.get_slice(GetSliceRequest { name: slice.name.clone() }).await.unwrap().into_inner();
            let whole = answer.slice.unwrap();
            assert_eq!((whole.forward, whole.atm_volatility, whole.chi), (row.forward, row.atm_volatility, row.chi));
            assert_eq!(whole.curve_log_moneyness, row.curve_log_moneyness);
            assert_eq!(whole.curve_total_variance, row.curve_total_variance);
            assert_eq!(whole.solver_status, row.solver_status.as_str());
            assert_eq!(i64::from(whole.violations_before.unwrap().butterfly), row.violations_before_butterfly);
            assert_eq!((whole.multiplier, whole.currency.as_str()), (100, "USD"));
            let wanted: Vec<&MarkRow> = marks
                .iter()
                .filter(|mark| {
                    (mark.expiration, mark.settlement, &mark.root, &mark.deliverable)
                        == (row.expiration, row.settlement, &row.root, &row.deliverable)
                })
                .collect();
            assert_eq!(answer.marks.len(), wanted.len());
            answer.marks.iter().zip(wanted).for_each(|(mark, row)| same(mark, row));
        }
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_details() {
    let out = tempfile::tempdir().unwrap();
    let run = close(out.path(), "0.04");
    let server = Server::start(out.path(), &[]);
    let mut client = marks(&server).await;
    let mut surfaces = SurfaceServiceClient::new(channel(&server).await);
    let symbol = read_marks(&run_folder(out.path(), &run), None).unwrap()[0].osi_symbol.clone();

    for (name, code) in [
        (format!("{}/marks/NONE  261218C00001000", current()), Code::NotFound),
        (format!("dates/2020-01-02/runs/current/marks/{symbol}"), Code::NotFound),
        (format!("dates/{DATE}/runs/0000000000000000/marks/{symbol}"), Code::NotFound),
        (format!("dates/../runs/current/marks/{symbol}"), Code::InvalidArgument),
        (format!("dates/{DATE}/runs/..%2F..%2Fetc/marks/{symbol}"), Code::InvalidArgument),
        ("".to_owned(), Code::InvalidArgument),
        (format!("{}/marks/{}", current(), "x".repeat(100_000)), Code::InvalidArgument),
    ] {
        refused(&client.get_mark(GetMarkRequest { name }).await.unwrap_err(), code);
    }
    let batch = BatchGetMarksRequest { parent: current(), osi_symbols: vec![symbol.clone(); 1001] };
    refused(&client.batch_get_marks(batch).await.unwrap_err(), Code::InvalidArgument);
    for page_size in [-1, 10_001] {
        let request = ListMarksRequest { parent: current(), page_size, ..ListMarksRequest::default() };
        refused(&client.list_marks(request).await.unwrap_err(), Code::InvalidArgument);
    }
    let request = ListMarksRequest { parent: current(), expiration: "soon".to_owned(), ..ListMarksRequest::default() };
    refused(&client.list_marks(request).await.unwrap_err(), Code::InvalidArgument);
    let request =
        ListMarkChangesRequest { parent: current(), base_run: "../x".to_owned(), ..ListMarkChangesRequest::default() };
    refused(&client.list_mark_changes(request).await.unwrap_err(), Code::InvalidArgument);
    let base_run = "0000000000000000".to_owned();
    let request = ListMarkChangesRequest { parent: current(), base_run, ..ListMarkChangesRequest::default() };
    refused(&client.list_mark_changes(request).await.unwrap_err(), Code::NotFound);
    let parent = format!("{}/underlyings/NONE", current());
    refused(
        &surfaces.list_slices(ListSlicesRequest { parent, ..ListSlicesRequest::default() }).await.unwrap_err(),
        Code::NotFound,
    );
    let name = format!("{}/underlyings/NONE/slices/NONE-2026-12-18-PM", current());
    refused(&surfaces.get_slice(GetSliceRequest { name }).await.unwrap_err(), Code::NotFound);

    // A token that was given, and every way to make it another.
    let list = |page_token: String| ListMarksRequest {
        parent: current(),
        page_size: 5,
        page_token,
        ..ListMarksRequest::default()
    };
    let token = client.list_marks(list(String::new())).await.unwrap().into_inner().next_page_token;
    assert!(client.list_marks(list(token.clone())).await.is_ok());
    let mut flipped = token.clone().into_bytes();
    flipped[30] = if flipped[30] == b'0' { b'1' } else { b'0' };
    for forged in [
        String::from_utf8(flipped).unwrap(),
        token[1..].to_owned(),
        format!("{token}0"),
        "x".to_owned(),
        token.to_uppercase(),
    ] {
        refused(&client.list_marks(list(forged)).await.unwrap_err(), Code::InvalidArgument);
    }
    // Another request's token, and another method's.
    let other = ListMarksRequest { underlying: "SPX".to_owned(), ..list(token.clone()) };
    refused(&client.list_marks(other).await.unwrap_err(), Code::InvalidArgument);
    let stream = StreamMarksRequest { parent: current(), resume_token: token };
    refused(&client.stream_marks(stream).await.unwrap_err(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_close_that_was_damaged_is_not_served() {
    let out = tempfile::tempdir().unwrap();
    let run = close(out.path(), "0.04");
    let file = run_folder(out.path(), &run).join("marks.parquet");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(&file, bytes).unwrap();
    let server = Server::start(out.path(), &[]);
    let request = ListMarksRequest { parent: current(), ..ListMarksRequest::default() };
    let status = marks(&server).await.list_marks(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DataLoss);
    assert!(!status.message().contains(text(out.path())), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_at_full_speed_see_no_error_and_no_two_runs_in_one_answer() {
    let out = tempfile::tempdir().unwrap();
    let first = close(out.path(), "0.040");
    let server = Server::start(out.path(), &[]);
    let symbols: Vec<String> = read_marks(&run_folder(out.path(), &first), None)
        .unwrap()
        .into_iter()
        .map(|row| row.osi_symbol)
        .take(400)
        .collect();
    let done = Arc::new(AtomicBool::new(false));
    let mut readers = Vec::new();
    for reader in 0..4 {
        let (mut client, symbols, done) = (marks(&server).await, symbols.clone(), done.clone());
        readers.push(tokio::spawn(async move {
            let mut runs = BTreeSet::new();
            let mut at = reader;
            while !done.load(Ordering::Acquire) {
                let batch = BatchGetMarksRequest { parent: current(), osi_symbols: symbols.clone() };
                let answer = client.batch_get_marks(batch).await.unwrap().into_inner();
                assert_eq!((answer.marks.len(), answer.missing.len()), (symbols.len(), 0));
                let run = answer.marks[0].run_id.clone();
                assert!(answer.marks.iter().all(|mark| mark.run_id == run));
                runs.insert(run);
                at = (at + 1) % symbols.len();
                let name = format!("{}/marks/{}", current(), symbols[at]);
                runs.insert(client.get_mark(GetMarkRequest { name }).await.unwrap().into_inner().run_id);
            }
            runs
        }));
    }
    let folder = out.path().to_owned();
    let published = tokio::task::spawn_blocking(move || {
        ["0.041", "0.042", "0.043"].map(|rate| close(&folder, rate)).into_iter().collect::<BTreeSet<String>>()
    });
    let mut known = published.await.unwrap();
    known.insert(first);
    // Whoever asks now is given the last of them.
    done.store(true, Ordering::Release);
    for reader in readers {
        let seen = reader.await.unwrap();
        assert!(seen.len() > 1 && seen.is_subset(&known), "{seen:?} of {known:?}");
    }
}

/// A Python with pyarrow from PyPI, in an environment that is made here once; `None` where there is none to be had.
fn pyarrow() -> Option<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pyarrow");
    let python = folder.join("bin/python");
    let has = |python: &Path| {
        Command::new(python).args(["-c", "import pyarrow.flight"]).output().is_ok_and(|o| o.status.success())
    };
    if !has(&python) {
        let made = Command::new("python3").args(["-m", "venv", text(&folder)]).output().ok()?;
        let installed = made.status.success()
            && Command::new(&python)
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "pyarrow"])
                .output()
                .is_ok_and(|output| output.status.success());
        if !installed {
            return None;
        }
    }
    Some(python).filter(|python| has(python))
}

#[test]
fn pyarrow_reads_by_flight_what_stands_in_the_files() {
    let Some(python) = pyarrow() else { return absent("Arrow Flight by pyarrow: no Python, or no PyPI") };
    let out = tempfile::tempdir().unwrap();
    let run = close(out.path(), "0.04");
    let server = Server::start(out.path(), &[]);
    let location = server.address.replace("http://", "grpc://");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reads/flight.py");
    let output = Command::new(python).arg(script).args([&location, text(out.path()), DATE, &run, ""]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.starts_with("rows "), "{said}");
}

#[tokio::test]
async fn risk_arrays_come_by_series_and_batch_as_the_file_has_them() {
    let out = tempfile::tempdir().unwrap();
    let run = close(out.path(), "0.04");
    let server = Server::start(out.path(), &[]);
    let folder = run_folder(out.path(), &run);
    let (rows, listed) = (read_risk_arrays(&folder, None).unwrap(), read_marks(&folder, None).unwrap());
    let mut client = RiskServiceClient::new(channel(&server).await);
    let mut osi_symbols: Vec<String> = rows.iter().rev().take(999).map(|row| row.osi_symbol.clone()).collect();
    osi_symbols.insert(1, "NONE  261218C00001000".to_owned());
    let batch = BatchGetRiskArraysRequest { parent: current(), osi_symbols };
    let answer = client.batch_get_risk_arrays(batch).await.unwrap().into_inner();
    assert_eq!(answer.missing, ["NONE  261218C00001000"]);
    assert_eq!(answer.risk_arrays.len(), 999.min(rows.len()));
    for (array, row) in answer.risk_arrays.iter().zip(rows.iter().rev()) {
        assert_eq!(array.osi_symbol, row.osi_symbol);
        let points: Vec<i64> = array.points.iter().map(|point| point.micros).collect();
        assert_eq!(points, row.points.map(Price::micros));
        assert_eq!(array.mark, Some(Decimal { micros: row.mark.micros() }));
        assert_eq!(array.minimum_charge, Some(Decimal { micros: row.minimum_charge.micros() }));
        assert_eq!(array.implied_volatility, row.implied_volatility);
        assert_eq!((array.range_down, array.range_up), (row.range_down as f64 / 1e12, row.range_up as f64 / 1e12));
        let mark = listed.iter().find(|mark| mark.osi_symbol == row.osi_symbol).unwrap();
        assert_eq!((&array.currency, &array.underlying), (&mark.currency, &mark.underlying));
        assert_eq!(i64::from(array.multiplier), mark.multiplier);
    }
    let name = |symbol: &str| GetRiskArrayRequest { name: format!("{}/riskArrays/{symbol}", current()) };
    let one = client.get_risk_array(name(&rows[0].osi_symbol)).await.unwrap().into_inner();
    assert_eq!(one.name, format!("dates/{DATE}/runs/{run}/riskArrays/{}", rows[0].osi_symbol));
    refused(&client.get_risk_array(name("NONE  261218C00001000")).await.unwrap_err(), Code::NotFound);
    refused(&client.get_risk_array(name("")).await.unwrap_err(), Code::InvalidArgument);
}
