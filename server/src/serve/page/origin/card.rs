//! `.../marks/SYMBOL/origin`: one series from its venues' quotes to the published integer.

use closemark_data::reference::VenueTable;
use closemark_data::store::{Close, RowView, mark};
use closemark_data::time;
use closemark_pricing::day::UnderlyingDay;
use closemark_pricing::mark::{SliceHistory, SmoothingStep};
use closemark_pricing::nbbo::{DropKind, Nbbo, consolidate};
use closemark_pricing::price::Price;
use closemark_pricing::quote::VenueQuote;
use closemark_pricing::vocabulary::OptionType;
use serde_json::{Value, json};

use super::{Origin, dated};
use crate::serve::page::values::{micros, number};

/// The way of one series; `None` where the inputs do not have it.
pub(in crate::serve::page) fn card(close: &Close, row: RowView<'_>, origin: &Origin) -> Option<Value> {
    let symbol = row.text(mark::OSI_SYMBOL);
    let day = &origin.day;
    let place = day.series.iter().position(|series| series.osi_symbol == symbol)?;
    let quotes = day.quotes_of(place);
    let nbbo = consolidate(quotes);
    let names = VenueTable::on(close.date()).ok();
    let snapshot = day.series.get(place).map(|series| series.snapshot);
    let venues: Vec<Value> = quotes
        .iter()
        .map(|quote| {
            let mic = day.venues.get(usize::from(quote.venue.0)).map_or("", String::as_str);
            let known = names.as_ref().and_then(|table| table.venues().iter().find(|venue| venue.mic == mic));
            let age = snapshot.zip(quote.time).map(|(at, time)| (at.0 - time.0) as f64 / 1e9);
            json!({
                "venue": mic,
                "name": known.map(|venue| venue.name.as_str()),
                "bid": price(quote.bid), "bid_size": quote.bid_size,
                "ask": price(quote.ask), "ask_size": quote.ask_size,
                "time": quote.time.map(time::to_new_york_text),
                "seconds_before_snapshot": number(age, 3),
                "fate": fate(quote, &nbbo, quotes),
                "best_bid": usable(quote.bid, quote.bid_size) && quote.bid == nbbo.bid && fate(quote, &nbbo, quotes) == "counts",
                "best_ask": usable(quote.ask, quote.ask_size) && quote.ask == nbbo.ask && fate(quote, &nbbo, quotes) == "counts",
            })
        })
        .collect();
    let (way, why) = match &origin.steps {
        Ok((_, histories)) => (way(day, place, histories), None),
        Err(why) => (Value::Null, Some(why.as_str())),
    };
    Some(json!({
        "date": dated(close), "run": close.run().to_string(), "osi_symbol": symbol,
        "kept": true,
        "inputs": origin.found.as_str(),
        "input_digest": close.manifest().input_digest,
        "venues": venues,
        "bid": price(nbbo.bid), "ask": price(nbbo.ask), "status": nbbo.status.as_str(),
        "smoothing": way,
        "why_no_smoothing": why,
    }))
}

fn price(price: Option<Price>) -> Value {
    price.map_or(Value::Null, |price| micros(price.micros()))
}

fn usable(price: Option<Price>, size: Option<u32>) -> bool {
    price.is_some_and(|price| price > Price::ZERO) && size != Some(0)
}

/// What became of one venue's quote on the way to the best bid and offer.
fn fate(quote: &VenueQuote, nbbo: &Nbbo, all: &[VenueQuote]) -> &'static str {
    let sides = |quote: &VenueQuote| usable(quote.bid, quote.bid_size) || usable(quote.ask, quote.ask_size);
    if !sides(quote) {
        return "no usable side";
    }
    if quote.consolidated && all.iter().any(|other| !other.consolidated && sides(other)) {
        return "not needed beside venues";
    }
    match nbbo.dropped.iter().find(|dropped| dropped.venue == quote.venue).map(|dropped| dropped.kind) {
        Some(DropKind::CrossedInItself) => "dropped: crossed in itself",
        Some(DropKind::Uncrossed) => "dropped: it crossed another venue",
        None => "counts",
    }
}

/// The rounds at the series' strike, and the last steps; null where no class smoothed it.
fn way(day: &UnderlyingDay, series: usize, histories: &[SliceHistory]) -> Value {
    let at = |history: &SliceHistory| history.series.iter().position(|pair| pair.contains(&Some(series)));
    let Some((history, strike)) = histories.iter().find_map(|history| Some((history, at(history)?))) else {
        return Value::Null;
    };
    let call = day.series.get(series).is_some_and(|own| own.option_type == OptionType::Call);
    let (model, unrounded, published) = history.price_at(usize::from(!call), strike);
    let rounds: Vec<Value> = history.steps.iter().map(|step| round(step, series, strike)).collect();
    json!({
        "rounds": rounds,
        "model_price": number(model, 9),
        "unrounded": number(unrounded, 9),
        "published": published.map(micros),
    })
}

fn round(step: &SmoothingStep, series: usize, strike: usize) -> Value {
    let at = |values: &[Option<f64>]| number(values.get(strike).copied().flatten(), 6);
    let quote = if step.used.contains(&series) {
        Some("used")
    } else if step.left_out.contains(&series) {
        Some("left out")
    } else {
        None
    };
    let caps = step.caps.get(strike).copied().flatten();
    json!({
        "pass": step.pass, "round": step.round,
        "target": at(&step.target), "volatility": at(&step.volatility),
        "quote": quote,
        "cap_low": number(caps.map(|caps| caps[0]), 6), "cap_high": number(caps.map(|caps| caps[1]), 6),
    })
}
