//! Figures of several rounds.

/// Median, lowest and highest. Of an even number the median is the mean of the two in the middle.
pub fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let median = f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2]);
    (median, values[0], values[values.len() - 1])
}

/// The median of some figures with their range.
pub fn shown(values: impl Iterator<Item = f64>, digits: usize) -> String {
    let (median, low, high) = spread(values.collect());
    format!("{median:.digits$} [{low:.digits$}-{high:.digits$}]")
}
