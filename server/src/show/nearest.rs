//! The nearest names to one that is not there.

/// One line that says what is not there and what was perhaps meant.
pub(super) fn unknown(wanted: &str, names: &[&str], day: &str) -> String {
    let mut near: Vec<(usize, &str)> = names.iter().map(|name| (distance(wanted, name), *name)).collect();
    near.sort_unstable();
    let near: Vec<&str> = near.into_iter().take(5).map(|(_, name)| name).collect();
    let shown: String = wanted.chars().take(24).collect();
    format!("no underlying {shown} in the close of {day}; nearest: {}", near.join(", "))
}

/// Edits (insert, delete, replace) from one word to the other; a common beginning counts less.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, to) in row.iter_mut().skip(1).zip(&b) {
            let replaced = diagonal + usize::from(from != to);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{distance, unknown};

    #[test]
    fn distances_known_by_hand() {
        for (a, b, d) in
            [("kitten", "sitting", 3), ("", "abc", 3), ("SPX", "SPX", 0), ("SPY", "SPX", 1), ("flaw", "lawn", 2)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (d, d));
        }
    }

    #[test]
    fn the_nearest_come_first() {
        let line = unknown("APPL", &["AAPL", "GOOG", "AMZN", "APP", "MSFT", "XOM"], "2026-11-20");
        assert!(line.contains("nearest: AAPL, APP"), "{line}");
    }
}
