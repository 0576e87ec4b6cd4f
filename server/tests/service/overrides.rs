//! Overrides: two people, a new run, and marks around it that still hold.

use std::process::Command;

use closemark_data::publication::read::{read_mark, read_marks};
use closemark_pricing::vocabulary::MarkSource;
use closemark_proto::v1;
use closemark_proto::v1::close_service_client::CloseServiceClient;
use tonic::metadata::MetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::closes::{closed_day, request};
use crate::sample::DAY;
use crate::security::{access_file, bearer, token};
use crate::support::{Server, refusal};

pub(crate) type Person<F> = CloseServiceClient<InterceptedService<Channel, F>>;

pub(crate) fn person(
    channel: Channel,
    token: &str,
) -> Person<impl FnMut(Request<()>) -> Result<Request<()>, Status> + Clone> {
    let value: MetadataValue<_> = bearer(token).parse().unwrap();
    CloseServiceClient::with_interceptor(channel, move |mut request: Request<()>| {
        request.metadata_mut().insert("authorization", value.clone());
        Ok(request)
    })
}

#[tokio::test]
async fn an_override_takes_two_people_and_makes_a_run_that_still_holds() {
    let folder = tempfile::tempdir().unwrap();
    // The people come after the close.
    let input = folder.path().join("input");
    let first = closed_day(folder.path()).await;
    let access = access_file(folder.path(), &[("alice", "override"), ("bob", "override"), ("otto", "operate")], "");
    let server = Server::start(folder.path(), &[("SECURITY_ACCESS_FILE", access.to_str().unwrap())]);
    let channel = server.channel().await;
    let (mut alice, mut bob, mut otto) =
        (person(channel.clone(), "alice"), person(channel.clone(), "bob"), person(channel, "otto"));

    // A series whose mark can move a little without breaking anything.
    let run = server.out().join(format!("date={DAY}/run={}", first.run_id));
    let marks = read_marks(&run, None).unwrap();
    let candidate = |row: &&closemark_data::publication::read::MarkRow| {
        row.mark_source == MarkSource::Smoothed && row.mark.is_some_and(|mark| mark.micros() > 500_000)
    };
    let series = marks.iter().filter(candidate).nth(20).unwrap();
    let mark = series.mark.unwrap().micros() + 20_000;
    let propose = |request_id: &str| v1::OverrideMarkRequest {
        parent: format!("dates/{DAY}/runs/current"),
        osi_symbol: series.osi_symbol.clone(),
        mark: Some(v1::Decimal { micros: mark }),
        multiplier: 100,
        currency: "USD".to_owned(),
        reason: "trade bust, see the exchange's notice".to_owned(),
        request_id: request_id.to_owned(),
    };
    for (field, bad) in [
        ("multiplier", v1::OverrideMarkRequest { multiplier: 10, ..propose("p") }),
        ("currency", v1::OverrideMarkRequest { currency: "EUR".to_owned(), ..propose("p") }),
        ("mark", v1::OverrideMarkRequest { mark: Some(v1::Decimal { micros: -1 }), ..propose("p") }),
        ("mark", v1::OverrideMarkRequest { mark: None, ..propose("p") }),
        ("reason", v1::OverrideMarkRequest { reason: String::new(), ..propose("p") }),
        ("osi_symbol", v1::OverrideMarkRequest { osi_symbol: "x".repeat(500), ..propose("p") }),
        ("parent", v1::OverrideMarkRequest { parent: "dates/../runs/current".to_owned(), ..propose("p") }),
    ] {
        let status = alice.override_mark(bad).await.unwrap_err();
        let (code, _, details) = refusal(&status);
        assert_eq!(code, Code::InvalidArgument, "{status:?}");
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, field);
    }
    let unknown = v1::OverrideMarkRequest { osi_symbol: "NONE  261218C00100000".to_owned(), ..propose("p") };
    assert_eq!(alice.override_mark(unknown).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(otto.override_mark(propose("p")).await.unwrap_err().code(), Code::PermissionDenied);

    let proposed = alice.override_mark(propose("p-1")).await.unwrap().into_inner();
    assert_eq!((proposed.state.as_str(), proposed.author.as_str()), ("PROPOSED", "alice"));
    assert_eq!(alice.override_mark(propose("p-1")).await.unwrap().into_inner().name, proposed.name);
    let answer = |request_id: &str| v1::ApproveOverrideRequest {
        name: proposed.name.clone(),
        approve: true,
        reason: "checked against the notice".to_owned(),
        request_id: request_id.to_owned(),
    };
    // Not the author; and not before somebody else has agreed does it count.
    let status = alice.approve_override(answer("a-0")).await.unwrap_err();
    assert_eq!(refusal(&status).1, "SECOND_PERSON_NEEDED");
    let mut again = otto.start_close(request(&input, "unchanged")).await.unwrap().into_inner();
    while again.state == "RUNNING" {
        let name = again.operation.clone();
        let mut steps = otto.watch_close(v1::WatchCloseRequest { name }).await.unwrap().into_inner();
        while let Some(step) = steps.message().await.unwrap() {
            again = step.close.unwrap_or(again);
        }
    }
    assert_eq!(again.run_id, first.run_id);
    let approved = bob.approve_override(answer("a-1")).await.unwrap().into_inner();
    assert_eq!((approved.state.as_str(), approved.approver.as_str()), ("APPROVED", "bob"));
    assert_eq!(bob.approve_override(answer("a-1")).await.unwrap().into_inner(), approved);
    assert_eq!(refusal(&bob.approve_override(answer("a-2")).await.unwrap_err()).1, "OVERRIDE_ANSWERED");
    let listed = bob
        .list_overrides(v1::ListOverridesRequest { parent: format!("dates/{DAY}"), ..Default::default() })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.overrides, [approved]);

    let with = v1::StartCloseRequest { base_run: first.run_id.clone(), ..request(&input, "corrected") };
    let started = otto.start_close(with).await.unwrap().into_inner();
    let mut steps = otto.watch_close(v1::WatchCloseRequest { name: started.operation }).await.unwrap().into_inner();
    let mut corrected = None;
    while let Some(step) = steps.message().await.unwrap() {
        corrected = step.close;
    }
    let corrected = corrected.unwrap();
    assert_eq!((corrected.state.as_str(), corrected.override_count), ("FINAL", 1), "{corrected:?}");
    assert_eq!(corrected.base_run, first.run_id);
    assert_ne!(corrected.run_id, first.run_id);
    let folder_of_run = server.out().join(format!("date={DAY}/run={}", corrected.run_id));
    let row = read_mark(&folder_of_run, &series.osi_symbol).unwrap().unwrap();
    assert_eq!((row.mark.unwrap().micros(), row.mark_source), (mark, MarkSource::Override));
    let manifest = std::fs::read_to_string(folder_of_run.join("manifest.json")).unwrap();
    assert!(manifest.contains("alice, approved by bob") && manifest.contains("trade bust"));

    // The exact checks of the published files know nothing of how they came about.
    let verified = Command::new(env!("CARGO_BIN_EXE_closemark")).arg("verify").arg(&folder_of_run).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));

    // A correction of another name takes the fixed mark from its base, and is not stopped by it.
    let mut correct = async |request_id: &str, only: &str, base_run: &str| {
        let asked = v1::StartCloseRequest {
            base_run: base_run.to_owned(),
            only: vec![only.to_owned()],
            ..request(&input, request_id)
        };
        let name = otto.start_close(asked).await.unwrap().into_inner().operation;
        let mut steps = otto.watch_close(v1::WatchCloseRequest { name }).await.unwrap().into_inner();
        let mut last = None;
        while let Some(step) = steps.message().await.unwrap() {
            last = step.close;
        }
        last.unwrap()
    };
    let other = marks.iter().find(|row| row.underlying != series.underlying).unwrap().underlying.clone();
    let of_other = correct("other", &other, &corrected.run_id).await;
    assert_eq!((of_other.state.as_str(), of_other.override_count), ("FINAL", 1), "{of_other:?}");
    let run = |id: &str| server.out().join(format!("date={DAY}/run={id}"));
    let row = read_mark(&run(&of_other.run_id), &series.osi_symbol).unwrap().unwrap();
    assert_eq!((row.mark.unwrap().micros(), row.mark_source), (mark, MarkSource::Override));

    // Another person than the author takes it back; the next run of the name does without it.
    let withdraw = |request_id: &str| v1::WithdrawOverrideRequest {
        name: proposed.name.clone(),
        reason: "the notice was recalled".to_owned(),
        request_id: request_id.to_owned(),
    };
    let status = alice.withdraw_override(withdraw("w-1")).await.unwrap_err();
    assert_eq!(refusal(&status).1, "SECOND_PERSON_NEEDED");
    // From the command line, as whoever is at a terminal does it.
    let token_file = folder.path().join("bob.token");
    std::fs::write(&token_file, token("bob")).unwrap();
    let address = format!("http://{}", server.address);
    let mut command = Command::new(env!("CARGO_BIN_EXE_closemark"));
    command.args(["override", "--server", &address, "--date", DAY, "--token-file"]).arg(&token_file);
    command.args(["--reason", "the notice was recalled", "--withdraw", &proposed.name]);
    for _ in 0..2 {
        // The same command twice is one request.
        let said = command.output().unwrap();
        let text = String::from_utf8_lossy(&said.stdout);
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        assert!(text.contains("WITHDRAWN by alice, answered by bob, withdrawn by bob"), "{text}");
    }
    let asked = v1::ListOverridesRequest { parent: format!("dates/{DAY}"), ..Default::default() };
    let withdrawn = bob.list_overrides(asked).await.unwrap().into_inner().overrides.remove(0);
    assert_eq!((withdrawn.state.as_str(), withdrawn.withdrawn_by.as_str()), ("WITHDRAWN", "bob"));
    assert_eq!(withdrawn.withdrawal_reason, "the notice was recalled");
    let without = correct("without", &series.underlying, &of_other.run_id).await;
    assert_eq!((without.state.as_str(), without.override_count), ("FINAL", 0), "{without:?}");
    let row = read_mark(&run(&without.run_id), &series.osi_symbol).unwrap().unwrap();
    assert_eq!((row.mark, row.mark_source), (series.mark, series.mark_source));
}
