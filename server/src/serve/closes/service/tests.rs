//! Tests of starting closes.

use std::future::Future;
use std::task::{Context, Waker};
use std::time::Duration;

use super::start;
use crate::serve::config::ServeConfig;
use crate::serve::drain::DrainSwitch;
use crate::serve::ledger::{CloseRequest, CloseState, close_id};
use crate::serve::state::Service;

fn request() -> CloseRequest {
    CloseRequest { market_date: "2026-11-20".to_owned(), ..CloseRequest::default() }
}

#[tokio::test]
async fn a_caller_who_leaves_loses_no_close() {
    let folder = tempfile::tempdir().unwrap();
    let (mut config, _) = ServeConfig::read(None).unwrap();
    config.storage.folder = folder.path().to_owned();
    let (_switch, drain) = DrainSwitch::new();
    let service = Service::open(config, drain).unwrap();
    {
        let mut call = Box::pin(start(&service, "left".to_owned(), request(), "otto"));
        // The request is on its way, and the caller hangs up.
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let ended = |request_id: &'static str| {
        let service = service.clone();
        async move {
            loop {
                let known = service.ledger.close_by_id(&close_id(request_id)).unwrap();
                if let Some(known) = known.filter(|known| known.state != CloseState::Running) {
                    return known;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    };
    // A close that never runs would let this wait for ever.
    let limit = Duration::from_secs(60);
    let record = tokio::time::timeout(limit, ended("left")).await.unwrap();
    assert!(record.error.is_some_and(|error| error.contains("nothing was taken in")));

    // A row that says RUNNING, of which nobody knows here, is put in line by the next request.
    service.ledger.start_close("lost", &request(), "otto", super::clock::now()).unwrap();
    assert_eq!(start(&service, "lost".to_owned(), request(), "otto").await.unwrap().state, CloseState::Running);
    tokio::time::timeout(limit, ended("lost")).await.unwrap();
}
