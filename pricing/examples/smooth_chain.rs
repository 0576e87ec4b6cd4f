//! Smooths a European chain in the `cboe-quotedata` form with a crude parity forward, and prints how well.
//!
//! `CLOSEMARK_REAL_DATA` names the folder (default `../shared/data`); `-- [file]` the file in its `cboe_quotedata`.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

use closemark_pricing::settings::SmoothingSettings;
use closemark_pricing::smoothing::{SliceInput, SmoothedSlice, VolatilityQuote, smooth_class};
use closemark_pricing::vocabulary::{OptionType, SolverStatus};
use std::collections::BTreeMap;

#[derive(Clone, Copy)]
struct Quote {
    strike: f64,
    call: bool,
    bid: f64,
    ask: f64,
}

fn main() {
    let folder = std::env::var("CLOSEMARK_REAL_DATA").unwrap_or_else(|_| "../shared/data".into());
    let name = std::env::args().nth(1).unwrap_or_else(|| "20230914_spx_quotedata.csv".into());
    let path = format!("{folder}/cboe_quotedata/{name}");
    let Ok(text) = std::fs::read_to_string(&path) else {
        assert!(std::env::var("CI").is_err(), "{path} is missing");
        println!("{path} is missing: nothing measured");
        return;
    };
    let mut chain: BTreeMap<(String, String), Vec<Quote>> = BTreeMap::new();
    for line in text.lines().skip(4) {
        // "Thu Sep 14 2023,SPXW230914C01200000,last,net,bid,ask,volume,iv,delta,gamma,oi,strike,put,last,net,bid,ask,..."
        let cells: Vec<&str> = line.split(',').collect();
        if cells.len() < 17 {
            continue;
        }
        let number = |i: usize| cells[i].trim().parse::<f64>().unwrap_or(0.0);
        let symbol = cells[1];
        let tail = symbol.len() - 15;
        let key = (symbol[tail..tail + 6].to_owned(), symbol[..tail].to_owned());
        let list = chain.entry(key).or_default();
        list.push(Quote { strike: number(11), call: true, bid: number(4), ask: number(5) });
        list.push(Quote { strike: number(11), call: false, bid: number(15), ask: number(16) });
    }
    let mut slices: Vec<(String, f64, f64, Vec<Quote>)> = Vec::new();
    for ((date, root), quotes) in &chain {
        let days = day_number(date) - day_number("230914");
        let hours = if root == "SPX" { -6.5 } else { 0.0 } + f64::from(days) * 24.0;
        if days > 0 {
            slices.push((format!("{date} {root}"), hours / 24.0 / 365.0, 0.0, quotes.clone()));
        }
    }
    slices.sort_by(|a, b| a.1.total_cmp(&b.1));
    let half_tick = 0.025;
    let inputs: Vec<SliceInput> = slices.iter().map(|(_, t, _, quotes)| input(*t, quotes, half_tick)).collect();
    let tune = |name: &str, value: &mut f64| {
        if let Ok(text) = std::env::var(name) {
            *value = text.parse().unwrap();
        }
    };
    let mut settings = SmoothingSettings::default();
    tune("GAMMA", &mut settings.gcv_gamma);
    tune("HUBER", &mut settings.huber_scales);
    tune("CAP", &mut settings.weight_cap_percentile);
    tune("REJECT", &mut settings.reject_scales);
    let _ = smooth_class(&inputs, &settings);
    let start = std::time::Instant::now();
    let smoothed = smooth_class(&inputs, &settings);
    let elapsed = start.elapsed().as_secs_f64();
    println!(
        "{:>14} {:>5} {:>6} {:>6} {:>6} {:>7} {:>8} {:>4} {:>5}",
        "slice", "n", "inside", "accept", "df", "loo bp", "status", "it", "atm"
    );
    let (mut n, mut inside, mut accepted) = (0, 0, 0);
    for (((label, ..), input), out) in slices.iter().zip(&inputs).zip(&smoothed) {
        let (a, b, c) = count(input, out, label);
        n += a;
        inside += b;
        accepted += c;
        if std::env::var("VERBOSE").is_ok() {
            println!(
                "{label:>14} {a:>5} {:>6.2} {:>6.2} {:>6.1} {:>7.1} {:>8} {:>4} {:>5.3} {:e}",
                100.0 * b as f64 / a as f64,
                100.0 * c as f64 / a as f64,
                out.degrees_of_freedom.unwrap_or(0.0),
                1e4 * out.left_out_error.unwrap_or(0.0),
                out.solver_status,
                out.iterations,
                out.atm_volatility.unwrap_or(0.0),
                out.solver_residual.unwrap_or(0.0),
            );
        }
    }
    let unconverged = smoothed.iter().filter(|s| s.solver_status != SolverStatus::Converged).count();
    println!(
        "{} slices, {n} two-sided out-of-the-money quotes: inside {:.2} %, accepted {:.2} %, not converged {unconverged}, {:.1} ms",
        inputs.len(),
        100.0 * inside as f64 / n as f64,
        100.0 * accepted as f64 / n as f64,
        1e3 * elapsed
    );
    println!(
        "worst second difference {:e}, calendar {:e} (currency)",
        worst_butterfly(&inputs, &smoothed),
        worst_calendar(&inputs, &smoothed)
    );
    left_out(&inputs, &settings);
}

fn day_number(date: &str) -> i32 {
    let part = |i: usize| date[i..i + 2].parse::<i32>().unwrap();
    let (y, m, d) = (2000 + part(0), part(2), part(4));
    let (y, m) = if m <= 2 { (y - 1, m + 12) } else { (y, m) };
    365 * y + y / 4 - y / 100 + y / 400 + (153 * (m - 3) + 2) / 5 + d
}

/// Out-of-the-money price, forward 1.
fn black(ratio: f64, v: f64) -> f64 {
    let d1 = -libm::log(ratio) / v + 0.5 * v;
    let d2 = d1 - v;
    let n = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
    if ratio < 1.0 { ratio * n(-d2) - n(-d1) } else { n(d1) - ratio * n(d2) }
}

fn implied(ratio: f64, price: f64) -> Option<f64> {
    if !(price > 0.0 && price < ratio.min(1.0)) {
        return None;
    }
    let (mut a, mut b) = (1e-6, 20.0);
    for _ in 0..100 {
        let mid = 0.5 * (a + b);
        if black(ratio, mid) > price { b = mid } else { a = mid }
    }
    Some(0.5 * (a + b))
}

fn input(time: f64, quotes: &[Quote], half_tick: f64) -> SliceInput {
    let discount_factor = libm::exp(-0.0535 * time);
    let mut strikes: Vec<f64> = quotes.iter().map(|q| q.strike).collect();
    strikes.dedup();
    let mut pairs: Vec<(f64, f64, f64)> = Vec::new();
    for pair in quotes.chunks(2) {
        let (c, p) = (pair[0], pair[1]);
        if c.bid > 0.0 && p.bid > 0.0 && c.ask > c.bid && p.ask > p.bid {
            let (mc, mp) = (0.5 * (c.bid + c.ask), 0.5 * (p.bid + p.ask));
            let h = (c.ask - c.bid + p.ask - p.bid).max(0.01);
            pairs.push(((mc - mp).abs(), c.strike + (mc - mp) / discount_factor, 1.0 / (h * h)));
        }
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    pairs.truncate(9);
    pairs.sort_by(|a, b| a.1.total_cmp(&b.1));
    let total: f64 = pairs.iter().map(|p| p.2).sum();
    let mut sum = 0.0;
    let mut forward = 4505.0;
    for p in &pairs {
        sum += p.2;
        if sum >= 0.5 * total {
            forward = p.1;
            break;
        }
    }
    let mut list = Vec::new();
    for q in quotes {
        let strike = strikes.partition_point(|k| *k < q.strike);
        if q.ask <= 0.0 || q.bid >= q.ask {
            continue;
        }
        let out = if q.call { q.strike >= forward } else { q.strike <= forward };
        let intrinsic = if q.call { forward - q.strike } else { q.strike - forward }.max(0.0);
        let ratio = q.strike / forward;
        let vol = |price: f64| implied(ratio, (price / discount_factor - intrinsic) / forward).map(|v| v / time.sqrt());
        let mid = 0.5 * (q.bid + q.ask);
        let Some(mid_vol) = vol(mid) else { continue };
        let half = (0.5 * (q.ask - q.bid)).max(half_tick);
        let v = mid_vol * time.sqrt();
        let d1 = -libm::log(ratio) / v + 0.5 * v;
        let vega = discount_factor * forward * time.sqrt() * 0.3989 * libm::exp(-0.5 * d1 * d1);
        if vega < 1e-6 {
            continue;
        }
        let (low, high) = (vol(q.bid), vol(q.ask));
        let half_spread = match (low, high) {
            (Some(a), Some(b)) => (0.5 * (b - a)).max(half_tick / vega),
            _ => half / vega,
        };
        list.push(VolatilityQuote {
            strike,
            option_type: if q.call { OptionType::Call } else { OptionType::Put },
            mid: mid_vol,
            bid: if q.bid > 0.0 { low } else { None },
            ask: high,
            half_spread,
            weight: if out { 1.0 } else { 0.1 },
            two_sided: q.bid > 0.0,
            old: false,
            half_spread_price: half,
        });
    }
    SliceInput {
        forward,
        discount_factor,
        time_to_expiry: time,
        dividend_shift: 0.0,
        calendar: true,
        american: false,
        strikes,
        quotes: list,
        previous: None,
    }
}

fn price(input: &SliceInput, strike: usize, vol: f64) -> f64 {
    black(input.strikes[strike] / input.forward, vol * input.time_to_expiry.sqrt())
        * input.forward
        * input.discount_factor
}

fn counted(input: &SliceInput) -> impl Iterator<Item = (usize, &VolatilityQuote)> {
    input.quotes.iter().enumerate().filter(|(_, q)| q.two_sided && q.weight == 1.0)
}

fn is_inside(input: &SliceInput, quote: &VolatilityQuote, mark: f64) -> bool {
    let mid = price(input, quote.strike, quote.mid);
    (mark - mid).abs() <= quote.half_spread_price + 1e-6
}

fn count(input: &SliceInput, out: &SmoothedSlice, label: &str) -> (usize, usize, usize) {
    let (mut n, mut inside, mut accepted) = (0, 0, 0);
    for (q, quote) in counted(input) {
        n += 1;
        let mark = out.price[quote.strike].unwrap();
        let good = is_inside(input, quote, mark);
        inside += usize::from(good);
        accepted += usize::from(out.outcomes[q].accepted);
        if std::env::var("LIST").is_ok() && (!good || !out.outcomes[q].accepted) {
            println!(
                "{label} K {} vol {:.4} +- {:.4} fit {:.4} target {:.4} half spreads {:.2} price {:.3} {} {:?} {:?}",
                input.strikes[quote.strike],
                quote.mid,
                quote.half_spread,
                out.volatility[quote.strike].unwrap(),
                out.target_volatility[quote.strike].unwrap(),
                (mark - price(input, quote.strike, quote.mid)) / quote.half_spread_price,
                mark,
                out.outcomes[q].accepted,
                out.outcomes[q].reasons.iter().collect::<Vec<_>>(),
                out.source[quote.strike]
            );
        }
    }
    (n, inside, accepted)
}

fn puts(input: &SliceInput, out: &SmoothedSlice) -> Vec<(f64, f64)> {
    let mut list = vec![(0.0, 0.0)];
    for (k, x) in input.strikes.iter().zip(&out.price) {
        let intrinsic = (k / input.forward - 1.0).max(0.0);
        list.push((k / input.forward, x.unwrap() / input.forward / input.discount_factor + intrinsic));
    }
    list
}

fn worst_butterfly(inputs: &[SliceInput], outs: &[SmoothedSlice]) -> f64 {
    let mut worst = f64::INFINITY;
    for (input, out) in inputs.iter().zip(outs) {
        for w in puts(input, out).windows(3) {
            let share = (w[1].0 - w[0].0) / (w[2].0 - w[0].0);
            worst = worst.min((w[0].1 + share * (w[2].1 - w[0].1) - w[1].1) * input.forward);
        }
    }
    worst
}

fn worst_calendar(inputs: &[SliceInput], outs: &[SmoothedSlice]) -> f64 {
    let curves: Vec<Vec<(f64, f64)>> = inputs.iter().zip(outs).map(|(i, o)| puts(i, o)).collect();
    let mut worst = f64::INFINITY;
    for (a, early) in curves.iter().enumerate() {
        for late in &curves[a + 1..] {
            for (m, put) in &early[1..] {
                let j = late.partition_point(|p| p.0 < *m);
                if j < late.len() {
                    let (l, r) = (late[j - 1], late[j]);
                    worst = worst.min((l.1 + (r.1 - l.1) * (m - l.0) / (r.0 - l.0) - put) * 4500.0);
                }
            }
        }
    }
    worst
}

fn left_out(full: &[SliceInput], settings: &SmoothingSettings) {
    let (mut n, mut inside, mut errors) = (0, 0, Vec::new());
    for fold in 0..5 {
        let mut kept = Vec::new();
        for input_full in full {
            // Folds by rank among strikes with counted quotes; the outermost two stay.
            let ranks: Vec<f64> = counted(input_full).map(|(_, q)| input_full.strikes[q.strike]).collect();
            let out: Vec<f64> = ranks
                .iter()
                .enumerate()
                .filter(|(r, _)| r % 5 == fold && *r != 0 && r + 1 != ranks.len())
                .map(|(_, k)| *k)
                .collect();
            let mut part = input_full.clone();
            part.quotes.retain(|q| !out.contains(&part.strikes[q.strike]));
            kept.push((part, out));
        }
        let inputs: Vec<SliceInput> = kept.iter().map(|k| k.0.clone()).collect();
        let smoothed = smooth_class(&inputs, settings);
        for (((_, out), full), s) in kept.iter().zip(full).zip(&smoothed) {
            if s.solver_status != SolverStatus::Converged {
                println!("fold {fold} T {:.4} {} {:?}", full.time_to_expiry, s.solver_status, s.solver_residual);
            }
            for (_, quote) in counted(full).filter(|(_, q)| out.contains(&full.strikes[q.strike])) {
                n += 1;
                inside += usize::from(is_inside(full, quote, s.price[quote.strike].unwrap()));
                errors.push((s.volatility[quote.strike].unwrap() - quote.mid).abs());
            }
        }
    }
    errors.sort_by(f64::total_cmp);
    println!(
        "left out: {n}, inside {:.2} %, median {:.2} bp, 90th {:.2} bp",
        100.0 * inside as f64 / n as f64,
        1e4 * errors[n / 2],
        1e4 * errors[n * 9 / 10]
    );
}
