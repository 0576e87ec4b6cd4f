//! The document: every figure and table as plain HTML; the pictures' data and code at its end.

use std::fmt::Write as _;

use closemark_pricing::METHOD_VERSION;
use closemark_pricing::mark::ViolationCounts;
use closemark_pricing::vocabulary::Reason;

use super::figures::{Board, BoardRow, EDIT_CLASSES, largest_edits};
use super::json::{Json, html, short};
use super::worst;
use super::{DRAW_JS, ReportHead, STYLE_CSS, WORST_MAX};
use crate::date;
use crate::day::Day;
use crate::publication::{Bound, Gate};
use crate::text::grouped;

const PAGE_JS: &str = include_str!("page.js");
/// Rows of the board; the page stays usable for a whole market.
const BOARD_MAX: usize = 1_000;
/// Rows of the table of largest edits.
const EDITS_MAX: usize = 20;

pub(crate) fn page(day: &Day, board: &Board<'_>, head: &ReportHead<'_>) -> String {
    let mut out = String::with_capacity(1 << 20);
    let date = date::to_text(day.market_date);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <title>Closing marks of {date}</title>\n<style>\n{STYLE_CSS}</style>\n</head>\n<body>\n<main>\n"
    );
    header(&mut out, day, board, head, &date);
    gates(&mut out, head);
    distributions(&mut out, board);
    edits(&mut out, board);
    table_of_underlyings(&mut out, board);
    pictures(&mut out, board);
    out.push_str("</main>\n<script type=\"application/json\" id=\"data\">");
    out.push_str(&data(board));
    let _ = write!(out, "</script>\n<script>\n{DRAW_JS}</script>\n<script>\n{PAGE_JS}</script>\n</body>\n</html>\n");
    out
}

fn header(out: &mut String, day: &Day, board: &Board<'_>, head: &ReportHead<'_>, date: &str) {
    let total = &board.total;
    let held = head.gates.iter().filter(|gate| !gate.pass).count();
    let state = match held {
        0 => "all gates passed".to_owned(),
        1 => "held by a gate".to_owned(),
        n => format!("held by {n} gates"),
    };
    let _ = write!(
        out,
        "<header><h1>Closing marks of {date} <span class=\"state {}\">{}</span></h1>\n\
         <p class=\"soft\">Snapshot {}, run {}, method {METHOD_VERSION}</p></header>\n<dl class=\"tiles\">",
        if held == 0 { "good" } else { "bad" },
        state,
        html(&day.snapshot_text),
        html(head.run_id)
    );
    let unmarked = total.series - total.marked;
    let slice_word = format!("{} slices, {} underlyings", grouped(total.slices), grouped(board.rows.len() as u64));
    let nulls = if unmarked == 0 { "none without".to_owned() } else { format!("{} without", grouped(unmarked)) };
    let of = |whole: u64| format!("of {} out-of-the-money quotes", grouped(whole));
    tile(out, "series", &grouped(total.series), &slice_word);
    tile(out, "marked", &grouped(total.marked), &nulls);
    tile(out, "inside the quote", &percent(total.inside.fraction(), 2), &of(total.inside.whole));
    tile(out, "quotes accepted", &percent(total.accepted.fraction(), 2), &of(total.accepted.whole));
    tile(out, "violations in the mids", &grouped(u64::from(total.before.total())), &kinds(total.before));
    tile(out, "violations published", &grouped(u64::from(total.after.total())), &kinds(total.after));
    tile(out, "slices not converged", &grouped(total.non_converged), &format!("of {}", grouped(total.slices)));
    out.push_str("</dl>\n");
}

fn tile(out: &mut String, name: &str, value: &str, note: &str) {
    let _ = write!(out, "<div><dt>{name}</dt><dd>{value} <small>{}</small></dd></div>", html(note));
}

fn gates(out: &mut String, head: &ReportHead<'_>) {
    out.push_str("<h2>Gates</h2>\n");
    if head.gates.is_empty() {
        out.push_str("<p class=\"soft\">No gate was evaluated.</p>\n");
        return;
    }
    out.push_str(
        "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">gate</th><th scope=\"col\">value</th>\
         <th scope=\"col\">limit</th><th scope=\"col\">result</th></tr></thead><tbody>",
    );
    for gate in head.gates {
        let (class, word) = if gate.pass { ("good", "passed") } else { ("bad", "held") };
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"{class}\">{word}</td></tr>",
            html(&gate.name.replace('_', " ")),
            gate_value(gate),
            gate_limit(gate)
        );
    }
    out.push_str("</tbody></table></div>\n");
}

/// What a gate found, with its counts; a count where its limit is one.
fn gate_value(gate: &Gate) -> String {
    match gate.value {
        None => "nothing to measure".to_owned(),
        Some(_) if gate.name == "violations" => grouped(gate.count),
        value => format!(
            "{} <span class=\"soft\">({} of {})</span>",
            percent(value, 2),
            grouped(gate.count),
            grouped(gate.of)
        ),
    }
}

fn gate_limit(gate: &Gate) -> String {
    let side = match gate.bound {
        Bound::AtLeast => "at least",
        Bound::AtMost => "at most",
    };
    if gate.name == "violations" {
        format!("{side} {}", short(gate.limit, 0))
    } else {
        format!("{side} {} %", short(100.0 * gate.limit, 3))
    }
}

fn distributions(out: &mut String, board: &Board<'_>) {
    out.push_str(
        "<div class=\"pair\"><div><h2>What decided the marks</h2><div class=\"bars-box\" id=\"sources\"></div></div>\n\
         <div><h2>|mark − mid| in half-spreads</h2><div class=\"bars-box\" id=\"edits\"></div></div></div>\n",
    );
    let reasons = |title: &str, counts: &std::collections::BTreeMap<Reason, u64>, out: &mut String| {
        if counts.is_empty() {
            return;
        }
        let _ = write!(
            out,
            "<details><summary>{title}</summary><div class=\"scroll\"><table><thead><tr><th scope=\"col\">reason</th>\
             <th scope=\"col\">series</th></tr></thead><tbody>"
        );
        for (reason, count) in counts {
            let _ = write!(out, "<tr><td>{reason}</td><td>{}</td></tr>", grouped(*count));
        }
        out.push_str("</tbody></table></div></details>\n");
    };
    reasons("Series by reason", &board.total.reasons, out);
    reasons("Series without a mark, by reason", &board.total.null_reasons, out);
    out.push_str(
        "<details><summary>The two pictures as tables</summary><div class=\"scroll\"><table><thead><tr>\
         <th scope=\"col\">class</th><th scope=\"col\">series</th></tr></thead><tbody>",
    );
    for (name, count) in source_pairs(board).into_iter().chain(edit_pairs(board)) {
        let _ = write!(out, "<tr><td>{}</td><td>{}</td></tr>", html(&name), grouped(count));
    }
    out.push_str("</tbody></table></div></details>\n");
}

fn source_pairs(board: &Board<'_>) -> Vec<(String, u64)> {
    let mut pairs: Vec<(String, u64)> =
        board.total.sources.iter().map(|(source, count)| (source.as_str().to_owned(), *count)).collect();
    pairs.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    pairs
}

fn edit_pairs(board: &Board<'_>) -> Vec<(String, u64)> {
    let mut low = 0.0;
    let mut pairs = Vec::new();
    for (&end, &count) in EDIT_CLASSES.iter().zip(&board.total.edit_classes) {
        let name = if end.is_finite() {
            format!("{} to {}", short(low, 2), short(end, 2))
        } else {
            format!("above {}", short(low, 2))
        };
        pairs.push((name, count));
        low = end;
    }
    pairs
}

fn edits(out: &mut String, board: &Board<'_>) {
    let largest = largest_edits(board, EDITS_MAX);
    if largest.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Largest edits</h2><div class=\"scroll\"><table><thead><tr><th scope=\"col\">series</th><th scope=\"col\">bid</th>\
         <th scope=\"col\">ask</th><th scope=\"col\">mid</th><th scope=\"col\">mark</th><th scope=\"col\">half-spreads</th>\
         <th scope=\"col\" class=\"left\">source</th><th scope=\"col\" class=\"left\">reasons</th></tr></thead><tbody>",
    );
    for edit in largest {
        let mark = &edit.mark;
        let price = |price: Option<closemark_pricing::Price>| price.map_or("–".to_owned(), money);
        let reasons: Vec<&str> = mark.reasons.iter().map(Reason::as_str).collect();
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.2}</td><td class=\"left\">{}</td><td class=\"left\">{}</td></tr>",
            html(&edit.series.osi_symbol),
            price(mark.bid),
            price(mark.ask),
            price(mark.mid),
            mark.mark.map_or("none".to_owned(), |p| p.to_string()),
            edit.half_spreads,
            mark.mark_source,
            reasons.join(", ")
        );
    }
    out.push_str("</tbody></table></div>\n");
}

fn table_of_underlyings(out: &mut String, board: &Board<'_>) {
    let _ = writeln!(
        out,
        "<h2>Underlyings, least believable first</h2>\n<p class=\"soft\">{}</p>\n\
         <input type=\"search\" id=\"filter\" placeholder=\"symbol\" aria-label=\"Filter by symbol\">",
        if board.rows.len() > BOARD_MAX {
            format!("The first {} of {}.", grouped(BOARD_MAX as u64), grouped(board.rows.len() as u64))
        } else {
            "Edits in half-spreads; violations are those of the mids and of the published integers.".to_owned()
        }
    );
    out.push_str("<div class=\"scroll tall\"><table id=\"board\"><thead><tr>");
    for name in [
        "underlying",
        "price",
        "series",
        "slices",
        "worst edit",
        "inside",
        "accepted",
        "before",
        "after",
        "capped",
        "carried",
        "not converged",
        "no mark",
        "confidence",
    ] {
        let _ = write!(out, "<th scope=\"col\"><button type=\"button\">{name}</button></th>");
    }
    out.push_str("</tr></thead><tbody>");
    for (place, row) in board.rows.iter().take(BOARD_MAX).enumerate() {
        board_row(out, place, row);
    }
    out.push_str("</tbody></table></div>\n");
}

fn board_row(out: &mut String, place: usize, row: &BoardRow<'_>) {
    let figures = &row.figures;
    let name = html(&row.day.underlying);
    let link = if place < WORST_MAX { format!("<a href=\"#worst-{place}\">{name}</a>") } else { name };
    let _ = write!(out, "<tr><td>{link}</td>");
    let price = underlying_price(row);
    cell(out, price.map(|p| p.to_f64()), &price.map_or("–".to_owned(), money), "");
    let count = |out: &mut String, value: u64, bad: bool| {
        cell(out, Some(value as f64), &grouped(value), if bad && value > 0 { "bad" } else { "" });
    };
    count(out, figures.series, false);
    count(out, figures.slices, false);
    cell(out, figures.worst_edit, &figures.worst_edit.map_or("–".to_owned(), |worst| format!("{worst:.2}")), "");
    cell(out, figures.inside.fraction(), &percent(figures.inside.fraction(), 1), "");
    cell(out, figures.accepted.fraction(), &percent(figures.accepted.fraction(), 1), "");
    count(out, u64::from(figures.before.total()), false);
    count(out, u64::from(figures.after.total()), true);
    count(out, figures.capped(), false);
    count(out, figures.from_source(closemark_pricing::vocabulary::MarkSource::Carried), false);
    count(out, figures.non_converged, true);
    count(out, figures.series - figures.marked, false);
    cell(out, row.confidence, &row.confidence.map_or("–".to_owned(), |c| format!("{c:.2}")), "");
    out.push_str("</tr>");
}

fn cell(out: &mut String, value: Option<f64>, text: &str, class: &str) {
    let value = value.filter(|v| v.is_finite()).map_or(String::new(), |v| short(v, 6));
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    let _ = write!(out, "<td data-value=\"{value}\"{class}>{text}</td>");
}

fn pictures(out: &mut String, board: &Board<'_>) {
    if board.rows.is_empty() {
        return;
    }
    out.push_str(
        "<h2>The least believable, drawn</h2>\n<div class=\"legend\">\
         <span><svg width=\"44\" height=\"16\" aria-hidden=\"true\"><path class=\"bar call\" d=\"M10,1V15\"/><circle class=\"mid call\" cx=\"10\" cy=\"8\" r=\"3\"/>\
         <path class=\"bar put\" d=\"M32,1V15\"/><circle class=\"mid put\" cx=\"32\" cy=\"8\" r=\"3\"/></svg>bid, ask and mid of calls and puts</span>\
         <span><svg width=\"14\" height=\"16\" aria-hidden=\"true\"><circle class=\"mid out call\" cx=\"7\" cy=\"8\" r=\"3.2\"/></svg>excluded from the fit</span>\
         <span><svg width=\"34\" height=\"16\" aria-hidden=\"true\"><path class=\"curve\" d=\"M1,12Q17,2 33,9\"/><path class=\"mark\" d=\"M17,3.3l3,3l-3,3l-3,-3z\"/></svg>smoothed curve and published marks</span>\
         <span><svg width=\"14\" height=\"16\" aria-hidden=\"true\"><path class=\"mid out put\" d=\"M3,12h8l-4,-7z\"/></svg>beyond the picture</span></div>\n",
    );
    for (place, row) in board.rows.iter().take(WORST_MAX).enumerate() {
        let figures = &row.figures;
        let _ = writeln!(
            out,
            "<section class=\"worst\" id=\"worst-{place}\" data-worst=\"{place}\"><h3>{} <span class=\"soft\">{}</span></h3>\
             <p class=\"soft\">{}</p><div class=\"tools\"></div><dl class=\"facts\"></dl>\
             <div class=\"pictures\"><div><div class=\"smile\"></div></div><div><div class=\"variance\"></div></div></div>\
             <details class=\"rows\"><summary>The series of this smile as a table</summary><div class=\"scroll\"></div></details>{}</section>",
            html(&row.day.underlying),
            underlying_price(row).map_or(String::new(), money),
            html(&sentence(row)),
            slices_table(row, figures.slices)
        );
    }
}

/// What stands out, in words: the reason why the underlying is this high on the board.
fn sentence(row: &BoardRow<'_>) -> String {
    let figures = &row.figures;
    let mut parts = vec![format!("{} series in {} slices", grouped(figures.series), grouped(figures.slices))];
    if figures.after.total() > 0 {
        parts.push(format!("published violations: {}", worst::violations(figures.after)));
    }
    if let Some(inside) = figures.inside.fraction() {
        parts.push(format!("{} inside the quote", percent(Some(inside), 1)));
    }
    if let Some(worst) = figures.worst_edit {
        parts.push(format!("largest edit {worst:.2} half-spreads"));
    }
    if figures.non_converged > 0 {
        let slices = if figures.non_converged == 1 { "slice" } else { "slices" };
        parts.push(format!("{} {slices} not converged", grouped(figures.non_converged)));
    }
    if figures.series > figures.marked {
        parts.push(format!("{} series without a mark", grouped(figures.series - figures.marked)));
    }
    if figures.before.total() > 0 {
        parts.push(format!("violations in the mids: {}", worst::violations(figures.before)));
    }
    if let Some(confidence) = row.confidence {
        parts.push(format!("least confidence {confidence:.2}"));
    }
    parts.join("; ")
}

/// All slices of an underlying with their figures: the table behind the picture of total variance.
fn slices_table(row: &BoardRow<'_>, count: u64) -> String {
    let mut out = format!(
        "<details><summary>All {count} slices as a table</summary><div class=\"scroll\"><table><thead><tr><th scope=\"col\">slice</th>\
         <th scope=\"col\">days</th><th scope=\"col\">forward</th><th scope=\"col\">at the money</th><th scope=\"col\">total variance</th>\
         <th scope=\"col\">inside</th><th scope=\"col\">accepted</th><th scope=\"col\">before</th><th scope=\"col\">after</th>\
         <th scope=\"col\">confidence</th><th scope=\"col\" class=\"left\">solver</th></tr></thead><tbody>"
    );
    for slice in &row.marks.slices {
        let variance = slice.atm_volatility.map(|sigma| sigma * sigma * slice.time_to_expiry);
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{:.2}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.2}</td><td class=\"left\">{}</td></tr>",
            html(&worst::slice_label(slice)),
            slice.time_to_expiry * 365.0,
            slice.forward.map_or("–".to_owned(), |f| format!("{f:.4}")),
            percent(slice.atm_volatility, 2),
            variance.map_or("–".to_owned(), |w| format!("{w:.6}")),
            percent(slice.share_inside, 1),
            percent(slice.share_accepted, 1),
            slice.violations_before.total(),
            slice.violations_after.total(),
            slice.confidence,
            slice.solver_status
        );
    }
    out.push_str("</tbody></table></div></details>");
    out
}

fn data(board: &Board<'_>) -> String {
    let mut json = Json::default();
    json.object(|json| {
        worst::words(json.key("words"));
        for (key, pairs) in [("sources", source_pairs(board)), ("edits", edit_pairs(board))] {
            json.key(key).array(|json| {
                for (name, count) in &pairs {
                    json.array(|json| {
                        json.string(name);
                        json.whole(*count);
                    });
                }
            });
        }
        json.key("worst").array(|json| {
            board.rows.iter().take(WORST_MAX).for_each(|row| worst::underlying(json, row));
        });
    });
    json.finish()
}

/// The price that served everything: what the marks say, else the print.
fn underlying_price(row: &BoardRow<'_>) -> Option<closemark_pricing::Price> {
    row.marks.series.iter().find_map(|mark| mark.underlying_price).or(row.day.price)
}

fn kinds(counts: ViolationCounts) -> String {
    worst::violations(counts)
}

fn percent(value: Option<f64>, decimals: usize) -> String {
    value.filter(|v| v.is_finite()).map_or("–".to_owned(), |v| format!("{:.decimals$} %", 100.0 * v))
}

/// A price with what it carries, at least two decimals.
fn money(price: closemark_pricing::Price) -> String {
    let text = price.to_string();
    let cut = text.trim_end_matches('0');
    let decimals = cut.rsplit_once('.').map_or(0, |(_, tail)| tail.len());
    if decimals >= 2 { cut.to_owned() } else { format!("{:.2}", price.to_f64()) }
}
