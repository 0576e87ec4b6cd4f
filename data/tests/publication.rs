//! A close appears whole or not at all, also when its writer dies.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::io::Write;
use std::path::Path;
use std::process::Command;

use closemark_data::publication::read::{open_current, read_marks, read_slices};
use closemark_data::publication::{
    DateState, ExtraFile, PublishError, RunState, STEPS, date_folder, publish, publish_observed,
};
use closemark_data::verify::verify;
use closemark_pricing::price::Price;
use closemark_pricing::vocabulary::{MarkSource, Reason, Reasons};
use support::{MARKET_DATE, close, publish_close, request};

#[test]
fn a_close_is_published_verified_and_read_back() {
    let out = tempfile::tempdir().unwrap();
    let (day, marks) = close();
    let published = publish_close(out.path(), &day, &marks);
    assert_eq!(published.state, RunState::Final);
    assert!(!published.already_published && published.gates.iter().all(|g| g.pass));
    let report = verify(&date_folder(out.path(), MARKET_DATE).unwrap()).unwrap();
    assert!(report.holds(), "{:#?}", report.violations);
    assert!(report.conditions > 500, "{}", report.conditions);

    let open = open_current(out.path(), None).unwrap();
    assert_eq!((open.run_id.as_str(), open.state), (published.run_id.as_str(), Some(RunState::Final)));
    let rows = read_marks(&open.folder, Some("XYX")).unwrap();
    let (series, given) = (&day.underlyings[1].series, &marks[1].series);
    assert_eq!(rows.len(), series.len());
    for (row, (series, mark)) in rows.iter().zip(series.iter().zip(given)) {
        assert_eq!((&row.osi_symbol, row.strike, row.mark), (&series.osi_symbol, series.strike, mark.mark));
        assert_eq!((row.mid, row.edit, row.bid_size), (mark.mid, mark.edit, mark.bid_size.map(|s| s as i64)));
        assert_eq!(row.discount_factor, mark.discount_factor.map(|d| (d * 1e12).round() as i64));
        assert_eq!((row.vega, row.carry_rate, row.implied_volatility), (Some(0.0), None, mark.implied_volatility));
    }
    let slices = read_slices(&open.folder, None).unwrap();
    assert_eq!(slices.len(), 6);
    assert_eq!(slices[0].curve_total_variance, [0.05, 0.04, 0.045]);
    assert_eq!(slices[0].parity_upper, Some(Price::from_micros(100_250_000)));
    assert!(read_marks(&open.folder, Some("NONE")).unwrap().is_empty());
}

#[test]
fn the_same_close_twice_is_found_and_the_same_bytes_come_from_one_thread() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (day, marks) = close();
    let first = publish_close(one.path(), &day, &marks);
    let again = publish_close(one.path(), &day, &marks);
    assert!(again.already_published);
    assert_eq!((again.run_id, again.state), (first.run_id, RunState::Final));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let other = pool.install(|| publish_close(two.path(), &day, &marks));
    for file in ["marks.parquet", "slices.parquet", "exceptions.parquet", "manifest.json"] {
        let bytes = |folder: &Path| std::fs::read(folder.join(file)).unwrap();
        assert_eq!(bytes(&first.folder), bytes(&other.folder), "{file}");
    }
}

#[test]
fn damage_since_publication_is_refused() {
    let out = tempfile::tempdir().unwrap();
    let (day, marks) = close();
    let first = publish_close(out.path(), &day, &marks);
    std::fs::write(first.folder.join("slices.parquet"), b"not it").unwrap();
    let error = publish(&request(&day, &marks), out.path()).unwrap_err();
    assert!(matches!(&error, PublishError::Damaged { detail, .. } if detail.contains("slices.parquet")), "{error}");
}

#[test]
fn a_gate_holds_a_close_and_a_correction_replaces_one() {
    let out = tempfile::tempdir().unwrap();
    let (day, good) = close();
    let first = publish_close(out.path(), &day, &good);
    let folder = date_folder(out.path(), MARKET_DATE).unwrap();

    let (mut held_day, mut held) = close();
    held_day.input_digest = "11".repeat(32);
    for mark in held[0].series.iter_mut().take(30) {
        mark.mark = None;
        mark.edit = None;
        mark.edit_half_spreads = None;
        mark.edit_volatility = None;
        mark.mark_source = MarkSource::None;
        mark.reasons = Reasons::EMPTY.with(Reason::NoCurve);
    }
    let second = publish_close(out.path(), &held_day, &held);
    assert_eq!(second.state, RunState::Preliminary);
    assert_eq!(second.totals.null_marks_by_reason.get("NO_CURVE"), Some(&30));
    assert_eq!(open_current(out.path(), None).unwrap().run_id, first.run_id);
    assert!(verify(&second.folder).unwrap().holds());

    let (mut corrected_day, corrected) = close();
    corrected_day.input_digest = "22".repeat(32);
    let third = publish_close(out.path(), &corrected_day, &corrected);
    assert_eq!(open_current(out.path(), Some(MARKET_DATE)).unwrap().run_id, third.run_id);
    let state = DateState::read(&folder).unwrap();
    assert_eq!(
        [&first, &second, &third].map(|p| state.of(&p.run_id).unwrap()),
        [RunState::Corrected, RunState::Preliminary, RunState::Final]
    );
    let old = publish_close(out.path(), &day, &good);
    assert_eq!((old.state, old.already_published), (RunState::Corrected, true));
    assert_eq!(open_current(out.path(), None).unwrap().run_id, third.run_id);
}

#[test]
fn extra_files_stand_in_the_manifest_and_their_names_are_plain() {
    let out = tempfile::tempdir().unwrap();
    let (day, marks) = close();
    let render = |run: &closemark_data::publication::RunSummary<'_>, to: &mut dyn Write| {
        write!(to, "<p>{} {}</p>", run.run_id, run.gates.len())
    };
    for name in ["../x", "", ".hidden", "marks.parquet", "manifest.json", "a/b", "timings.json"] {
        let extra = [ExtraFile { name, render: &render }];
        let mut bad = request(&day, &marks);
        bad.extra_files = &extra;
        assert!(matches!(publish(&bad, out.path()), Err(PublishError::ExtraName { .. })), "{name}");
    }
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 0);
    let extra = [ExtraFile { name: "report.html", render: &render }];
    let mut good = request(&day, &marks);
    good.extra_files = &extra;
    let published = publish(&good, out.path()).unwrap();
    let html = std::fs::read_to_string(published.folder.join("report.html")).unwrap();
    assert_eq!(html, format!("<p>{} 6</p>", published.run_id));
    assert!(verify(&published.folder).unwrap().holds());
    std::fs::write(published.folder.join("report.html"), html + " ").unwrap();
    assert!(!verify(&published.folder).unwrap().holds());
}

/// What readers see: the run, whole and right, or nothing.
fn seen(out: &Path) -> Option<String> {
    let open = open_current(out, Some(MARKET_DATE)).ok()?;
    assert!(verify(&open.folder).unwrap().holds());
    Some(open.run_id)
}

#[test]
fn a_step_that_fails_leaves_the_old_close_and_the_next_try_succeeds() {
    let (day, marks) = close();
    let (mut next_day, next) = close();
    next_day.input_digest = "33".repeat(32);
    for stop in STEPS {
        let out = tempfile::tempdir().unwrap();
        let old = publish_close(out.path(), &day, &marks).run_id;
        let result = publish_observed(&request(&next_day, &next), out.path(), &mut |step| {
            if step == stop { Err(PublishError::Stopped { step }) } else { Ok(()) }
        });
        assert!(matches!(result, Err(PublishError::Stopped { step }) if step == stop));
        let between = seen(out.path()).unwrap();
        let done = publish_close(out.path(), &next_day, &next);
        assert_eq!(done.state, RunState::Final);
        assert_eq!(seen(out.path()).unwrap(), done.run_id);
        assert_eq!(between == old, stop != "pointer", "{stop}");
    }
}

const DIE_AT: &str = "CLOSEMARK_TEST_DIE_AT";
const DIE_IN: &str = "CLOSEMARK_TEST_DIE_IN";

/// The process that dies; by itself, without the variables, it has nothing to do.
#[test]
fn writer_that_dies() {
    let (Ok(stop), Ok(out)) = (std::env::var(DIE_AT), std::env::var(DIE_IN)) else { return };
    let (mut day, marks) = close();
    day.input_digest = "44".repeat(32);
    let _ = publish_observed(&request(&day, &marks), Path::new(&out), &mut |step| {
        if step == stop {
            std::process::abort();
        }
        Ok(())
    });
}

#[test]
fn a_writer_killed_at_any_step_leaves_the_old_close_or_the_whole_new_one() {
    let (day, marks) = close();
    let (mut next_day, next) = close();
    next_day.input_digest = "44".repeat(32);
    for stop in STEPS {
        let out = tempfile::tempdir().unwrap();
        let old = publish_close(out.path(), &day, &marks).run_id;
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer_that_dies", "--quiet"])
            .env(DIE_AT, stop)
            .env(DIE_IN, out.path())
            .output()
            .unwrap()
            .status;
        assert!(!status.success(), "the writer must have died at {stop}");
        let between = seen(out.path()).unwrap();
        assert_eq!(between == old, stop != "pointer", "{stop}");
        let done = publish_close(out.path(), &next_day, &next);
        assert_eq!((done.state, seen(out.path()).unwrap()), (RunState::Final, done.run_id));
        let left = std::fs::read_dir(date_folder(out.path(), MARKET_DATE).unwrap()).unwrap();
        for entry in left {
            assert!(!entry.unwrap().file_name().to_string_lossy().starts_with(".tmp"));
        }
    }
}

#[test]
fn marks_that_do_not_belong_to_the_day_are_refused() {
    let out = tempfile::tempdir().unwrap();
    let (day, mut marks) = close();
    marks[1].series.pop();
    assert!(matches!(publish(&request(&day, &marks), out.path()), Err(PublishError::Shape { .. })));
    marks.pop();
    assert!(matches!(publish(&request(&day, &marks), out.path()), Err(PublishError::Shape { .. })));
}
