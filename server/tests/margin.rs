//! `margin` and `export` of the bundled sample, as a user runs them.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn closemark(arguments: &[&str], at: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_closemark")).args(arguments).current_dir(at).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Closes the sample's indices and one leveraged fund; fixed choices make fixed bytes.
fn closed(at: &Path) -> String {
    let done = closemark(&["close", "--only", "SPX", "--only", "XSP", "--only", "ZEHU", "--only", "CAKE"], at);
    assert!(matches!(done.status.code(), Some(0 | 2)), "{}", text(&done.stderr));
    let folder = fs::read_dir(at.join("out/date=2026-11-20")).unwrap();
    let mut runs =
        folder.filter_map(|e| e.unwrap().file_name().to_str().and_then(|n| n.strip_prefix("run=").map(str::to_owned)));
    runs.next().unwrap()
}

#[test]
fn margin_and_export_of_the_sample() {
    let at = tempfile::tempdir().unwrap();
    let run = closed(at.path());
    let exported = closemark(&["export", "--format", "csv", "--run", &run, "--to", "nightly"], at.path());
    assert_eq!(exported.status.code(), Some(0), "{}", text(&exported.stderr));
    let arrays = fs::read_to_string(at.path().join("nightly/closemark-2026-11-20-risk-arrays.csv")).unwrap();
    let rows: Vec<Vec<&str>> = arrays.lines().skip(1).map(|line| line.split(',').collect()).collect();
    // The fund's factor is -2: its points reach 30 % either way.
    let fund = rows.iter().find(|r| r[3] == "ZEHU").unwrap();
    assert_eq!((fund[11], fund[12], fund[13]), ("leveraged_fund", "-0.3", "0.3"));
    let index = rows.iter().find(|r| r[3] == "SPX").unwrap();
    assert_eq!((index[11], index[12], index[13]), ("high_cap_index", "-0.08", "0.06"));

    let option = rows.iter().find(|r| r[3] == "CAKE" && r[4] == "C").unwrap()[1];
    let positions = format!(
        "account,osi_symbol,underlying,quantity\nhedged,{option},,-10\nhedged,,CAKE,1000\nindex,{},,1\n",
        index[1]
    );
    fs::write(at.path().join("positions.csv"), positions).unwrap();
    let asked = ["margin", "--positions", "positions.csv", "--run", &run];
    let printed = closemark(&asked, at.path());
    assert_eq!(printed.status.code(), Some(0), "{}", text(&printed.stderr));
    let report = text(&printed.stdout);
    assert!(report.lines().all(|line| line.chars().count() <= 100), "{report}");
    assert!(report.contains("Account hedged") && report.contains("Requirement of class SPX"), "{report}");
    let json = closemark(&[&asked[..], &["--json"]].concat(), at.path());
    let document: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let group = &document["accounts"][0]["groups"][0];
    // The requirement follows from the parts that stand beside it.
    let gains: Vec<f64> = group["gains"].as_array().unwrap().iter().map(|g| g.as_f64().unwrap()).collect();
    let parts = group["classes"][0]["holdings"].as_array().unwrap();
    for (point, gain) in gains.iter().enumerate() {
        let sum: f64 = parts.iter().map(|h| h["gains"][point].as_f64().unwrap()).sum();
        assert!((sum - gain).abs() < 1e-6);
    }
    let loss = gains.iter().fold(0.0_f64, |worst, gain| worst.max(-gain));
    let wanted = loss.max(group["minimum"].as_f64().unwrap());
    assert!((group["requirement"].as_f64().unwrap() - wanted).abs() < 1e-6);
}

#[test]
fn bad_positions_are_one_line_each_and_usage_is_usage() {
    let at = tempfile::tempdir().unwrap();
    let run = closed(at.path());
    fs::write(at.path().join("bad.csv"), "account,osi_symbol,quantity\nA,NOBODY,1\nA,SPX,x\n").unwrap();
    let refused = closemark(&["margin", "--positions", "bad.csv", "--run", &run], at.path());
    assert_eq!(refused.status.code(), Some(1));
    let said = text(&refused.stderr);
    assert!(said.contains("bad.csv: row 3, column quantity: \"x\"; allowed is"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    fs::write(at.path().join("bad.csv"), "account,osi_symbol,quantity\nA,NOBODY,1\n").unwrap();
    let refused = closemark(&["margin", "--positions", "bad.csv", "--run", &run], at.path());
    assert!(text(&refused.stderr).contains("row 2, column osi_symbol: \"NOBODY\"; allowed is a series of the close"));
    assert_eq!(closemark(&["margin", "--positions", "no.csv", "--run", &run], at.path()).status.code(), Some(1));
    assert_eq!(closemark(&["margin"], at.path()).status.code(), Some(64));
    assert_eq!(closemark(&["export", "--format", "xls"], at.path()).status.code(), Some(64));
    assert_eq!(closemark(&["export", "--format", "csv", "--out", "nowhere"], at.path()).status.code(), Some(1));
}
