//! `.../slices/S/rounds`: how the curve of a slice came about, round by round.

use closemark_data::store::{Close, SliceId, slice};
use closemark_pricing::mark::SmoothingStep;
use serde_json::{Value, json};

use super::{Origin, dated};
use crate::serve::page::values::number;

/// The rounds of one slice; `None` where the run has no such slice.
pub(in crate::serve::page) fn rounds(
    close: &Close,
    underlying: &str,
    wanted: &SliceId,
    origin: &Origin,
) -> Option<Value> {
    let (_, view) = close.slices_of(underlying).into_iter().find(|(id, _)| id == wanted)?;
    let head = |more: Value| {
        let mut answer = json!({
            "date": dated(close), "run": close.run().to_string(), "underlying": underlying, "slice": wanted.to_string(),
            "kept": true, "inputs": origin.found.as_str(), "input_digest": close.manifest().input_digest,
        });
        if let (Some(all), Value::Object(more)) = (answer.as_object_mut(), more) {
            all.extend(more);
        }
        answer
    };
    let (marks, histories) = match &origin.steps {
        Ok(steps) => steps,
        Err(why) => return Some(head(json!({"kept": false, "why": why}))),
    };
    let history = histories.iter().find(|history| {
        marks.slices.get(history.slice).is_some_and(|own| {
            own.root == wanted.root
                && own.expiration == wanted.expiration
                && own.settlement == wanted.settlement
                && own.deliverable == view.text(slice::DELIVERABLE)
        })
    });
    let Some(history) = history else {
        return Some(head(json!({"kept": false, "why": "no smoothing took place in this slice"})));
    };
    let symbols = |places: &[usize]| -> Vec<&str> {
        places.iter().filter_map(|place| origin.day.series.get(*place)).map(|own| own.osi_symbol.as_str()).collect()
    };
    let column = |values: &[Option<f64>]| values.iter().map(|value| number(*value, 6)).collect::<Vec<_>>();
    let time = history.time_to_expiry;
    let cap = |step: &SmoothingStep, side: usize| -> Vec<Value> {
        step.caps.iter().map(|caps| number(caps.and_then(|caps| caps.get(side).copied()), 6)).collect()
    };
    let one = |step: &SmoothingStep| {
        json!({
            "pass": step.pass, "round": step.round,
            "total_variance": step.black.iter().map(|u| number(Some(u * u * time), 10)).collect::<Vec<_>>(),
            "volatility": column(&step.volatility),
            "target": column(&step.target),
            "used": step.used.len(),
            "left_out": symbols(&step.left_out),
            "cap_low": cap(step, 0), "cap_high": cap(step, 1),
        })
    };
    Some(head(json!({
        "strike": history.strikes,
        "rounds": history.steps.iter().map(one).collect::<Vec<_>>(),
    })))
}
