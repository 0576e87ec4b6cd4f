//! Overrides on the page, in a real Chromium: one person proposes, another approves, the next run has the mark.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use closemark_data::publication::read::{MarkRow, read_marks};
use closemark_pricing::vocabulary::MarkSource;
use closemark_proto::v1;
use serde_json::json;

use crate::browser::{self, Browser};
use crate::closes::{closed_day, request};
use crate::overrides::person;
use crate::sample::DAY;
use crate::security::{access_file, token};
use crate::support::Server;

/// Types into a field as a person would, as far as the page can tell.
fn fill(browser: &mut Browser, field: &str, text: &str) {
    browser.evaluate(&format!("document.querySelector({}).value = {}", json!(field), json!(text)));
}

/// Signs in through the form that stands there.
fn sign_in(browser: &mut Browser, name: &str) {
    fill(browser, "#token", &token(name));
    browser.evaluate("document.getElementById('token-form').requestSubmit()");
    browser.wait(&format!("document.getElementById('person').textContent.startsWith('{name} ')"));
}

/// Goes to a state inside the page, which keeps the token.
fn go(browser: &mut Browser, state: serde_json::Value) {
    browser.evaluate(&format!("import('./state.js').then((state) => state.go({state}))"));
}

/// A POST by hand: its status.
fn post(address: SocketAddr, path: &str, headers: &str, body: &str) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_mark_is_overridden_on_the_page_by_two_people() {
    let Some(program) = browser::program() else {
        println!("passed over: no Chromium");
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"));
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    // The people come after the close.
    let input = folder.path().join("input");
    let first = closed_day(folder.path()).await;
    let people = [("alice", "read,override"), ("bob", "read,override"), ("otto", "read,operate")];
    let access = access_file(folder.path(), &people, "");
    let server = Server::start(folder.path(), &[("SECURITY_ACCESS_FILE", access.to_str().unwrap())]);
    let marks = read_marks(&server.out().join(format!("date={DAY}/run={}", first.run_id)), None).unwrap();
    let candidate = |row: &&MarkRow| {
        row.mark_source == MarkSource::Smoothed && row.mark.is_some_and(|mark| mark.micros() > 500_000)
    };
    let series = marks.iter().filter(candidate).nth(20).unwrap();
    let mark = format!("{:.6}", (series.mark.unwrap().micros() + 20_000) as f64 / 1e6);

    // Nobody sees anything without a name; a token that nobody has is refused in words.
    let mut browser = Browser::start(&program, 1280, 900, false);
    browser.open(&format!("http://{}/?date={DAY}", server.address));
    browser.wait("document.getElementById('token-form') !== null");
    fill(&mut browser, "#token", "wrong");
    browser.evaluate("document.getElementById('token-form').requestSubmit()");
    browser.wait("document.querySelector('#token-form .bad').textContent.includes('unknown')");
    sign_in(&mut browser, "alice");
    browser.wait("document.getElementById('board') !== null");

    let chosen = json!({"u": series.underlying, "series": series.osi_symbol, "slice": "", "tab": ""});
    go(&mut browser, chosen.clone());
    browser.wait("document.querySelector('form.propose') !== null");
    // The service took the day in: its log shows where the mark comes from.
    browser.wait("document.querySelectorAll('.side .venues tbody tr').length > 0");
    fill(&mut browser, "form.propose [name=mark]", &mark);
    fill(&mut browser, "form.propose [name=reason]", "trade bust, see the exchange's notice");
    browser.evaluate("document.querySelector('form.propose').requestSubmit()");
    browser.wait("document.querySelector('.proposal')?.textContent.includes('waits for a second person')");
    let shown = browser.evaluate("document.querySelector('.proposal').textContent");
    assert!(shown.as_str().unwrap().contains(&mark) && shown.as_str().unwrap().contains("by alice"), "{shown}");
    // Who proposed is not offered the answer, and the token stands nowhere that outlives the page.
    assert_eq!(browser.evaluate("document.querySelectorAll('form.answer').length"), json!(0));
    let kept = browser.evaluate("localStorage.length + sessionStorage.length + document.cookie.length");
    assert_eq!(kept, json!(0));
    let address = browser.evaluate("location.href");
    assert!(!address.as_str().unwrap().contains(&token("alice")));

    browser.evaluate("document.getElementById('sign-out').click()");
    browser.wait("document.getElementById('token-form') !== null");
    sign_in(&mut browser, "otto");
    browser
        .wait("document.querySelector('.proposal') !== null && !document.querySelector('form.answer, form.propose')");
    browser.evaluate("document.getElementById('sign-out').click()");
    browser.wait("document.getElementById('token-form') !== null");
    sign_in(&mut browser, "bob");
    browser.wait("document.querySelector('form.answer') !== null");
    go(&mut browser, json!({"u": "", "series": "", "slice": ""}));
    browser.wait("document.querySelector('.waiting a') !== null");
    assert_eq!(browser.evaluate("document.querySelector('.waiting a').textContent"), json!(series.osi_symbol));
    browser.evaluate("document.querySelector('.waiting a').click()");
    browser.wait("document.querySelector('form.answer') !== null");
    fill(&mut browser, "form.answer [name=reason]", "checked against the notice");
    browser.evaluate("document.querySelector('form.answer').requestSubmit()");
    browser.wait("document.querySelector('.proposal')?.textContent.includes('approved, takes effect')");

    // The next close of the day has it, and says who.
    let mut otto = person(server.channel().await, "otto");
    let again = v1::StartCloseRequest { base_run: first.run_id.clone(), ..request(&input, "corrected") };
    let started = otto.start_close(again).await.unwrap().into_inner();
    let mut steps = otto.watch_close(v1::WatchCloseRequest { name: started.operation }).await.unwrap().into_inner();
    let mut corrected = None;
    while let Some(step) = steps.message().await.unwrap() {
        corrected = step.close;
    }
    let run = corrected.unwrap().run_id;
    assert_ne!(run, first.run_id);
    let mut state = chosen;
    state["run"] = json!(run);
    go(&mut browser, state);
    browser.wait("document.querySelector('.recorded')?.textContent.includes('alice, approved by bob')");
    let card = browser.evaluate("document.querySelector('.side').textContent");
    assert!(card.as_str().unwrap().contains("OVERRIDE") && card.as_str().unwrap().contains(&mark), "{card}");
    // Its way ends at what was fixed.
    browser.wait("!document.querySelector('.side .steps [aria-busy]')");
    let card = browser.evaluate("document.querySelector('.side .steps').textContent");
    assert!(card.as_str().unwrap().contains(&format!("published{mark}")), "{card}");
    let odd: Vec<&String> = browser.complaints.iter().filter(|said| !said.contains("401")).collect();
    assert!(odd.is_empty(), "{odd:?}");

    // What a page of another origin could send is refused, whoever is signed in where.
    let path = format!("/api/v1/override/dates/{DAY}/runs/current/marks/{}", series.osi_symbol.replace(' ', "%20"));
    let body = format!(
        "{{\"mark\": \"{mark}\", \"multiplier\": 100, \"currency\": \"USD\", \"reason\": \"r\", \"request_id\": \"q\"}}"
    );
    let bearer = format!("Authorization: Bearer {}\r\n", token("alice"));
    let json = "Content-Type: application/json\r\n";
    for (headers, status) in [
        (json.to_owned(), 401),
        (format!("{bearer}Content-Type: text/plain\r\n"), 400),
        (format!("{bearer}{json}Origin: https://elsewhere.example\r\n"), 403),
        (format!("{bearer}{json}Sec-Fetch-Site: cross-site\r\n"), 403),
        (format!("Authorization: Bearer {}\r\n{json}", token("otto")), 403),
        (format!("{bearer}{json}Origin: http://{}\r\n", server.address), 200),
    ] {
        assert_eq!(post(server.address, &path, &headers, &body), status, "{headers}");
    }
}
