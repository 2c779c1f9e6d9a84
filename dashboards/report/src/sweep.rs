//! A run of many arms: a line for each, the ones worth having first. As columns of a scorecard they would fit no page.

use model::format::value;
use record::{Arm, Measured};

use crate::story::Story;

/// With more arms than this, rows and columns change places, and there are no charts.
pub const MOST_BESIDE: usize = 8;
/// Rows of the scorecard that are shown, by their ids, as on the terminal.
pub const COLUMNS: [&str; 4] = ["latency_p50", "cpu_per_journey", "memory", "bystanders"];
/// Which arm no other beats in everything.
const FRONT: &str = "pareto_front";

/// An arm of a sweep.
pub struct Row<'a> {
    /// Which.
    pub arm: &'a Arm,
    /// Whether no other is better in everything.
    pub is_on_front: bool,
    /// One for each of [`COLUMNS`].
    pub values: [String; 4],
}

/// Whether a run is one of many arms.
pub fn is_one(story: &Story) -> bool {
    story.header().arms.len() > MOST_BESIDE
}

/// The arms: those of the front first, then by the CPU they need.
pub fn rows(story: &Story) -> Vec<Row<'_>> {
    let of = |id: &str, arm: char| -> (Measured, &str) {
        let score = story.scores.iter().find(|score| score.id == id);
        let measured = score.and_then(|score| score.arms.get(&arm)).copied().unwrap_or_default();
        (measured, score.map_or("", |score| score.unit.as_str()))
    };
    let is_on_front = |arm: char| of(FRONT, arm).0.value == Some(1.0);
    let cpu = |arm: char| of(COLUMNS[1], arm).0.value.unwrap_or(f64::INFINITY);
    let mut arms: Vec<&Arm> = story.header().arms.iter().collect();
    arms.sort_by(|a, b| {
        let front = is_on_front(b.letter).cmp(&is_on_front(a.letter));
        front.then(cpu(a.letter).total_cmp(&cpu(b.letter)))
    });
    let row = |arm: &'_ Arm| {
        COLUMNS.map(|id| {
            let (measured, unit) = of(id, arm.letter);
            value(measured.value, unit)
        })
    };
    arms.into_iter().map(|arm| Row { arm, is_on_front: is_on_front(arm.letter), values: row(arm) }).collect()
}
