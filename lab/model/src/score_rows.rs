//! The order of scorecard rows: parts stand below the row they are a part of.

use record::Score;

/// A row that may be a part of another one in the same window.
pub trait ScoreRow {
    /// Its id.
    fn id(&self) -> &str;
    /// Its window.
    fn window(&self) -> &str;
    /// Id of the row it is a part of.
    fn part_of(&self) -> Option<&str>;
}

impl ScoreRow for Score {
    fn id(&self) -> &str {
        &self.id
    }

    fn window(&self) -> &str {
        &self.window
    }

    fn part_of(&self) -> Option<&str> {
        self.part_of.as_deref()
    }
}

impl<T: ScoreRow> ScoreRow for &T {
    fn id(&self) -> &str {
        (**self).id()
    }

    fn window(&self) -> &str {
        (**self).window()
    }

    fn part_of(&self) -> Option<&str> {
        (**self).part_of()
    }
}

/// Rows with each part behind its total; a part whose total is not there keeps its place.
pub fn parts_below_totals<T: ScoreRow>(rows: Vec<T>) -> Vec<T> {
    let total_of = |row: &T| rows.iter().position(|other| is_part_of(row, other));
    let keys: Vec<(usize, bool)> = rows
        .iter()
        .enumerate()
        .map(|(place, row)| total_of(row).map_or((place, false), |total| (total, true)))
        .collect();
    let mut keyed: Vec<((usize, bool), T)> = keys.into_iter().zip(rows).collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, row)| row).collect()
}

/// Ordered rows, each with the parts below it.
pub fn with_parts<T: ScoreRow>(rows: &[T]) -> Vec<(&T, &[T])> {
    let belongs = |above: &T, row: &T| {
        is_part_of(row, above)
            || row.part_of().is_some() && row.part_of() == above.part_of() && row.window() == above.window()
    };
    rows.chunk_by(belongs).flat_map(split).collect()
}

/// A total with its parts; parts whose total is not there stand alone.
fn split<T: ScoreRow>(group: &[T]) -> Vec<(&T, &[T])> {
    match group {
        [total, parts @ ..] if total.part_of().is_none() => vec![(total, parts)],
        parts => parts.iter().map(|part| (part, &parts[..0])).collect(),
    }
}

fn is_part_of(row: &impl ScoreRow, total: &impl ScoreRow) -> bool {
    row.part_of() == Some(total.id()) && row.window() == total.window()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Id, window, total.
    #[derive(Debug, PartialEq)]
    struct Row(&'static str, &'static str, Option<&'static str>);

    impl ScoreRow for Row {
        fn id(&self) -> &str {
            self.0
        }

        fn window(&self) -> &str {
            self.1
        }

        fn part_of(&self) -> Option<&str> {
            self.2
        }
    }

    fn rows() -> Vec<Row> {
        parts_below_totals(vec![
            Row("orphan", "steady", Some("nothing")),
            Row("cpu", "steady", None),
            Row("cpu", "whole", None),
            Row("memory", "whole", None),
            Row("work", "steady", Some("cpu")),
            Row("hops", "steady", Some("cpu")),
            Row("work", "whole", Some("cpu")),
        ])
    }

    #[test]
    fn parts_follow_their_total_in_their_window() {
        let names: Vec<String> = rows().iter().map(|row| format!("{} {}", row.0, row.1)).collect();
        assert_eq!(
            names,
            [
                "orphan steady",
                "cpu steady",
                "work steady",
                "hops steady",
                "cpu whole",
                "work whole",
                "memory whole"
            ]
        );
    }

    #[test]
    fn each_row_has_its_parts_and_an_orphan_stands_alone() {
        let rows = rows();
        let counts: Vec<(&str, usize)> =
            with_parts(&rows).into_iter().map(|(row, parts)| (row.0, parts.len())).collect();
        assert_eq!(counts, [("orphan", 0), ("cpu", 2), ("cpu", 1), ("memory", 0)]);
    }
}
