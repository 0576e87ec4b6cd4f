//! All methods on all classes of a closed day.

use std::collections::BTreeMap;

use closemark_data::day::Day;
use closemark_pricing::mark::smoothing_classes;
use rayon::prelude::*;

use super::left_out;
use super::method::Method;
use super::score::Score;

/// Scores by method, of the underlyings that count.
pub type Scores = BTreeMap<Method, Score>;

/// One underlying's scores.
pub struct UnderlyingScores {
    /// Its symbol.
    pub underlying: String,
    /// By method.
    pub scores: Scores,
}

/// Scores every underlying of a day with every method.
pub fn score_day(day: &Day, methods: &[Method]) -> Vec<UnderlyingScores> {
    day.underlyings
        .par_iter()
        .map(|underlying| {
            let mut scores = Scores::new();
            for class in smoothing_classes(underlying, &day.settings) {
                for method in methods {
                    scores.entry(*method).or_default().join(left_out::score(&class.inputs, *method));
                }
            }
            UnderlyingScores { underlying: underlying.underlying.clone(), scores }
        })
        .collect()
}

/// The sums over the underlyings that `keep` chooses.
pub fn total(parts: &[UnderlyingScores], keep: impl Fn(&str) -> bool) -> Scores {
    let mut sum = Scores::new();
    for part in parts.iter().filter(|part| keep(&part.underlying)) {
        for (method, score) in &part.scores {
            sum.entry(*method).or_default().join(score.clone());
        }
    }
    sum
}
