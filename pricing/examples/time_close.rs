//! Whole closes of hand-made days whose true prices are known.

#[path="../tests/common/mod.rs"] mod common;

use closemark_pricing::day::DividendKnowledge;
use closemark_pricing::models::{ModelDividend, ModelInput, SliceModel};
use closemark_pricing::price::Price;
use closemark_pricing::vocabulary::{ExerciseStyle, MarkSource, OptionType, QuoteFlag, QuoteStatus, Reason};
use closemark_pricing::{Settings, UnderlyingDay, UnderlyingMarks, mark_underlying};

use common::{DAY_NS, Listed, Plan, day, quote, smile};

fn european() -> (UnderlyingDay, Vec<f64>) {
    let plan = Plan {
        style: ExerciseStyle::European,
        spot: 4000.0,
        rate: 0.04,
        dividends: Vec::new(),
        knowledge: DividendKnowledge::PaysNone,
    };
    let mut listed = Vec::new();
    for days in [0, 1, 8, 30, 91, 365] {
        let t = days as f64 / 365.0;
        let (forward, discount) = (4000.0 * (0.025 * t).exp(), (-0.04 * t).exp());
        for step in 0..=60 {
            let strike = 2800.0 + 40.0 * step as f64;
            for option_type in [OptionType::Call, OptionType::Put] {
                let truth = if days == 0 {
                    let gain = 4000.0 - strike;
                    (if option_type == OptionType::Call { gain } else { -gain }).max(0.0)
                } else {
                    let sigma = smile((strike / forward).ln(), t);
                    closemark_pricing::models::black::price(option_type, forward, strike, t, sigma, discount)
                };
                listed.push(Listed { days, strike, option_type, truth });
            }
        }
    }
    day(&plan, listed, 0.05, 7)
}

fn american(borrow: f64, dividends: Vec<(i64, f64)>) -> (UnderlyingDay, Vec<f64>) {
    let knowledge = if dividends.is_empty() { DividendKnowledge::PaysNone } else { DividendKnowledge::Scheduled };
    let plan = Plan { style: ExerciseStyle::American, spot: 100.0, rate: 0.05, dividends, knowledge };
    let mut listed = Vec::new();
    for days in [3, 24, 80, 200] {
        let t = days as f64 / 365.0;
        let growth = 0.05 - borrow;
        let paid: Vec<ModelDividend> = plan
            .dividends
            .iter()
            .map(|&(d, amount)| ModelDividend { time: (d as f64 - 0.25) / 365.0, amount })
            .filter(|d| d.time <= t)
            .collect();
        let forward =
            100.0 * (growth * t).exp() - paid.iter().map(|d| d.amount * (growth * (t - d.time)).exp()).sum::<f64>();
        let model = SliceModel::new(ModelInput {
            exercise_style: ExerciseStyle::American,
            spot: 100.0,
            time_to_expiry: t,
            discount_factor: (-0.05 * t).exp(),
            borrow,
            forward,
            dividends: paid,
        });
        for step in 0..=40 {
            let strike = 60.0 + 2.0 * step as f64;
            let sigma = 1.5 * smile((strike / forward).ln(), t);
            for option_type in [OptionType::Call, OptionType::Put] {
                let truth = model.price(option_type, strike, sigma).unwrap();
                listed.push(Listed { days, strike, option_type, truth });
            }
        }
    }
    day(&plan, listed, 0.01, 11)
}


#[allow(clippy::disallowed_methods)]
fn main(){
 for (name,day) in [("eu",european().0),("am",american(0.0,vec![]).0),("amq",american(0.12,vec![]).0),("div",american(0.0,vec![(20,0.5),(111,0.5)]).0)] {
  let n=day.series.len(); let t=std::time::Instant::now(); let mut c=0; while t.elapsed().as_secs_f64()<1.0 { let m=mark_underlying(&day,&Settings::default()); c+=m.series.len(); }
  println!("{name} {n} series {:.2} us/series", t.elapsed().as_secs_f64()*1e6/c as f64);
 }
}
