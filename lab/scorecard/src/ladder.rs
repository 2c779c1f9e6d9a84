//! What each arm did at every rate of a search for capacity, rate by rate.

use std::collections::BTreeMap;

use model::Run;
use record::Measured;

use crate::expect::Argument;
use crate::inference::Trials;
use crate::inference::capacity::{Bracket, bracket};
use crate::measures::P99;
use crate::measures::capacity::rungs;
use crate::search::searches;
use crate::selection::Selection;

/// A search for capacity: one limit, and what each arm did at every rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Ladder {
    /// `capacity at p99 < 50 ms`.
    pub title: String,
    /// What 99 % of arrivals must be within, seconds.
    pub limit_s: f64,
    /// Its rates, rising.
    pub rungs: Vec<LadderRung>,
}

/// One rate of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct LadderRung {
    /// The phase that offered it.
    pub phase: String,
    /// Arrivals a second, as offered.
    pub rate: f64,
    /// What each arm did.
    pub arms: BTreeMap<char, LadderFigures>,
}

/// What an arm did at one rate.
#[derive(Clone, Debug, PartialEq)]
pub struct LadderFigures {
    /// Share of arrivals late, failed or dropped; at most 1 % may be.
    pub late: Measured,
    /// Their p99, seconds; failed arrivals lie above every value.
    pub p99: Measured,
    /// Arrivals a second that were neither.
    pub goodput: Measured,
    /// What the search concludes of the rate.
    pub standing: RungStanding,
}

/// What a search concludes of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RungStanding {
    /// At most 1 % were late.
    Held,
    /// More were.
    Failed,
    /// The seconds do not decide it.
    Undecided,
}

impl RungStanding {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Undecided => "undecided",
        }
    }

    fn of(rate: f64, found: &Bracket) -> Self {
        if found.failed.is_some_and(|failed| rate >= failed) {
            Self::Failed
        } else if found.held.is_some_and(|held| rate <= held) {
            Self::Held
        } else {
            Self::Undecided
        }
    }
}

/// The searches that the run's expectations ask for, each once.
pub fn ladders(run: &Run) -> Vec<Ladder> {
    searches(&run.header).iter().filter_map(|argument| ladder(run, argument)).collect()
}

/// `capacity at p99 < 50 ms`, with the journeys where not all are meant.
pub(crate) fn title(argument: &Argument) -> String {
    let limit = limit_of(argument);
    match argument.journeys() {
        "all" => format!("capacity at p99 < {limit}"),
        journeys => format!("capacity of {journeys} at p99 < {limit}"),
    }
}

fn limit_of(argument: &Argument) -> String {
    match argument.time_us() {
        us if us % 1_000_000 == 0 => format!("{} s", us / 1_000_000),
        us if us % 1_000 == 0 => format!("{} ms", us / 1_000),
        us => format!("{us} us"),
    }
}

/// The highest rate that was offered to an arm in the search of a row, by the row's title.
pub(crate) fn highest_rate(run: &Run, arm: char, row_title: &str) -> Option<f64> {
    let argument = searches(&run.header).into_iter().find(|argument| title(argument) == row_title)?;
    let selection = Selection::new(run, arm, &model::Window::Whole, &argument);
    rungs(&selection).last().map(|(_, rung)| rung.rate)
}

fn ladder(run: &Run, argument: &Argument) -> Option<Ladder> {
    let mut table: Vec<LadderRung> = Vec::new();
    for arm in run.letters() {
        let selection = Selection::new(run, arm, &model::Window::Whole, argument);
        let of_arm = rungs(&selection);
        let plain: Vec<_> = of_arm.iter().map(|(_, rung)| rung.clone()).collect();
        let found = bracket(&plain);
        for (phase, rung) in of_arm {
            let window = model::Window::Phase(phase.clone());
            let (late, n) = sum(&rung.bad);
            let counted = |value: Option<f64>| Measured { value, n, ..Measured::default() };
            let figures = LadderFigures {
                late: counted(late),
                goodput: counted(late.map(|late| rung.rate * (1.0 - late))),
                p99: (P99.statistic)(&selection.within(&window)).seen(),
                standing: RungStanding::of(rung.rate, &found),
            };
            match table.iter_mut().find(|row| row.phase == phase) {
                Some(row) => {
                    row.arms.insert(arm, figures);
                }
                None => {
                    let arms = BTreeMap::from([(arm, figures)]);
                    table.push(LadderRung { phase, rate: rung.rate, arms });
                }
            }
        }
    }
    let limit_s = argument.time_us() as f64 / 1e6;
    table.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    (!table.is_empty()).then(|| Ladder { title: title(argument), limit_s, rungs: table })
}

/// Share and trials.
fn sum(seconds: &[Trials]) -> (Option<f64>, u64) {
    let (events, trials) =
        seconds.iter().fold((0, 0), |sum, second| (sum.0 + second.events, sum.1 + second.trials));
    ((trials > 0).then(|| events as f64 / trials as f64), trials)
}
