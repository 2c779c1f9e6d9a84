//! A run of many arms: a line for each, the ones worth having first. As columns of a scorecard they would fit no page.

use std::collections::BTreeMap;

use record::{Arm, Measured, Score};

use crate::format;
use crate::run::Run;

/// With more arms than this, rows and columns change places, and there are no charts.
pub const MAX_SIDE_BY_SIDE: usize = 8;
/// Rows of the scorecard that are shown, by their ids.
pub const COLUMNS: [&str; 4] = ["latency_p50", "cpu_per_journey", "memory", "bystanders"];
/// The row of how probable it is that no other arm is better in everything.
const FRONT: &str = "pareto_front";
/// An arm is on the front from this probability on, and off it up to as far from the other end.
const ON_FRONT: f64 = 0.9;

/// Whether an arm is worth having: no other is better in everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FrontPlace {
    /// It is, with a probability of 90 % or more.
    On,
    /// Neither is sure.
    Tied,
    /// It is not, with a probability of 90 % or more.
    Off,
}

impl FrontPlace {
    /// That of an arm of a probability to be on the front.
    fn of(probability: f64) -> Self {
        match probability {
            share if share >= ON_FRONT => Self::On,
            // As far from 0, but for rounding.
            share if share <= 1.0 - ON_FRONT + 1e-12 => Self::Off,
            _ => Self::Tied,
        }
    }
}

/// An arm of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepRow<'a> {
    /// Which.
    pub arm: &'a Arm,
    /// How it stands to the front; `None` where it is not known.
    pub place: Option<FrontPlace>,
    /// One for each of [`COLUMNS`], with its unit.
    pub values: [String; 4],
}

impl SweepRow<'_> {
    /// Whether no other is better in everything.
    pub fn is_on_front(&self) -> bool {
        self.place == Some(FrontPlace::On)
    }

    /// `*` on the front, `~` where it is not sure, nothing off it.
    pub const fn mark(&self) -> &'static str {
        match self.place {
            Some(FrontPlace::On) => "*",
            Some(FrontPlace::Tied) => "~",
            Some(FrontPlace::Off) | None => "",
        }
    }
}

impl Run {
    /// Whether the run compares more arms than stand beside each other.
    pub fn is_sweep(&self) -> bool {
        self.header.arms.len() > MAX_SIDE_BY_SIDE
    }

    /// How the arms stand to the front; empty where it was not looked for.
    pub fn front_places(&self) -> BTreeMap<char, FrontPlace> {
        let scores = self.scores();
        let front = scores.into_iter().find(|score| score.id == FRONT);
        let places = front.into_iter().flat_map(|score| &score.arms);
        places.filter_map(|(arm, share)| Some((*arm, FrontPlace::of(share.value?)))).collect()
    }

    /// The arms of a sweep: those of the front first, then by the CPU they need.
    pub fn sweep_rows(&self) -> Vec<SweepRow<'_>> {
        let scores = self.scores();
        let score = |id: &str| -> Option<&Score> { scores.iter().copied().find(|score| score.id == id) };
        let measured = |score: Option<&Score>, arm: char| -> Measured {
            score.and_then(|score| score.arms.get(&arm)).copied().unwrap_or_default()
        };
        let (front, cpu) = (self.front_places(), score(COLUMNS[1]));
        let place = |arm: char| front.get(&arm).copied();
        let cpu = |arm: char| measured(cpu, arm).value.unwrap_or(f64::INFINITY);
        let mut arms: Vec<&Arm> = self.header.arms.iter().collect();
        arms.sort_by(|a, b| {
            let is_off_front = |arm: &Arm| place(arm.letter) != Some(FrontPlace::On);
            let front = is_off_front(a).cmp(&is_off_front(b));
            front.then(cpu(a.letter).total_cmp(&cpu(b.letter)))
        });
        let columns = COLUMNS.map(score);
        let row = |arm: &'_ Arm| {
            columns.map(|score| {
                let unit = score.map_or("", |score| score.unit.as_str());
                format::measured(&measured(score, arm.letter), unit)
            })
        };
        arms.into_iter().map(|arm| SweepRow { arm, place: place(arm.letter), values: row(arm) }).collect()
    }
}
