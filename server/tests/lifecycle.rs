//! `closemark finalize` and `closemark override` on a bare folder.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::path::Path;
use std::process::{Command, Output};

use closemark_data::publication::read::{open_current, read_mark, read_marks};
use closemark_data::publication::{DateState, RunState, current};
use closemark_pricing::vocabulary::MarkSource;

const DAY: &str = "2026-11-20";

fn closemark(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_closemark")).args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_person_finalizes_a_held_close_and_fixes_a_mark() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("input"), folder.path().join("out"));
    let settings = folder.path().join("strict.toml");
    std::fs::write(&settings, "[gates]\ninside_min = 1.0\ncoverage_min = 1.0\ndropped_rows_max = 0.0\n").unwrap();
    let made = closemark(&["generate", "--seed", "5", "--underlyings", "2", "--date", DAY, "--out", text(&input)]);
    assert!(made.status.success());
    let held = closemark(&["close", "--input", text(&input), "--out", text(&out), "--settings", text(&settings)]);
    assert_eq!(held.status.code(), Some(2), "{}", String::from_utf8_lossy(&held.stderr));
    let date = out.join(format!("date={DAY}"));
    assert_eq!(current(&date).unwrap(), None);
    let run = DateState::read(&date).unwrap().runs[0].run_id.clone();

    // Nobody decides namelessly.
    let finalize = ["finalize", "--out", text(&out), "--date", DAY, "--run", &run, "--reason", "reviewed"];
    let nameless = closemark(&finalize);
    assert_eq!(nameless.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nameless.stderr).contains("--operator NAME is needed"));
    assert_eq!(current(&date).unwrap(), None);
    let mut named = finalize.to_vec();
    named.extend(["--operator", "otto"]);
    assert!(closemark(&named).status.success());
    assert_eq!(current(&date).unwrap().as_deref(), Some(run.as_str()));
    let entry = DateState::read(&date).unwrap().runs[0].clone();
    assert_eq!((entry.state, entry.set_by.as_str()), (RunState::Final, "otto"));
    assert_eq!(entry.reason.as_deref(), Some("reviewed"));
    let unknown = closemark(&[
        "finalize",
        "--out",
        text(&out),
        "--date",
        DAY,
        "--run",
        "../x",
        "--reason",
        "r",
        "--operator",
        "otto",
    ]);
    assert_eq!(unknown.status.code(), Some(1));

    let before = open_current(&out, None).unwrap();
    let marks = read_marks(&before.folder, None).unwrap();
    let smoothed = marks.iter().filter(|row| row.mark_source == MarkSource::Smoothed);
    let series = smoothed.filter(|row| row.mark.unwrap().micros() > 500_000).nth(10).unwrap();
    let mark = series.mark.unwrap().micros() + 10_000;
    let fixed = format!("{}={}.{:06}", series.osi_symbol, mark / 1_000_000, mark % 1_000_000);
    let fix = |mark: &str| {
        let command = ["override", mark, "--input", text(&input), "--out", text(&out), "--date", DAY];
        closemark(&[&command[..], &["--operator", "otto", "--reason", "trade bust"]].concat())
    };
    // The settings are those of the run, so the gates hold it again; what one person fixed, one person finalizes.
    let release = |done: &Output| {
        assert_eq!(done.status.code(), Some(2), "{}", String::from_utf8_lossy(&done.stderr));
        let run = DateState::read(&date).unwrap().runs.last().unwrap().run_id.clone();
        let finalize = ["finalize", "--out", text(&out), "--date", DAY, "--run", &run, "--reason", "r"];
        assert!(closemark(&[&finalize[..], &["--operator", "otto"]].concat()).status.success());
        open_current(&out, None).unwrap()
    };
    let after = release(&fix(&fixed));
    assert_eq!(after.manifest.settings, before.manifest.settings);
    assert_eq!(after.manifest.base_run.as_deref(), Some(run.as_str()));
    assert_eq!((after.manifest.overrides.len(), after.manifest.overrides[0].author.as_str()), (1, "otto"));
    let row = read_mark(&after.folder, &series.osi_symbol).unwrap().unwrap();
    assert_eq!((row.mark.unwrap().micros(), row.mark_source), (mark, MarkSource::Override));
    assert_eq!(DateState::read(&date).unwrap().of(&run), Some(RunState::Corrected));
    let verified = closemark(&["verify", text(&after.folder)]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));

    // A later override of another series keeps the first one; of the same series it replaces it.
    let other = marks.iter().find(|row| {
        row.mark_source == MarkSource::Smoothed
            && (row.underlying != series.underlying)
            && row.mark.unwrap().micros() > 500_000
    });
    let other = other.unwrap();
    let micros = other.mark.unwrap().micros() + 1_000;
    let both = release(&fix(&format!("{}={}.{:06}", other.osi_symbol, micros / 1_000_000, micros % 1_000_000)));
    assert_eq!(both.manifest.overrides.len(), 2);
    assert_eq!(read_mark(&both.folder, &series.osi_symbol).unwrap().unwrap().mark.unwrap().micros(), mark);
    let again = mark - 1_000;
    let after = release(&fix(&format!("{}={}.{:06}", series.osi_symbol, again / 1_000_000, again % 1_000_000)));
    assert_eq!(after.manifest.overrides.len(), 2);
    assert_eq!(read_mark(&after.folder, &series.osi_symbol).unwrap().unwrap().mark.unwrap().micros(), again);

    // A mark that nothing free of arbitrage can have is refused whole.
    let impossible = format!("{}=9000000", series.osi_symbol);
    let refused = fix(&impossible);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no prices free of arbitrage"));
    assert_eq!(open_current(&out, None).unwrap().run_id, after.run_id);

    // Another unit, and another input than the run's, are refused.
    let unit = ["override", &fixed, "--input", text(&input), "--out", text(&out), "--date", DAY, "--currency", "EUR"];
    let refused = closemark(&[&unit[..], &["--operator", "otto", "--reason", "r"]].concat());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--multiplier and --currency"));
    let path = input.join("underlyings.csv");
    let said = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, said.replacen("false", "true", 1)).unwrap();
    assert_ne!(std::fs::read_to_string(&path).unwrap(), said);
    let refused = fix(&fixed);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("this input is not what run"));
}

#[test]
fn a_correction_takes_the_other_underlyings_from_its_base() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("input"), folder.path().join("out"));
    let made = closemark(&["generate", "--seed", "7", "--underlyings", "3", "--date", DAY, "--out", text(&input)]);
    assert!(made.status.success());
    let close = |more: &[&str]| {
        let mut arguments = vec!["close", "--input", text(&input), "--out", text(&out)];
        arguments.extend(more);
        let done = closemark(&arguments);
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    assert_eq!(close(&[]), (Some(0), String::new()));
    let base = open_current(&out, None).unwrap();
    // One underlying's price was wrong; everything else in the input is as it was.
    let file = input.join("underlyings.csv");
    let before = std::fs::read_to_string(&file).unwrap();
    let row = before.lines().nth(2).unwrap();
    let fields: Vec<&str> = row.split(',').collect();
    let price: f64 = fields[1].parse().unwrap();
    let corrected = row.replacen(fields[1], &format!("{:.6}", price * 1.001), 1);
    std::fs::write(&file, before.replacen(row, &corrected, 1)).unwrap();
    let chosen = fields[0];

    let (code, said) = close(&["--only", chosen, "--base", &base.run_id]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let after = open_current(&out, None).unwrap();
    assert_ne!(after.run_id, base.run_id);
    assert_eq!(after.manifest.base_run.as_deref(), Some(base.run_id.as_str()));
    let (old, new) = (read_marks(&base.folder, None).unwrap(), read_marks(&after.folder, None).unwrap());
    assert_eq!(old.len(), new.len());
    let mut moved = 0;
    for (old, new) in old.iter().zip(&new) {
        let same = closemark_data::publication::read::MarkRow { run_id: old.run_id.clone(), ..new.clone() };
        if old.underlying == chosen {
            moved += usize::from(*old != same);
        } else {
            assert_eq!(*old, same);
        }
    }
    assert!(moved > 10, "{moved} rows of {chosen} moved");
    let verified = closemark(&["verify", text(&after.folder)]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));

    // Without anything new, the correction restores the base row by row.
    std::fs::write(&file, &before).unwrap();
    let (code, said) = close(&["--only", chosen, "--base", &base.run_id]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let again = open_current(&out, None).unwrap();
    let strip = |mut manifest: closemark_data::publication::Manifest| {
        manifest.totals.rows_read = 0;
        manifest.totals
    };
    assert_eq!(strip(again.manifest.clone()), strip(base.manifest.clone()));
    let (code, said) = close(&["--only", "NOBODY", "--base", &base.run_id]);
    assert!(code == Some(1) && said.contains("no underlying \"NOBODY\""), "{said}");
    let (code, said) = close(&["--only", chosen, "--base", "../x"]);
    assert!(code == Some(1) && said.contains("has no run"), "{said}");
    assert_eq!(close(&["--base", &base.run_id]).0, Some(64));
}
