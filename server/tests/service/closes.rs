//! Closes through the service: the same bytes as from a folder, the same close for the same request.

use std::path::Path;
use std::process::Command;

use closemark_proto::v1;
use closemark_proto::v1::close_service_client::CloseServiceClient;
use closemark_proto::v1::reference_service_client::ReferenceServiceClient;
use tonic::Code;
use tonic::transport::Channel;

use crate::sample::{DAY, batch, generate, quotes, reference};
use crate::support::{Ingest, Server, refusal};

/// Takes a generated day in.
pub(crate) async fn take_in(server: &Server, input: &Path) {
    let mut stream = Ingest::open(server.channel().await).await.unwrap();
    for (place, part) in quotes(input).chunks(5_000).enumerate() {
        let sequence = place as u64 + 1;
        let answer = stream.send(batch("feed", sequence, part.to_vec())).await.unwrap();
        assert_eq!(answer.acknowledged_sequence, sequence);
    }
    stream.end().await.unwrap();
    let mut client = ReferenceServiceClient::new(server.channel().await);
    client.put_reference(reference(input, "reference")).await.unwrap();
}

/// The request of the close that a folder of the day would have.
pub(crate) fn request(input: &Path, request_id: &str) -> v1::StartCloseRequest {
    let header: toml::Table = std::fs::read_to_string(input.join("day.toml")).unwrap().parse().unwrap();
    let text = |value: &toml::Value| value.as_str().unwrap().to_owned();
    let roots = header.get("snapshots").and_then(|t| t.as_table()).cloned().unwrap_or_default();
    v1::StartCloseRequest {
        request_id: request_id.to_owned(),
        market_date: DAY.to_owned(),
        snapshot: text(&header["snapshot"]),
        root_snapshots: roots
            .iter()
            .map(|(root, at)| v1::RootSnapshot { root: root.clone(), snapshot: text(at) })
            .collect(),
        ..Default::default()
    }
}

/// Starts a close and watches it to its end.
pub(crate) async fn close(client: &mut CloseServiceClient<Channel>, request: v1::StartCloseRequest) -> v1::Close {
    let started = client.start_close(request).await.unwrap().into_inner();
    let name = started.operation.clone();
    let mut steps = client.watch_close(v1::WatchCloseRequest { name }).await.unwrap().into_inner();
    let mut last = None;
    while let Some(step) = steps.message().await.unwrap() {
        assert!(step.series_done <= step.series_count || step.series_count == 0);
        last = Some(step);
    }
    let last = last.unwrap();
    assert_eq!(last.stage, "ended");
    last.close.unwrap()
}

/// A generated day, taken in and closed by whoever is on loopback, under a service that has ended; the close.
pub(crate) async fn closed_day(folder: &Path) -> v1::Close {
    let input = folder.join("input");
    generate(&input);
    let server = Server::start(folder, &[]);
    take_in(&server, &input).await;
    let mut client = CloseServiceClient::new(server.channel().await);
    let closed = close(&mut client, request(&input, "eod")).await;
    drop(client);
    assert!(server.terminate());
    closed
}

/// Every file of a run but its timings, and of the manifest everything but where it came from.
fn content(run: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(run).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let mut bytes = std::fs::read(entry.path()).unwrap();
        if name == "manifest.json" {
            let mut manifest: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            manifest["provenance"].as_object_mut().unwrap().remove("audit_head").unwrap();
            bytes = serde_json::to_vec(&manifest).unwrap();
        }
        if name != "timings.json" {
            files.push((name, bytes));
        }
    }
    files.sort();
    files
}

#[tokio::test]
async fn a_day_taken_in_publishes_the_bytes_of_the_same_day_from_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input");
    generate(&input);
    let server = Server::start(folder.path(), &[]);
    take_in(&server, &input).await;
    let mut client = CloseServiceClient::new(server.channel().await);
    let closed = close(&mut client, request(&input, "eod-1")).await;
    assert_eq!(closed.state, "FINAL", "{closed:?}");
    assert!(closed.current && closed.gates.iter().all(|gate| gate.passed) && closed.audit_head.len() == 64);

    let out = folder.path().join("from-folder");
    let done = Command::new(env!("CARGO_BIN_EXE_closemark"))
        .args(["close", "--input"])
        .arg(&input)
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let run = format!("date={DAY}/run={}", closed.run_id);
    let (ours, theirs) = (content(&server.out().join(&run)), content(&out.join(&run)));
    assert!(ours.len() >= 5);
    assert_eq!(ours.iter().map(|f| &f.0).collect::<Vec<_>>(), theirs.iter().map(|f| &f.0).collect::<Vec<_>>());
    for ((name, a), (_, b)) in ours.iter().zip(&theirs) {
        assert!(a == b, "{name} differs");
    }

    // The same request is the same close, also after a restart; another content under its id is none.
    let again = client.start_close(request(&input, "eod-1")).await.unwrap().into_inner();
    assert_eq!((&again.operation, &again.run_id), (&closed.operation, &closed.run_id));
    let other = v1::StartCloseRequest { flat_rate: Some(0.01), ..request(&input, "eod-1") };
    assert_eq!(refusal(&client.start_close(other).await.unwrap_err()).1, "REQUEST_ID_REUSED");
    // Another request for the same content finds the run published.
    let second = close(&mut client, request(&input, "eod-2")).await;
    assert_eq!(second.run_id, closed.run_id);
    drop(client);
    assert!(server.terminate());

    let server = Server::start(folder.path(), &[]);
    let mut client = CloseServiceClient::new(server.channel().await);
    let again = client.start_close(request(&input, "eod-1")).await.unwrap().into_inner();
    assert_eq!(again.run_id, closed.run_id);
    for name in [closed.name.clone(), closed.operation.clone(), format!("dates/{DAY}/runs/current")] {
        let got = client.get_close(v1::GetCloseRequest { name }).await.unwrap().into_inner();
        assert_eq!((got.run_id, got.state.as_str()), (closed.run_id.clone(), "FINAL"));
    }

    // Pages, and tokens that this service did not give.
    let list =
        |page_size, page_token: String| v1::ListClosesRequest { market_date: DAY.to_owned(), page_size, page_token };
    let first = client.list_closes(list(1, String::new())).await.unwrap().into_inner();
    assert_eq!(first.closes.len(), 1);
    let rest = client.list_closes(list(10, first.next_page_token.clone())).await.unwrap().into_inner();
    assert_eq!((rest.closes.len(), rest.next_page_token.as_str()), (1, ""));
    assert_ne!(first.closes[0].operation, rest.closes[0].operation);
    for forged in ["x".to_owned(), first.next_page_token.to_uppercase(), format!("{}0", first.next_page_token)] {
        let status = client.list_closes(list(1, forged)).await.unwrap_err();
        let (code, _, details) = refusal(&status);
        assert_eq!(code, Code::InvalidArgument);
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "page_token");
    }
    // A run that is gone hides no other close: the ledger says what it knows.
    std::fs::remove_dir_all(server.out().join(&run)).unwrap();
    let rest = client.list_closes(list(10, String::new())).await.unwrap().into_inner();
    let seen: Vec<(&str, &str)> = rest.closes.iter().map(|c| (c.state.as_str(), c.run_id.as_str())).collect();
    assert_eq!(seen, [("UNREADABLE", closed.run_id.as_str()); 2]);
    let metrics = server.operations("/metrics").1;
    assert!(
        metrics.contains("closemark_call_seconds_bucket{method=\"closemark.v1.CloseService/GetClose\""),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_drain_waits_for_the_close_that_runs() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input");
    generate(&input);
    let server = Server::start(folder.path(), &[("CLOSE_THREADS", "1")]);
    take_in(&server, &input).await;
    let mut client = CloseServiceClient::new(server.channel().await);
    let name = client.start_close(request(&input, "eod-1")).await.unwrap().into_inner().operation;
    let mut steps = client.watch_close(v1::WatchCloseRequest { name: name.clone() }).await.unwrap().into_inner();
    while steps.message().await.unwrap().unwrap().stage == "waiting" {}
    drop((client, steps));
    assert!(server.terminate());
    // It was published before the service ended, not when it started again.
    assert!(folder.path().join("state/out").join(format!("date={DAY}/CURRENT")).is_file());
    let server = Server::start(folder.path(), &[]);
    let mut client = CloseServiceClient::new(server.channel().await);
    assert_eq!(client.get_close(v1::GetCloseRequest { name }).await.unwrap().into_inner().state, "FINAL");
    assert!(!server.logged().contains("starting again"));
}

#[tokio::test]
async fn names_of_closes_that_are_not_there_and_days_without_quotes() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut client = CloseServiceClient::new(server.channel().await);
    for name in [
        "dates/2026-11-20/runs/current",
        "dates/2026-11-20/runs/0123456789abcdef",
        "dates/2026-11-20/closes/0123456789abcdef",
    ] {
        let status = client.get_close(v1::GetCloseRequest { name: name.to_owned() }).await.unwrap_err();
        let (code, reason, details) = refusal(&status);
        assert_eq!((code, reason.as_str()), (Code::NotFound, "NOT_FOUND"));
        assert!(details.resource_info().is_some());
    }
    for name in ["", "dates/2026-11-20/runs/..%2f..", "dates/../../etc/runs/current", "dates/2026-11-20/runs/\u{0}"] {
        let status = client.get_close(v1::GetCloseRequest { name: name.to_owned() }).await.unwrap_err();
        assert_eq!(refusal(&status).0, Code::InvalidArgument, "{name:?}");
    }
    let good =
        || v1::StartCloseRequest { request_id: "r".to_owned(), market_date: DAY.to_owned(), ..Default::default() };
    for (field, request) in [
        ("market_date", v1::StartCloseRequest { market_date: "2026-11-31".to_owned(), ..good() }),
        ("request_id", v1::StartCloseRequest { request_id: "a b".to_owned(), ..good() }),
        ("request_id", v1::StartCloseRequest { request_id: format!("scheduled-{DAY}"), ..good() }),
        ("base_run", v1::StartCloseRequest { base_run: "../x".to_owned(), ..good() }),
        ("snapshot", v1::StartCloseRequest { snapshot: "four o'clock".to_owned(), ..good() }),
        ("flat_rate", v1::StartCloseRequest { flat_rate: Some(f64::NAN), ..good() }),
        ("settings_toml", v1::StartCloseRequest { settings_toml: "[gates]\nx = 1".to_owned(), ..good() }),
        ("only", v1::StartCloseRequest { only: vec!["A\nB".to_owned()], ..good() }),
        ("calendar", v1::StartCloseRequest { calendar: "mars".to_owned(), ..good() }),
    ] {
        let status = client.start_close(request).await.unwrap_err();
        let (code, _, details) = refusal(&status);
        assert_eq!(code, Code::InvalidArgument, "{status:?}");
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, field);
    }
    let base = v1::StartCloseRequest { base_run: "0123456789abcdef".to_owned(), ..good() };
    assert_eq!(client.start_close(base).await.unwrap_err().code(), Code::NotFound);

    let failed = close(&mut client, good()).await;
    assert_eq!(failed.state, "FAILED");
    assert!(failed.error.contains("nothing was taken in for 2026-11-20"), "{}", failed.error);
    let status = client
        .finalize_close(v1::FinalizeCloseRequest {
            name: failed.operation,
            reason: "x".to_owned(),
            request_id: "f".to_owned(),
        })
        .await
        .unwrap_err();
    assert_eq!(refusal(&status).1, "CLOSE_NOT_PUBLISHED");
}

#[tokio::test]
async fn a_close_held_by_a_gate_counts_once_a_person_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input");
    generate(&input);
    let server = Server::start(folder.path(), &[]);
    take_in(&server, &input).await;
    let mut client = CloseServiceClient::new(server.channel().await);
    let settings_toml = "[gates]\ninside_min = 1.0\ncoverage_min = 1.0\ndropped_rows_max = 0.0\n".to_owned();
    let held = close(&mut client, v1::StartCloseRequest { settings_toml, ..request(&input, "held") }).await;
    assert_eq!((held.state.as_str(), held.current), ("PRELIMINARY", false));
    assert!(held.gates.iter().any(|gate| !gate.passed));
    let finalize = |reason: &str| v1::FinalizeCloseRequest {
        name: held.name.clone(),
        reason: reason.to_owned(),
        request_id: "finalize-1".to_owned(),
    };
    let status = client.finalize_close(finalize("two\nlines")).await.unwrap_err();
    assert_eq!(refusal(&status).2.bad_request().unwrap().field_violations[0].field, "reason");
    for _ in 0..2 {
        let done = client.finalize_close(finalize("reviewed the dropped rows")).await.unwrap().into_inner();
        assert_eq!((done.state.as_str(), done.current), ("FINAL", true));
        assert_eq!(
            (done.state_set_by.as_str(), done.state_reason.as_str()),
            ("anonymous", "reviewed the dropped rows")
        );
    }
    assert_eq!(refusal(&client.finalize_close(finalize("another")).await.unwrap_err()).1, "REQUEST_ID_REUSED");
    // A better close replaces it, and it stays as CORRECTED.
    let better = close(&mut client, request(&input, "better")).await;
    assert_eq!((better.state.as_str(), better.current), ("FINAL", true));
    let before = client.get_close(v1::GetCloseRequest { name: held.name.clone() }).await.unwrap().into_inner();
    assert_eq!((before.state.as_str(), before.current), ("CORRECTED", false));
    assert!(before.state_reason.contains(&better.run_id));
    let status = client
        .finalize_close(v1::FinalizeCloseRequest { request_id: "finalize-2".to_owned(), ..finalize("again") })
        .await
        .unwrap_err();
    assert_eq!(refusal(&status).1, "NOT_FINALIZABLE");
}

#[tokio::test]
async fn a_close_that_was_killed_is_the_same_close_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input");
    generate(&input);
    let server = Server::start(folder.path(), &[]);
    take_in(&server, &input).await;
    let mut client = CloseServiceClient::new(server.channel().await);
    let started = client.start_close(request(&input, "eod")).await.unwrap().into_inner();
    server.kill();
    let server = Server::start(folder.path(), &[]);
    let mut client = CloseServiceClient::new(server.channel().await);
    let closed = close(&mut client, request(&input, "eod")).await;
    assert_eq!((&closed.operation, closed.state.as_str()), (&started.operation, "FINAL"));
}
