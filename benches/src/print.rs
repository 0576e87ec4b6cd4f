//! The report's tables.

mod sample;
pub mod worth;

use closemark_data::verify::{Kind, VerifyReport};
use closemark_pricing::vocabulary::QuoteStatus;

use crate::chains::ChainClass;
use crate::command::CommandCost;
use crate::figures::DayFigures;
use crate::gates::{GateRow, of_chain};
use crate::leftovers;
use crate::official::Distances;
use crate::whole_close::Closed;

/// Collects gates and key figures while it prints, and ends with them.
pub struct Report {
    weakest: usize,
    header_printed: bool,
    gates: Vec<GateRow>,
    official: Vec<(String, Distances)>,
    key_figures: serde_json::Map<String, serde_json::Value>,
}

impl Report {
    /// A report that lists so many weak names for each chain of several.
    pub fn new(weakest: usize) -> Self {
        Self {
            weakest,
            header_printed: false,
            gates: Vec::new(),
            official: Vec::new(),
            key_figures: serde_json::Map::new(),
        }
    }

    /// A line of text.
    pub fn remark(&self, text: &str) {
        println!("{text}");
    }

    /// A closed chain: its row and its gates.
    pub fn chain(&mut self, name: &str, class: ChainClass, closed: &Closed) {
        let figures = DayFigures::of(&closed.day, &closed.marks, |_| true);
        self.row(name, &figures, Some(closed));
        self.gates.extend(of_chain(name, class, &figures, closed.verified.violation_count));
        self.list_weakest(closed);
    }

    /// All US names: one row for all, one for the top fifth by series quoted.
    pub fn us_names(&mut self, name: &str, closed: &Closed) {
        self.chain(name, ChainClass::AllUs, closed);
        let mut quoted: Vec<(usize, &str)> = closed
            .marks
            .iter()
            .map(|marks| {
                let count = marks.series.iter().filter(|row| row.quote_status != QuoteStatus::None).count();
                (count, marks.underlying.as_str())
            })
            .collect();
        quoted.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        let dead = leftovers::names(&closed.day);
        let top: Vec<&str> = quoted.iter().take(quoted.len() / 5).map(|(_, name)| *name).collect();
        let sound: Vec<&str> = quoted.iter().map(|(_, name)| *name).filter(|name| !dead.contains(*name)).collect();
        let both: Vec<&str> = top.iter().copied().filter(|name| !dead.contains(*name)).collect();
        self.part(format!("  top fifth: {}", top.len()), ChainClass::LiquidUs, closed, &top);
        self.part(format!("  no leftovers: {}", sound.len()), ChainClass::AllUs, closed, &sound);
        self.part(format!("  top, none: {}", both.len()), ChainClass::LiquidUs, closed, &both);
        let dead: Vec<&str> = dead.iter().map(String::as_str).collect();
        println!("  chains with dead rows of another price level: {}", dead.join(" "));
    }

    /// Some names of a chain: row and gates.
    fn part(&mut self, name: String, class: ChainClass, closed: &Closed, names: &[&str]) {
        let figures = DayFigures::of(&closed.day, &closed.marks, |underlying| names.contains(&underlying));
        self.row(&name, &figures, None);
        self.gates.extend(of_chain(&name, class, &figures, closed.verified.violation_count));
    }

    /// Distances of one chain's marks from the exchange's own.
    pub fn official(&mut self, name: &str, distances: Distances) {
        self.official.push((name.to_owned(), distances));
    }

    /// Time and memory of the whole command.
    pub fn cost(&mut self, series: u64, threads: u16, cost: CommandCost) {
        let peak = cost.peak_mib.map_or_else(|| "-".to_owned(), |mib| format!("{mib:.0} MiB"));
        println!(
            "\nThe command on all US names: {series} series, {threads} threads: {:.1} s, peak {peak}",
            cost.seconds
        );
        self.key("us_names_seconds", cost.seconds);
        self.key("us_names_peak_mib", cost.peak_mib);
    }

    /// Distances, gates and the line of key figures.
    pub fn finish(mut self) {
        self.distances();
        let missed: Vec<&GateRow> = self.gates.iter().filter(|gate| !gate.pass()).collect();
        println!("\nGates of METHOD section 8, but for the left-out rows; percent, violations as counts");
        println!("{:<24} {:<15} {:>9} {:>9}", "chain", "figure", "found", "limit");
        for gate in &self.gates {
            let side = if gate.at_least { ">=" } else { "<=" };
            let result = if gate.pass() { "pass" } else { "MISS" };
            let limit = format!("{side} {}", gate.limit);
            println!("{:<24} {:<15} {:>9.2} {:>9}  {result}", gate.chain, gate.figure, gate.value, limit);
        }
        println!("{} of {} gates missed", missed.len(), self.gates.len());
        let (all, count) = (self.gates.len(), missed.len());
        self.key("gates", all as u64);
        self.key("gates_missed", count as u64);
        println!("{}", serde_json::Value::Object(self.key_figures));
    }

    fn distances(&mut self) {
        if self.official.is_empty() {
            return;
        }
        println!("\nDistance from the exchange's own mark, half-spreads; two-sided out-of-the-money quotes");
        println!(
            "{:<24} {:>7} {:>7} {:>7} {:>14} {:>16}",
            "chain", "quotes", "median", "p90", "ours inside %", "theirs inside %"
        );
        let mut all = Distances::default();
        let chains = std::mem::take(&mut self.official);
        chains.iter().for_each(|(_, distances)| all.join(distances));
        for (name, distances) in chains.iter().chain([&("all".to_owned(), all.clone())]) {
            let quotes = distances.half_spreads.len() as u64;
            println!(
                "{name:<24} {quotes:>7} {:>7.3} {:>7.3} {:>14} {:>16}",
                distances.quantile(0.5),
                distances.quantile(0.9),
                DayFigures::percent(distances.ours_inside, quotes),
                DayFigures::percent(distances.theirs_inside, quotes),
            );
        }
        self.key("official_median_half_spreads", all.quantile(0.5));
        self.key("official_p90_half_spreads", all.quantile(0.9));
        self.gates.push(GateRow {
            chain: "Deribit, all".to_owned(),
            figure: "median distance",
            value: all.quantile(0.5),
            limit: 0.25,
            at_least: false,
        });
    }

    fn row(&mut self, name: &str, figures: &DayFigures, closed: Option<&Closed>) {
        if !self.header_printed {
            self.header_printed = true;
            println!(
                "{:<22} {:>7} {:>10} {:>7} {:>7} {:>7} {:>23} {:>9} {:>8} {:>6} {:>6} {:>6}",
                "chain",
                "series",
                "null (q'd)",
                "quotes",
                "accept%",
                "inside%",
                "before v/b/c/p",
                "after",
                "nc",
                "move u",
                "mark s",
                "all s"
            );
        }
        let before = figures.before;
        let seconds = |value: fn(&Closed) -> f64| closed.map_or(String::new(), |c| format!("{:.2}", value(c)));
        println!(
            "{:<22} {:>7} {:>10} {:>7} {:>7} {:>7} {:>23} {:>9} {:>8} {:>6} {:>6} {:>6}",
            name,
            figures.series,
            format!("{} ({})", figures.null_marks, figures.null_quoted),
            figures.quotes,
            DayFigures::percent(figures.accepted, figures.quotes),
            DayFigures::percent(figures.inside, figures.quotes),
            format!("{}/{}/{}/{}", before.vertical, before.butterfly, before.calendar, before.parity),
            closed.map_or(String::new(), |closed| violations(&closed.verified)),
            format!("{}/{}", figures.non_converged, figures.slices),
            figures.largest_move,
            seconds(|c| c.marking_seconds),
            seconds(|c| c.close_seconds),
        );
    }

    fn list_weakest(&self, closed: &Closed) {
        let mut rows: Vec<(u64, &str, DayFigures)> = Vec::new();
        for name in closed.day.underlyings.iter().map(|u| u.underlying.as_str()) {
            let own = DayFigures::of(&closed.day, &closed.marks, |underlying| underlying == name);
            rows.push((own.quotes - own.inside, name, own));
        }
        rows.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        for (outside, name, own) in rows.iter().take(if rows.len() > 1 { self.weakest } else { 0 }) {
            println!(
                "    {name:<8} {outside:>5} of {:>5} outside, {} not accepted, {} null, {}/{} not converged",
                own.quotes,
                own.quotes - own.accepted,
                own.null_quoted,
                own.non_converged,
                own.slices
            );
        }
    }

    fn key(&mut self, name: &str, value: impl Into<serde_json::Value>) {
        self.key_figures.insert(name.to_owned(), value.into());
    }
}

/// Violations in the published files by kind, and others beside them.
fn violations(report: &VerifyReport) -> String {
    let kinds = [Kind::Vertical, Kind::Butterfly, Kind::Calendar, Kind::Parity].map(|kind| report.count(kind));
    let others = report.violation_count.saturating_sub(kinds.iter().sum::<usize>() as u64);
    let [vertical, butterfly, calendar, parity] = kinds;
    let rest = if others > 0 { format!("+{others}") } else { String::new() };
    format!("{vertical}/{butterfly}/{calendar}/{parity}{rest}")
}
