//! A run of many arms: a line for each, the ones worth having first. As columns of a scorecard they would fit no page.

use record::{Arm, Measured, Score};

use crate::format;
use crate::run::Run;

/// With more arms than this, rows and columns change places, and there are no charts.
pub const MAX_SIDE_BY_SIDE: usize = 8;
/// Rows of the scorecard that are shown, by their ids.
pub const COLUMNS: [&str; 4] = ["latency_p50", "cpu_per_journey", "memory", "bystanders"];
/// The row that is 1 where no other arm is better in everything.
/// An arm is on the front from this probability on.
const ON_FRONT: f64 = 0.9;
const FRONT: &str = "pareto_front";

/// An arm of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepRow<'a> {
    /// Which.
    pub arm: &'a Arm,
    /// Whether no other is better in everything.
    pub is_on_front: bool,
    /// One for each of [`COLUMNS`], with its unit.
    pub values: [String; 4],
}

impl Run {
    /// Whether the run compares more arms than stand beside each other.
    pub fn is_sweep(&self) -> bool {
        self.header.arms.len() > MAX_SIDE_BY_SIDE
    }

    /// The arms of a sweep: those of the front first, then by the CPU they need.
    pub fn sweep_rows(&self) -> Vec<SweepRow<'_>> {
        let scores = self.scores();
        let score = |id: &str| -> Option<&Score> { scores.iter().copied().find(|score| score.id == id) };
        let measured = |score: Option<&Score>, arm: char| -> Measured {
            score.and_then(|score| score.arms.get(&arm)).copied().unwrap_or_default()
        };
        let (front, cpu) = (score(FRONT), score(COLUMNS[1]));
        let is_on_front = |arm: char| measured(front, arm).value.is_some_and(|share| share >= ON_FRONT);
        let cpu = |arm: char| measured(cpu, arm).value.unwrap_or(f64::INFINITY);
        let mut arms: Vec<&Arm> = self.header.arms.iter().collect();
        arms.sort_by(|a, b| {
            let front = is_on_front(b.letter).cmp(&is_on_front(a.letter));
            front.then(cpu(a.letter).total_cmp(&cpu(b.letter)))
        });
        let columns = COLUMNS.map(score);
        let row = |arm: &'_ Arm| {
            columns.map(|score| {
                let unit = score.map_or("", |score| score.unit.as_str());
                format::measured(&measured(score, arm.letter), unit)
            })
        };
        arms.into_iter()
            .map(|arm| SweepRow { arm, is_on_front: is_on_front(arm.letter), values: row(arm) })
            .collect()
    }
}
