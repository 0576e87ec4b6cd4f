//! The web page in a real Chromium: the numbers drawn against the API, the keys, both grounds, narrow and wide.

#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "page/browser.rs"]
mod browser;
mod serving;

use browser::Browser;
use serde_json::{Value, json};
use serving::{Server, absent, close};

/// A browser at the page of a published day, or `None` where this machine has none.
struct Page {
    server: Server,
    browser: Browser,
    run: String,
    _out: tempfile::TempDir,
}

impl Page {
    fn new(width: u32, dark: bool) -> Option<Self> {
        let Some(program) = browser::program() else {
            absent("the page's tests: no Chromium");
            return None;
        };
        let out = tempfile::tempdir().unwrap();
        close(out.path(), "0.05");
        let run = close(out.path(), "0.04");
        // The inputs are there, so that cards and smiles show where the marks come from.
        let server = Server::start(out.path(), &[("CLOSEMARK_STORAGE_INPUTS", serving::text(serving::day()))]);
        Some(Self { server, browser: Browser::start(&program, width, 900, dark), run, _out: out })
    }

    fn open(&mut self, query: &str) {
        let url = format!("{}/{query}", self.server.address);
        self.browser.open(&url);
    }

    fn value(&mut self, expression: &str) -> Value {
        self.browser.evaluate(expression)
    }

    /// JSON of the API, asked by the browser itself.
    fn api(&mut self, path: &str) -> Value {
        self.value(&format!("fetch('api/v1/{path}').then((answer) => answer.json())"))
    }

    fn board(&mut self) -> Value {
        let run = self.run.clone();
        self.api(&format!("dates/{}/runs/{run}", serving::DATE))
    }

    fn calm(&self) {
        assert!(self.browser.complaints.is_empty(), "{:?}", self.browser.complaints);
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_board_shows_the_numbers_of_the_api_worst_first() {
    let Some(mut page) = Page::new(1280, false) else { return };
    page.open("");
    let board = page.board();
    let rows = board["rows"].as_array().unwrap();
    let cells = |column: usize| {
        format!("[...document.querySelectorAll('#board tbody tr')].map((row) => row.cells[{column}].textContent)")
    };
    let names = texts(&page.value(&cells(0)));
    assert_eq!(names, rows.iter().map(|row| row["underlying"].as_str().unwrap()).collect::<Vec<_>>());
    let doubts: Vec<f64> = rows.iter().map(|row| row["doubt"].as_f64().unwrap()).collect();
    assert!(doubts.windows(2).all(|pair| pair[0] >= pair[1]), "{doubts:?}");
    let edits = texts(&page.value(&cells(4)));
    for (shown, row) in edits.iter().zip(rows) {
        assert_eq!(*shown, row["worst_edit"].as_f64().map_or("–".to_owned(), |edit| format!("{edit:.2}")));
    }
    // Sorting and filtering are in the address.
    page.value("document.querySelectorAll('#board th button')[2].click()");
    page.browser.wait("location.search.includes('sort=series') && document.querySelector('th[aria-sort=descending]')?.textContent === 'series'");
    let series = texts(&page.value(&cells(2)));
    let mut expected: Vec<i64> = rows.iter().map(|row| row["series"].as_i64().unwrap()).collect();
    expected.sort_unstable_by_key(|n| -n);
    let found: Vec<i64> = series.iter().map(|text| text.replace(',', "").parse().unwrap()).collect();
    assert_eq!(found, expected);
    let name = &names[1];
    page.open(&format!("?filter={name}"));
    assert!(texts(&page.value(&cells(0))).iter().all(|shown| shown.contains(name.as_str())));
    page.calm();
}

#[test]
fn the_smile_draws_every_mark_where_the_api_says() {
    let Some(mut page) = Page::new(1280, true) else { return };
    page.open("");
    let board = page.board();
    let row = &board["rows"][0];
    let (name, slice) = (row["underlying"].as_str().unwrap().to_owned(), row["slice"].as_str().unwrap().to_owned());
    page.open(&format!("?u={name}&slice={slice}&x=log&all=1"));
    let run = page.run.clone();
    let one = page.api(&format!("dates/{}/runs/{run}/underlyings/{name}/slices/{slice}", serving::DATE));
    // Each published volatility is one diamond of the path; their number is the API's.
    let shown = page.value("(document.querySelector('.smile path.mark').getAttribute('d').match(/M/g) || []).length");
    let marked = one["volatility"].as_array().unwrap().iter().filter(|v| v.is_number()).count();
    assert_eq!(shown, json!(marked));
    // Where they stand, read back through the axis' own ticks: y is linear in volatility.
    let places = page.value(
        "(() => { const ticks = [...document.querySelectorAll('.smile .grid text')].filter((t) => t.textContent.endsWith(' %')) \
         .map((t) => [parseFloat(t.textContent) / 100, Number(t.getAttribute('y')) - 3.5]); \
         const [a, b] = [ticks[0], ticks.at(-1)]; \
         const path = document.querySelector('.smile path.mark').getAttribute('d'); \
         return [...path.matchAll(/M([-0-9.]+),([-0-9.]+)l([0-9.]+)/g)].map((m) => { const y = Number(m[2]) + Number(m[3]); \
         return a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]); }); })()",
    );
    let volatilities: Vec<f64> = one["volatility"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    let places: Vec<f64> = places.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    let span = volatilities.iter().copied().fold(0.0, f64::max);
    for (place, volatility) in places.iter().zip(&volatilities) {
        // A tenth of a pixel of a picture of three hundred, and the tick's rounding.
        assert!((place - volatility).abs() < 0.004 * span.max(0.1), "{place} {volatility}");
    }
    // The table behind it has the same number of lines.
    page.value("document.querySelector('details.rows').open = true");
    page.browser.wait("document.querySelectorAll('details.rows tbody tr').length > 0");
    let lines = page.value("document.querySelectorAll('details.rows tbody tr').length");
    assert_eq!(lines, json!(one["strike"].as_array().unwrap().len()));
    // The card of a series.
    let symbol = one["symbol"][2].as_str().unwrap().to_owned();
    page.open(&format!("?u={name}&slice={slice}&series={}", symbol.replace(' ', "+")));
    let mark = one["mark"][2].as_f64().unwrap();
    let card = page.value("document.querySelector('.side').innerText");
    assert!(card.as_str().unwrap().contains(&format!("{mark:.6}")), "{card}");
    page.calm();
}

#[test]
fn keys_move_between_expirations_and_underlyings_and_find_series() {
    let Some(mut page) = Page::new(1280, false) else { return };
    page.open("");
    let board = page.board();
    let row = |at: usize| {
        (
            board["rows"][at]["underlying"].as_str().unwrap().to_owned(),
            board["rows"][at]["slice"].as_str().unwrap().to_owned(),
        )
    };
    let (name, _) = row(0);
    let run = page.run.clone();
    let one = page.api(&format!("dates/{}/runs/{run}/underlyings/{name}", serving::DATE));
    let slice = |at: usize| one["slices"][at]["slice"].as_str().unwrap().to_owned();
    page.open(&format!("?u={name}&slice={}", slice(0)));
    page.browser.press("ArrowRight", false);
    page.browser.wait(&format!(
        "new URLSearchParams(document.getElementById('view').dataset.ready).get('slice') === '{}'",
        slice(1)
    ));
    page.browser.press("ArrowLeft", false);
    page.browser.wait(&format!(
        "new URLSearchParams(document.getElementById('view').dataset.ready).get('slice') === '{}'",
        slice(0)
    ));
    page.browser.press("ArrowDown", true);
    let (second, worst) = row(1);
    page.browser.wait(&format!(
        "document.querySelector('h1').textContent.startsWith('{second} ') && location.search.includes('{worst}')"
    ));
    page.browser.press("/", false);
    page.browser.wait("document.activeElement.id === 'q'");
    page.browser.insert(&name.to_lowercase());
    page.browser.press("Enter", false);
    page.value("document.getElementById('search').requestSubmit()");
    page.browser.wait(&format!("document.querySelector('h1').textContent.startsWith('{name} ')"));
    page.browser.press("Escape", false);
    page.browser.wait("document.getElementById('board') !== null");
    page.calm();
}

/// The views: a name, and the query that shows it, with U, S and W for the worst underlying, its slice and its mark.
const VIEWS: [(&str, &str); 8] = [
    ("board", ""),
    ("smile", "?u=U&slice=S&series=W"),
    ("slice", "?u=U&slice=S"),
    ("rounds", "?u=U&slice=S&wide=1&round=1"),
    ("expirations", "?u=U&tab=term"),
    ("heat", "?u=U&tab=heat"),
    ("compare", "?u=U&slice=S&tab=compare"),
    ("variance", "?u=U&slice=S&x=root&y=variance"),
];

#[test]
fn every_view_is_readable_on_both_grounds_wide_and_narrow() {
    for (width, dark) in [(1280, false), (1280, true), (390, false), (390, true)] {
        let Some(mut page) = Page::new(width, dark) else { return };
        page.open("");
        let board = page.board();
        let (name, slice) = (
            board["rows"][0]["underlying"].as_str().unwrap().to_owned(),
            board["rows"][0]["slice"].as_str().unwrap().to_owned(),
        );
        let worst = board["rows"][0]["worst"]["osi_symbol"].as_str().unwrap().replace(' ', "+");
        for (view, query) in VIEWS {
            let query = query.replace("u=U", &format!("u={name}")).replace("slice=S", &format!("slice={slice}"));
            page.open(&query.replace("series=W", &format!("series={worst}")));
            page.browser.wait("!document.querySelector('[aria-busy=true]')");
            // Nothing sticks out sideways.
            let wide = page.value("document.documentElement.scrollWidth");
            assert!(wide.as_u64().unwrap() <= u64::from(width), "{view} at {width}: {wide}");
            // Every control and picture has a name, every text stands out from its ground by 4.5 to 1 (WCAG 2.2, AA).
            let nameless = page.value(NAMELESS);
            assert_eq!(nameless, json!([]), "{view}");
            let faint = page.value(FAINT);
            assert_eq!(faint, json!([]), "{view} at {width}, dark {dark}");
            if let Some(folder) = std::env::var_os("CLOSEMARK_PICTURES") {
                let ground = if dark { "dark" } else { "light" };
                let file = format!("page-{view}-{ground}-{width}.png");
                std::fs::write(std::path::Path::new(&folder).join(file), page.browser.picture()).unwrap();
            }
        }
        page.calm();
    }
}

const NAMELESS: &str = "[...document.querySelectorAll('a, button, select, input, svg[role=img], table, summary')].filter((e) => \
     !(e.getAttribute('aria-label') || e.textContent.trim() || (e.labels && e.labels.length) || e.title)).map((e) => e.outerHTML.slice(0, 120))";

const FAINT: &str = "(() => { const parse = (c) => { const m = c.match(/[0-9.]+/g).map(Number); return m.length > 3 ? m : [...m, 1]; }; \
     const light = (c) => { const f = c.slice(0, 3).map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * f[0] + 0.7152 * f[1] + 0.0722 * f[2]; }; \
     const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] === 1) return c; } return [255, 255, 255, 1]; }; \
     const found = []; const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); \
     while (walker.nextNode()) { const t = walker.currentNode, e = t.parentElement; \
       if (!t.textContent.trim() || e.closest('svg, canvas, noscript, option, datalist, script')) continue; \
       if (!e.checkVisibility || !e.checkVisibility()) continue; \
       const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))]; \
       const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); \
       if (ratio < 4.5) found.push(t.textContent.trim().slice(0, 40) + ' ' + ratio.toFixed(2)); } \
     return [...new Set(found)].slice(0, 10); })()";

#[test]
fn the_page_keeps_to_itself_and_refuses_politely() {
    let Some(mut page) = Page::new(1280, false) else { return };
    page.open("");
    let policy = page.value("fetch('').then((answer) => answer.headers.get('content-security-policy'))");
    assert!(
        policy.as_str().unwrap().starts_with("default-src 'none'; script-src 'self'; style-src 'self'"),
        "{policy}"
    );
    let loaded = page.value("performance.getEntriesByType('resource').map((entry) => new URL(entry.name).origin).filter((o) => o !== location.origin)");
    assert_eq!(loaded, json!([]));
    page.calm();
    for (path, status) in [
        ("dates/2020-01-02/runs/current", 404),
        ("dates/2026-11-20/runs/..%2F..%2Fx", 400),
        ("dates/2026-11-20/runs/current/underlyings/%3Cscript%3E", 404),
        ("dates/2026-11-20/runs/current/marks/..%2F..%2Fetc%2Fpasswd", 404),
        ("dates/2026-11-20/runs/current/changes?base=x", 400),
        ("dates/2026-11-20/runs/current/board", 404),
        ("nothing", 404),
    ] {
        let answer =
            page.value(&format!("fetch('api/v1/{path}').then(async (a) => [a.status, (await a.json()).error.code])"));
        assert_eq!(answer, json!([status, status]), "{path}");
    }
    assert_eq!(page.value("fetch('nothing.html').then((a) => a.status)"), json!(404));
    page.open("?u=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E");
    let shown = page.value("document.querySelector('.trouble h1').textContent + document.images.length");
    assert_eq!(shown, "Not found0");
}

#[test]
fn what_a_spreadsheet_would_run_is_quoted() {
    let Some(mut page) = Page::new(1280, false) else { return };
    page.open("");
    let cells = page.value(
        "import('./parts.js').then(({ csvCell }) => ['=1+1', '+1', '-1', '@x', 'a,b', 'q\"q', 'plain', -1.5, null].map(csvCell))",
    );
    assert_eq!(cells, json!(["'=1+1", "'+1", "'-1", "'@x", "\"a,b\"", "\"q\"\"q\"", "plain", "-1.5", ""]));
}

/// A page of the bundled sample day, which the binary has the inputs of; and its run.
fn sample_page(width: u32, dark: bool) -> Option<Page> {
    let Some(program) = browser::program() else {
        absent("the page's tests: no Chromium");
        return None;
    };
    let out = tempfile::tempdir().unwrap();
    let run = serving::close_sample(out.path());
    let server = Server::start(out.path(), &[]);
    Some(Page { server, browser: Browser::start(&program, width, 900, dark), run, _out: out })
}

/// A page of a generated day whose smoothing takes several rounds, with the day's folder as inputs; and its run.
fn iterated_page(width: u32, dark: bool) -> Option<Page> {
    let Some(program) = browser::program() else {
        absent("the page's tests: no Chromium");
        return None;
    };
    let out = tempfile::tempdir().unwrap();
    let input = out.path().join("input");
    let run = serving::close_seed(3, &input, out.path());
    let server = Server::start(out.path(), &[("CLOSEMARK_STORAGE_INPUTS", serving::text(&input))]);
    Some(Page { server, browser: Browser::start(&program, width, 900, dark), run, _out: out })
}

/// The first slice with several rounds, and what the API says about it.
fn several_rounds(page: &mut Page) -> (String, String, Value) {
    let board = page.board();
    for row in board["rows"].as_array().unwrap() {
        let (name, run) = (row["underlying"].as_str().unwrap(), page.run.clone());
        let one = page.api(&format!("dates/{}/runs/{run}/underlyings/{name}", serving::DATE));
        for slice in one["slices"].as_array().unwrap() {
            let id = slice["slice"].as_str().unwrap();
            if slice["iterations"].as_u64().unwrap() > 1 {
                let path = format!("dates/{}/runs/{run}/underlyings/{name}/slices/{id}/rounds", serving::DATE);
                let rounds = page.api(&path);
                // A class iterates as a whole; this slice must have moved.
                let all = rounds["rounds"].as_array().unwrap();
                if all.first().map(|r| &r["total_variance"]) != all.last().map(|r| &r["total_variance"]) {
                    return (name.to_owned(), id.to_owned(), rounds);
                }
            }
        }
    }
    panic!("no slice that moved over several rounds");
}

#[test]
fn earlier_rounds_are_ghosts_and_the_last_is_the_published_curve() {
    let Some(mut page) = iterated_page(1280, false) else { return };
    page.open("");
    let (name, slice, rounds) = several_rounds(&mut page);
    let run = page.run.clone();
    let published = page.api(&format!("dates/{}/runs/{run}/underlyings/{name}/slices/{slice}", serving::DATE));
    assert_eq!((&rounds["kept"], &rounds["inputs"]), (&json!(true), &json!("folder")));
    let all = rounds["rounds"].as_array().unwrap();
    assert!(all.len() > 1);
    assert_eq!(all.last().unwrap()["total_variance"], published["curve_w"]);
    assert_ne!(all[0]["total_variance"], published["curve_w"]);

    page.open(&format!("?u={name}&slice={slice}"));
    page.browser.wait("document.querySelector('.rounds') && !document.querySelector('.rounds[aria-busy]')");
    let slider = page.value(
        "[Number(document.querySelector('.slider input').max), Number(document.querySelector('.slider input').value)]",
    );
    assert_eq!(slider, json!([all.len(), all.len()]));
    let ghosts = "document.querySelectorAll('.smile path.past').length";
    assert_eq!(page.value(ghosts), json!(all.len() - 1));
    assert_eq!(page.value("document.querySelectorAll('.smile path.target').length"), json!(1));
    // To the first round: its curve is drawn where the API says, its left-out quotes are hollow, the address has it.
    page.value("(() => { const s = document.querySelector('.slider input'); s.value = 1; s.dispatchEvent(new Event('input')); })()");
    assert!(page.value("location.search").as_str().unwrap().contains("round=1"));
    assert_eq!(page.value("document.querySelectorAll('.smile path.round').length"), json!(1));
    let said = page.value("document.querySelector('.slider output').textContent");
    let left_out = all[0]["left_out"].as_array().unwrap().len();
    assert!(said.as_str().unwrap().contains(&format!("{left_out} left out")), "{said}");
    let points = page.value("document.querySelector('.smile path.round').getAttribute('d').match(/[ML]/g).length");
    let known = all[0]["volatility"].as_array().unwrap().iter().filter(|v| v.is_number()).count();
    assert_eq!(points, json!(known));
    // The same state from its address.
    let query = page.value("location.search").as_str().unwrap().to_owned();
    page.open(&query);
    page.browser.wait("document.querySelector('.smile path.round') !== null");
    // Caps: outside the accepted quotes only, and around the curve's edge.
    let caps = all.last().unwrap()["cap_high"].as_array().unwrap();
    let inner = |v: &Value| v.is_null();
    let first = caps.iter().position(inner).unwrap();
    let last = caps.iter().rposition(inner).unwrap();
    assert!(caps[first..=last].iter().all(inner), "a cap between accepted quotes");
    page.calm();
}

#[test]
fn a_card_shows_the_way_from_the_venues_to_the_integer() {
    let Some(mut page) = sample_page(1280, true) else { return };
    page.open("");
    let board = page.board();
    let row = &board["rows"][0];
    let symbol = row["worst"]["osi_symbol"].as_str().unwrap().to_owned();
    let (name, run) = (row["underlying"].as_str().unwrap().to_owned(), page.run.clone());
    let encoded = symbol.replace(' ', "%20");
    let mark = page.api(&format!("dates/{}/runs/{run}/marks/{encoded}", serving::DATE));
    let origin = page.api(&format!("dates/{}/runs/{run}/marks/{encoded}/origin", serving::DATE));
    // The best of the venues that count is what was published: found here without the code that consolidates.
    let venues = origin["venues"].as_array().unwrap();
    assert!(venues.len() > 1);
    let sides = |side: &str, size: &str| -> Vec<f64> {
        let counts = venues.iter().filter(|v| v["fate"] == "counts" && v[size] != 0);
        counts.filter_map(|v| v[side].as_f64()).filter(|price| *price > 0.0).collect()
    };
    assert_eq!(mark["bid"].as_f64(), sides("bid", "bid_size").into_iter().reduce(f64::max));
    assert_eq!(mark["ask"].as_f64(), sides("ask", "ask_size").into_iter().reduce(f64::min));
    assert_eq!(origin["smoothing"]["published"], mark["mark"]);
    let rounds = origin["smoothing"]["rounds"].as_array().unwrap();
    assert!(!rounds.is_empty());

    // From the board, one click on the worst edit.
    page.value("document.querySelector('#board tbody tr').cells[4].querySelector('a').click()");
    page.browser.wait("document.querySelector('.side .steps') && !document.querySelector('.side .steps [aria-busy]')");
    assert_eq!(page.value("document.querySelector('.side .symbol').textContent"), json!(symbol));
    assert_eq!(page.value("document.querySelectorAll('.venues tbody tr').length"), json!(venues.len()));
    let heads = texts(&page.value("[...document.querySelectorAll('.side .steps h3')].map((h) => h.textContent)"));
    // Every word that says why is explained.
    let words = texts(&page.value("[...document.querySelectorAll('.why-list dt')].map((word) => word.textContent)"));
    let reasons = mark["reasons"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned());
    assert_eq!(
        words,
        std::iter::once(mark["mark_source"].as_str().unwrap().to_owned()).chain(reasons).collect::<Vec<_>>()
    );
    let silent =
        page.value("[...document.querySelectorAll('.why-list dd')].filter((e) => !e.textContent.endsWith('.')).length");
    assert_eq!(silent, json!(0));
    let order = [
        "Venues' quotes",
        "Best bid and offer",
        "Implied volatility",
        "Rounds of smoothing",
        "Smoothing",
        "Cap",
        "Integers",
        "Mark",
    ];
    assert_eq!(heads, order);
    let card = page.value("document.querySelector('.side .steps').innerText");
    let published = format!("{:.6}", mark["mark"].as_f64().unwrap());
    assert!(card.as_str().unwrap().matches(&published).count() >= 2, "{card}");
    assert!(page.value("document.querySelector('h1').textContent").as_str().unwrap().starts_with(&name));
    page.calm();
}

#[test]
fn inputs_of_another_digest_are_not_shown() {
    let Some(program) = browser::program() else { return absent("the page's tests: no Chromium") };
    let out = tempfile::tempdir().unwrap();
    let run = close(out.path(), "0.04");
    let path = format!("dates/{}/runs/{run}/underlyings/SPX", serving::DATE);
    // Without the folder nothing is kept; with it, found among other folders, everything is; the sample of the same date
    // is never taken for it.
    for kept in [false, true] {
        let folder = serving::day().parent().unwrap().display().to_string();
        let own = serving::text(serving::day()).to_owned();
        let inputs = if kept { format!("{folder}/absent,{own}") } else { String::new() };
        let server = Server::start(out.path(), &[("CLOSEMARK_STORAGE_INPUTS", &inputs)]);
        let mut browser = Browser::start(&program, 1280, 900, false);
        let url = format!("{}/", server.address);
        browser.open(&url);
        let board =
            browser.evaluate(&format!("fetch('api/v1/dates/{}/runs/{run}').then((a) => a.json())", serving::DATE));
        let row = &board["rows"][0];
        let (name, slice) = (row["underlying"].as_str().unwrap(), row["slice"].as_str().unwrap());
        let symbol = row["worst"]["osi_symbol"].as_str().unwrap().replace(' ', "+");
        let answer = browser.evaluate(&format!(
            "fetch('api/v1/dates/{}/runs/{run}/underlyings/{name}/slices/{slice}/rounds').then((a) => a.json())",
            serving::DATE
        ));
        assert_eq!(answer["kept"], json!(kept), "{answer} {path}");
        browser.open(&format!("{url}?u={name}&slice={slice}&series={symbol}"));
        browser.wait("document.querySelector('.side .steps') && !document.querySelector('[aria-busy]')");
        let said = browser.evaluate("document.querySelector('.side').innerText");
        assert_eq!(said.as_str().unwrap().contains("Not kept for this run"), !kept, "{said}");
        assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
    }
}

#[test]
fn what_is_chosen_in_the_money_is_shown() {
    let Some(mut page) = Page::new(1280, false) else { return };
    page.open("");
    let board = page.board();
    let (name, slice) = (board["rows"][0]["underlying"].as_str().unwrap(), board["rows"][0]["slice"].as_str().unwrap());
    let (name, slice, run) = (name.to_owned(), slice.to_owned(), page.run.clone());
    let one = page.api(&format!("dates/{}/runs/{run}/underlyings/{name}/slices/{slice}", serving::DATE));
    let forward = one["forward"].as_f64().unwrap();
    let strikes: Vec<f64> = one["strike"].as_array().unwrap().iter().map(|k| k.as_f64().unwrap()).collect();
    let types = one["type"].as_str().unwrap().as_bytes();
    let at =
        (0..strikes.len()).find(|i| types[*i] == b'C' && strikes[*i] < forward && one["mid"][*i].is_number()).unwrap();
    let symbol = one["symbol"][at].as_str().unwrap().replace(' ', "+");
    page.open(&format!("?u={name}&slice={slice}&series={symbol}"));
    let ring = "document.querySelectorAll('.smile .ring.chosen').length";
    assert_eq!(page.value(ring), json!(1));
    let chosen = "document.querySelector('[aria-label=\"series shown\"] [aria-current]').textContent";
    assert_eq!(page.value(chosen), json!("all"));
    // Back to what is out of the money: the card goes, because its series is not shown any more.
    page.value("document.querySelector('[aria-label=\"series shown\"] a').click()");
    page.browser.wait("!location.search.includes('series=') && !document.querySelector('.side .symbol')");
    assert_eq!(page.value(chosen), json!("out of the money"));
    page.calm();
}

#[test]
fn the_report_draws_with_the_page_s_code() {
    let Some(mut page) = Page::new(1280, false) else { return };
    page.open("");
    let code = "Object.values(closemark).map(String).join('\\n')";
    let of_page = page.value(code);
    let file = serving::run_folder(page._out.path(), &page.run).join("report.html");
    page.browser.call("Page.navigate", json!({"url": format!("file://{}", file.display())}));
    page.browser.wait("document.querySelector('section[data-worst] .smile path.mark') !== null");
    assert_eq!(page.value(code), of_page);
    let sections = page.value("document.querySelectorAll('section[data-worst] .smile path.mark').length");
    let names = page.value("document.querySelectorAll('#board tbody tr').length").as_u64().unwrap();
    assert_eq!(sections.as_u64().unwrap(), names.min(20));
    page.calm();
}
