//! One inequality of tier 2's program, over at most three neighbouring variables.

/// What a row stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowKind {
    /// Convexity at a node.
    Convex,
    /// Slope at the upper end, or a price not negative.
    Slope,
    /// An earlier expiry.
    Calendar,
    /// A bid.
    Bid,
    /// An ask.
    Ask,
}

/// `coefficients . e[first..] >= bound`; elastic where `penalty` is finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Row {
    pub first: usize,
    pub coefficients: [f64; 3],
    pub bound: f64,
    /// Price of a unit of violation.
    pub penalty: f64,
    pub kind: RowKind,
    /// The node it is about.
    pub node: usize,
}

/// The rows in larger units: `ratio` of new to old for each variable, each row scaled to a largest coefficient of 1.
pub(super) fn rescaled(rows: &[Row], ratio: &[f64]) -> Vec<Row> {
    let scaled = |row: &Row| {
        let mut out = *row;
        let window = ratio.get(row.first..).unwrap_or(&[]);
        for (coefficient, ratio) in out.coefficients.iter_mut().zip(window) {
            *coefficient *= ratio;
        }
        let largest = out.coefficients.iter().fold(1e-300_f64, |most, c| most.max(c.abs()));
        out.coefficients.iter_mut().for_each(|c| *c /= largest);
        out.bound /= largest;
        out
    };
    rows.iter().map(scaled).collect()
}
