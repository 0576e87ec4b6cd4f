//! The report against counts made by hand and against a general JSON parser.

use closemark_pricing::Price;
use closemark_pricing::vocabulary::{MarkSource, Reason, SolverStatus};

use super::figures::{board, largest_edits};
use super::{ReportHead, WORST_MAX, render};
use crate::publication::{Bound, Gate};

pub(super) mod fixture;

fn head(gates: &[Gate]) -> ReportHead<'_> {
    ReportHead { run_id: "00112233aabbccdd", gates }
}

fn data_of(page: &str) -> serde_json::Value {
    let start = page.find("id=\"data\">").unwrap() + "id=\"data\">".len();
    let end = start + page[start..].find("</script>").unwrap();
    serde_json::from_str(&page[start..end]).unwrap()
}

#[test]
fn the_board_counts_what_was_planted_and_puts_the_worst_first() {
    let (day, mut marks) = fixture::day(vec![
        fixture::name("CALM", 100.0, 0.2, 2, 0.1),
        fixture::name("LOST", 50.0, 0.4, 2, 0.1),
        fixture::name("NOISY", 20.0, 0.6, 2, 0.9),
    ]);
    for slice in &mut marks[1].slices {
        slice.solver_status = SolverStatus::MaxIterations;
    }
    marks[1].series[3].mark = None;
    marks[1].series[3].mark_source = MarkSource::None;
    marks[1].series[3].reasons.insert(Reason::NoCurve);
    let board = board(&day, &marks);
    assert_eq!(board.rows.len(), 3);
    assert_eq!(board.rows[0].day.underlying, "LOST");
    assert_eq!(board.rows[2].day.underlying, "CALM");
    let total = &board.total;
    assert_eq!((total.series, total.slices, total.marked, total.non_converged), (492, 6, 491, 2));
    assert_eq!(total.sources.values().sum::<u64>(), 492);
    assert_eq!(total.edit_classes.iter().sum::<u64>(), 492);
    assert_eq!(total.null_reasons.get(&Reason::NoCurve), Some(&1));
    assert_eq!(total.before.butterfly, 42);
    // Counted again over the rows, without the board: out of the money by strike against the spot, which is the forward.
    let mut inside = (0, 0);
    for (name, rows) in day.underlyings.iter().zip(&marks) {
        for (series, mark) in name.series.iter().zip(&rows.series) {
            let call = series.option_type.as_str() == "C";
            let spot = name.price.unwrap();
            if (call && series.strike >= spot) || (!call && series.strike <= spot) {
                inside.1 += 1;
                let held = |m: Price| mark.bid.unwrap() <= m && m <= mark.ask.unwrap();
                inside.0 += u64::from(mark.mark.is_some_and(held));
            }
        }
    }
    assert_eq!((total.inside.part, total.inside.whole), inside);
    assert!(inside.0 < inside.1);
    let edits = largest_edits(&board, 5);
    let most = marks.iter().flat_map(|m| &m.series).filter_map(|s| s.edit_half_spreads).map(f64::abs);
    assert_eq!(edits[0].half_spreads, most.fold(0.0, f64::max));
    assert!(edits.windows(2).all(|pair| pair[0].half_spreads >= pair[1].half_spreads));
}

#[test]
fn a_published_violation_outranks_everything() {
    let (day, mut marks) =
        fixture::day(vec![fixture::name("A", 100.0, 0.2, 1, 0.0), fixture::name("B", 100.0, 0.2, 1, 1.0)]);
    marks[0].slices[0].violations_after.butterfly = 1;
    assert_eq!(board(&day, &marks).rows[0].day.underlying, "A");
}

#[test]
fn the_data_carries_the_worst_twenty_and_stays_within_its_bounds() {
    let names = (0..24).map(|i| fixture::name(&format!("N{i:02}"), 100.0, 0.3, 9, f64::from(i) / 24.0));
    let (day, marks) = fixture::day(names.collect());
    let page = render(&day, &marks, &head(&[]));
    let data = data_of(&page);
    let worst = data["worst"].as_array().unwrap();
    assert_eq!(worst.len(), WORST_MAX);
    for one in worst {
        let slices = one["slices"].as_array().unwrap();
        assert!(slices.len() <= 6 && one["first"].as_u64().unwrap() < 6);
        assert_eq!(one["variance"].as_array().unwrap().len(), 9);
        for slice in slices {
            let count = slice["strike"].as_array().unwrap().len();
            assert!(count == 82, "{count}");
            for column in ["bid", "ask", "mid", "mark", "volatility", "residual", "source", "reasons"] {
                assert_eq!(slice[column].as_array().unwrap().len(), count, "{column}");
            }
            assert_eq!(slice["type"].as_str().unwrap().len(), count);
            assert_eq!(slice["accepted"].as_str().unwrap().len(), count);
        }
    }
    // The numbers drawn are the numbers published.
    let first = &worst[0];
    let marks = marks.iter().find(|m| m.underlying == first["underlying"].as_str().unwrap()).unwrap();
    let label = first["slices"][0]["label"].as_str().unwrap();
    let index = marks.slices.iter().position(|s| super::worst::slice_label(s) == label).unwrap();
    let published: Vec<f64> =
        marks.series.iter().filter(|s| s.slice == index).map(|s| s.mark.unwrap().to_f64()).collect();
    let drawn: Vec<f64> = first["slices"][0]["mark"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    assert_eq!(drawn, published);
    assert!(page.len() < 1_500_000, "{}", page.len());
}

#[test]
fn hostile_names_stay_text_and_the_page_asks_for_nothing_outside() {
    let hostile = "<img src=x onerror=alert(1)>\"'&</script>";
    let (day, marks) = fixture::day(vec![fixture::name(hostile, 100.0, 0.2, 1, 0.2)]);
    let gates = [Gate {
        name: hostile.to_owned(),
        bound: Bound::AtLeast,
        limit: 0.5,
        value: None,
        count: 0,
        of: 0,
        pass: false,
    }];
    let page = render(&day, &marks, &head(&gates));
    assert!(!page.contains("<img"));
    assert_eq!(data_of(&page)["worst"][0]["underlying"], hostile);
    assert_eq!(page.matches("</script>").count(), 3);
    for outside in ["src=", "@import", "url(h", "fetch("] {
        assert!(!page.contains(outside) || outside == "src=" && page.contains("&lt;img src="), "{outside}");
    }
    assert_eq!(page, render(&day, &marks, &head(&gates)));
}

#[test]
fn an_empty_day_is_a_page_too() {
    let (day, marks) = fixture::day(Vec::new());
    let page = render(&day, &marks, &head(&[]));
    assert_eq!(data_of(&page)["worst"], serde_json::json!([]));
}
