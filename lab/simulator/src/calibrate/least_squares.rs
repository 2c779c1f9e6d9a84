//! Least squares in which no coefficient is below 0: nothing gives CPU back.

/// A column whose part across all others is less than this share of it is one of them, squared.
const MIN_PIVOT: f64 = 1e-9;

/// The coefficients, none below 0, with which the columns of rows come closest to their sums, by least squares. At the least the
/// columns whose coefficients are above 0 solve their own normal equations (Lawson & Hanson, Solving Least Squares Problems,
/// 1974, chapter 23), and of a few columns all choices can be tried. Of choices that are as close, that of fewer columns.
pub(super) fn non_negative<const N: usize>(rows: &[([f64; N], f64)]) -> [f64; N] {
    let mut choices: Vec<u32> = (1..1 << N).collect();
    choices.sort_by_key(|choice| choice.count_ones());
    let nothing = [0.0; N];
    let (mut best, mut least) = (nothing, squares(rows, &nothing));
    for choice in choices {
        let Some(found) = solve(rows, choice) else { continue };
        let left = squares(rows, &found);
        if found.iter().all(|coefficient| *coefficient >= 0.0) && left < least * (1.0 - 1e-9) {
            (best, least) = (found, left);
        }
    }
    best
}

/// Sum of the squares that coefficients leave.
fn squares<const N: usize>(rows: &[([f64; N], f64)], coefficients: &[f64; N]) -> f64 {
    let left = |(columns, sum): &([f64; N], f64)| {
        sum - columns.iter().zip(coefficients).map(|(column, of)| column * of).sum::<f64>()
    };
    rows.iter().map(|row| left(row).powi(2)).sum()
}

/// The coefficients of some columns, by their normal equations; `None` where the rows do not separate these.
fn solve<const N: usize>(rows: &[([f64; N], f64)], choice: u32) -> Option<[f64; N]> {
    let chosen: Vec<usize> = (0..N).filter(|at| choice & (1 << at) != 0).collect();
    let length = |at: &usize| rows.iter().map(|(columns, _)| columns[*at].powi(2)).sum::<f64>().sqrt();
    let lengths: Vec<f64> = chosen.iter().map(length).collect();
    if lengths.iter().any(|length| *length <= 0.0) {
        return None;
    }
    let count = chosen.len();
    // Of columns that are made as long as each other: whatever their units, the diagonal is 1. Behind them their sums.
    let mut matrix = vec![vec![0.0; count + 1]; count];
    for (row, (a, of_a)) in matrix.iter_mut().zip(chosen.iter().zip(&lengths)) {
        for (cell, (b, of_b)) in row.iter_mut().zip(chosen.iter().zip(&lengths)) {
            *cell = rows.iter().map(|(columns, _)| columns[*a] * columns[*b]).sum::<f64>() / (of_a * of_b);
        }
        row[count] = rows.iter().map(|(columns, sum)| columns[*a] * sum).sum::<f64>() / of_a;
    }
    for at in 0..count {
        let pivot = (at..count).max_by(|a, b| matrix[*a][at].abs().total_cmp(&matrix[*b][at].abs()))?;
        matrix.swap(at, pivot);
        let row = matrix[at].clone();
        if row[at].abs() < MIN_PIVOT {
            return None;
        }
        for (_, other) in matrix.iter_mut().enumerate().filter(|(number, _)| *number != at) {
            let factor = other[at] / row[at];
            other.iter_mut().zip(&row).for_each(|(cell, of)| *cell -= factor * of);
        }
    }
    let mut found = [0.0; N];
    for (at, (column, length)) in chosen.iter().zip(&lengths).enumerate() {
        found[*column] = matrix[at][count] / matrix[at][at] / length;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages, wake-ups and seconds of a process at three loads, and of one with half of the messages.
    const COLUMNS: [[f64; 3]; 6] = [
        [1_000.0, 900.0, 4.0],
        [2_500.0, 1_900.0, 4.0],
        [3_600.0, 2_300.0, 4.0],
        [500.0, 480.0, 4.0],
        [1_250.0, 1_050.0, 4.0],
        [1_800.0, 1_350.0, 4.0],
    ];

    fn rows(truth: [f64; 3]) -> Vec<([f64; 3], f64)> {
        let sum = |columns: &[f64; 3]| columns.iter().zip(truth).map(|(column, of)| column * of).sum::<f64>();
        COLUMNS.iter().map(|columns| (*columns, sum(columns))).collect()
    }

    #[track_caller]
    fn check(rows: &[([f64; 3], f64)], expected: [f64; 3]) {
        let found = non_negative(rows);
        let is_close = |(found, expected): (&f64, f64)| (found - expected).abs() <= 1e-6 * expected.max(1.0);
        assert!(found.iter().zip(expected).all(is_close), "{found:?}, planted {expected:?}");
    }

    #[test]
    fn what_was_planted_is_found() {
        // 45 us a message, 12 us a wake-up, 3 ms a second.
        check(&rows([45e3, 12e3, 3e6]), [45e3, 12e3, 3e6]);
        check(&rows([45e3, 0.0, 3e6]), [45e3, 0.0, 3e6]);
        check(&rows([0.0, 0.0, 0.0]), [0.0; 3]);
    }

    #[test]
    fn nothing_gives_cpu_back() {
        // Without a bound wake-ups would come to -12 us each; with it the others take their part.
        let rows = rows([45e3, -12e3, 3e6]);
        let found = non_negative(&rows);
        assert!(found[1].abs() < 1e-9 && found[0] > 0.0 && found[2] > 0.0, "{found:?}");
        // No step that the bound allows is closer.
        let least = squares(&rows, &found);
        for (at, step) in [(0, 100.0), (0, -100.0), (1, 100.0), (2, 1e4), (2, -1e4)] {
            let mut moved = found;
            moved[at] += step;
            assert!(squares(&rows, &moved) > least, "column {at} by {step}");
        }
    }

    #[test]
    fn columns_that_rows_do_not_separate_share_nothing() {
        // Both grow alike: the first has it all.
        let rows: Vec<([f64; 2], f64)> = [1.0, 2.0, 3.0].map(|n| ([n, 2.0 * n], 10.0 * n)).into();
        let found = non_negative(&rows);
        assert!((found[0] - 10.0).abs() < 1e-9 && found[1].abs() < 1e-9, "{found:?}");
        assert_eq!(non_negative::<2>(&[]), [0.0; 2]);
    }
}
