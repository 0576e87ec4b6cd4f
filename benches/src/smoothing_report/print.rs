//! The report's tables and its last line.

use closemark_data::verify::Kind;
use closemark_pricing::mark::UnderlyingMarks;
use closemark_pricing::vocabulary::QuoteStatus;
use serde_json::{Map, Value, json};

use super::chain::{Scores, UnderlyingScores, total};
use super::consecutive::DayMove;
use super::gates;
use super::method::Method;
use super::republish::Stability;
use super::speed::Speed;
use super::truth::{Interval, TruthRow};
use crate::chains::ChainClass;
use crate::figures::DayFigures;
use crate::gates::{GateRow, of_chain};
use crate::leftovers;
use crate::whole_close::Closed;

/// Collects gates and figures while it prints, and ends with them.
#[derive(Default)]
pub struct Report {
    header_printed: bool,
    gates: Vec<GateRow>,
    json: Map<String, Value>,
}

impl Report {
    /// A closed chain with its scores.
    pub fn chain(&mut self, name: &str, class: ChainClass, closed: &Closed, scores: &[UnderlyingScores]) {
        self.part(name, class, closed, scores, &|_| true);
        if closed.day.underlyings.len() > 20 && class == ChainClass::AllUs {
            let mut quoted: Vec<(usize, &str)> =
                closed.marks.iter().map(|m| (quoted(m), m.underlying.as_str())).collect();
            quoted.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
            let top: Vec<&str> = quoted.iter().take(quoted.len() / 5).map(|(_, name)| *name).collect();
            let dead = leftovers::names(&closed.day);
            self.part(&format!("{name}, top fifth"), ChainClass::LiquidUs, closed, scores, &|n| top.contains(&n));
            // Diagnosis, held to nothing.
            self.rows(&format!("{name}, no leftovers"), closed, scores, &|n| !dead.contains(n));
        }
    }

    fn part(
        &mut self,
        name: &str,
        class: ChainClass,
        closed: &Closed,
        scores: &[UnderlyingScores],
        keep: &dyn Fn(&str) -> bool,
    ) {
        let scores = self.rows(name, closed, scores, keep);
        let figures = DayFigures::of(&closed.day, &closed.marks, keep);
        self.gates.extend(of_chain(name, class, &figures, closed.verified.violation_count));
        self.gates.extend(gates::of_scores(name, class, &scores));
    }

    fn rows(
        &mut self,
        name: &str,
        closed: &Closed,
        scores: &[UnderlyingScores],
        keep: &dyn Fn(&str) -> bool,
    ) -> Scores {
        if !self.header_printed {
            self.header_printed = true;
            println!(
                "{:<26} {:<9} {:>17} {:>8} {:>7} {:>8} {:>7} {:>7} {:>9} {:>6} {:>9}",
                "chain",
                "method",
                "violations v/b/c",
                "inside%",
                "left n",
                "inside%",
                "med bp",
                "med hs",
                "rmse bp",
                "noise",
                "us/slice"
            );
        }
        let figures = DayFigures::of(&closed.day, &closed.marks, keep);
        let sums = total(scores, keep);
        let mut methods = Map::new();
        for (method, score) in &sums {
            let v = score.violations;
            println!(
                "{:<26} {:<9} {:>17} {:>8.2} {:>7} {:>8.2} {:>7.2} {:>7.3} {:>9.1} {:>6.3} {:>9.0}",
                if *method == Method::RawMids { name } else { "" },
                method.name(),
                format!("{}/{}/{}", v.vertical, v.butterfly, v.calendar),
                score.inside_percent(),
                score.left_out,
                score.left_out_percent(),
                score.left_out_median_bp(),
                score.left_out_median_half_spreads(),
                score.left_out_rmse_bp(),
                score.noise_gain(),
                score.slice_microseconds()
            );
            methods.insert(method.key().to_owned(), score.json());
        }
        println!(
            "{:<26} {:<9} {:>17} {:>8}  of {} quotes, accepted {} %, not converged {}/{}",
            "",
            "published",
            published_violations(closed),
            DayFigures::percent(figures.inside, figures.quotes),
            figures.quotes,
            DayFigures::percent(figures.accepted, figures.quotes),
            figures.non_converged,
            figures.slices
        );
        let share =
            |part: u64| if figures.quotes == 0 { Value::Null } else { json!(part as f64 / figures.quotes as f64) };
        methods.insert(
            "published".to_owned(),
            json!({
                "violations": closed.verified.violation_count,
                "quotes": figures.quotes,
                "inside": share(figures.inside),
                "accepted": share(figures.accepted),
                "slices": figures.slices,
                "not_converged": figures.non_converged,
                "largest_move_millionths": figures.largest_move,
            }),
        );
        self.json.insert(name.to_owned(), Value::Object(methods));
        sums
    }

    /// Publication on its own marks, and a close of them.
    pub fn stability(&mut self, name: &str, stability: &Stability) {
        println!(
            "{:<26} largest move {} millionths, {} at best; published again {} of {} marks move; closed again: median {:.4}, 90th {:.4} half-spreads",
            "",
            stability.move_made,
            stability.move_possible,
            stability.republished_moves,
            stability.republished,
            stability.reclosed_quantile(0.5),
            stability.reclosed_quantile(0.9)
        );
        self.gates.extend(gates::of_stability(name, stability));
        if let Some(Value::Object(chain)) = self.json.get_mut(name) {
            chain.insert(
                "stability".to_owned(),
                json!({
                    "largest_move_millionths": stability.move_made,
                    "smallest_possible_move_millionths": stability.move_possible,
                    "republished_moves": stability.republished_moves,
                    "reclosed_median_half_spreads": stability.reclosed_quantile(0.5),
                    "reclosed_p90_half_spreads": stability.reclosed_quantile(0.9),
                }),
            );
        }
    }

    /// Two days in a row.
    pub fn day_move(&mut self, name: &str, moves: &DayMove) {
        println!(
            "{name}: {} expirations, {} far series; median move at the money {:.1} bp, far {:.1} bp, far less at the money {:.1} bp",
            moves.expirations,
            moves.series,
            1e4 * moves.at_the_money,
            1e4 * moves.far,
            1e4 * moves.relative
        );
        let figures = json!({
            "at_the_money_bp": 1e4 * moves.at_the_money,
            "far_bp": 1e4 * moves.far,
            "relative_bp": 1e4 * moves.relative,
            "far_over_at_the_money": moves.far / moves.at_the_money,
        });
        self.json.insert(name.to_owned(), figures);
    }

    /// Known truth.
    pub fn truth(&mut self, rows: &[TruthRow], seeds: u64) {
        println!("\nKnown truth, {seeds} seeds: medians with 95 % intervals; vega-weighted error, basis points");
        println!(
            "{:<10} {:<9} {:>24} {:>24} {:>9} {:>9}",
            "shape", "method", "rmse bp", "over raw mids", "inside%", "truth's%"
        );
        let interval =
            |x: Interval, digits: usize| format!("{:.digits$} [{:.digits$}, {:.digits$}]", x.median, x.low, x.high);
        for row in rows {
            println!(
                "{:<10} {:<9} {:>24} {:>24} {:>9.2} {:>9.2}",
                row.shape,
                row.method.name(),
                interval(row.rmse_bp, 1),
                interval(row.ratio, 3),
                row.inside,
                row.truth_inside
            );
            let entry = self.json.entry(format!("truth: {}", row.shape)).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(methods) = entry {
                methods.insert(
                    row.method.key().to_owned(),
                    json!({
                        "rmse_bp": row.rmse_bp.median,
                        "rmse_bp_interval": [row.rmse_bp.low, row.rmse_bp.high],
                        "over_raw_mids": row.ratio.median,
                        "inside_percent": row.inside,
                        "truth_inside_percent": row.truth_inside,
                    }),
                );
            }
        }
        self.gates.extend(gates::of_truth(rows));
    }

    /// Times.
    pub fn speed(&mut self, speed: Speed) {
        println!(
            "\nOne core: 56 slices of 170 strikes {:.1} ms, a slice of 20 strikes {:.1} us",
            speed.surface_ms, speed.small_us
        );
        let row = |figure, value, limit| GateRow { chain: "speed".to_owned(), figure, value, limit, at_least: false };
        self.gates.push(row("surface, ms", speed.surface_ms, 50.0));
        self.gates.push(row("20 strikes, us", speed.small_us, 100.0));
        self.json
            .insert("speed".to_owned(), json!({ "surface_ms": speed.surface_ms, "slice_of_20_us": speed.small_us }));
    }

    /// Gates and the last line.
    pub fn finish(mut self) {
        println!("\nGates; percent unless said");
        println!("{:<32} {:<19} {:>9}    {:>9}", "chain", "figure", "found", "limit");
        for gate in &self.gates {
            println!(
                "{:<32} {:<19} {:>9.3} {} {:>9.3}{}",
                gate.chain,
                gate.figure,
                gate.value,
                if gate.at_least { ">=" } else { "<=" },
                gate.limit,
                if gate.pass() { "" } else { "  MISS" }
            );
        }
        let missed = self.gates.iter().filter(|gate| !gate.pass()).count();
        println!("{missed} of {} gates missed", self.gates.len());
        self.json.insert("gates".to_owned(), json!({ "count": self.gates.len(), "missed": missed }));
        println!("{}", Value::Object(self.json));
    }
}

/// Series that anything quotes.
fn quoted(marks: &UnderlyingMarks) -> usize {
    marks.series.iter().filter(|row| row.quote_status != QuoteStatus::None).count()
}

fn published_violations(closed: &Closed) -> String {
    let kinds = [Kind::Vertical, Kind::Butterfly, Kind::Calendar].map(|kind| closed.verified.count(kind));
    let [vertical, butterfly, calendar] = kinds;
    format!("{vertical}/{butterfly}/{calendar}")
}
