//! Whether a window is steady: latency and CPU of an arm, and what two arms differ by, must not drift within it
//! (Georges, Buytaert & Eeckhout 2007).

use std::collections::BTreeMap;

use model::{Run, Window};

use crate::draft::Draft;
use crate::expect::{Argument, Parameter};
use crate::inference::trend::{change, has_trend};
use crate::selection::Selection;

/// What drifts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trending {
    /// Mean latency of the journeys that were answered.
    Latency,
    /// CPU per journey.
    Cpu,
}

impl Trending {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Latency, Self::Cpu];

    /// In a sentence.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Cpu => "CPU per journey",
        }
    }
}

/// The logarithm of a figure, second by second; a second without a value is left out. One series a round.
type Rounds = Vec<Vec<Option<f64>>>;

/// The drift of a run's windows.
pub(crate) struct Steadiness<'a> {
    run: &'a Run,
    series: BTreeMap<(String, char, Trending), Rounds>,
}

impl<'a> Steadiness<'a> {
    pub fn new(run: &'a Run) -> Self {
        Self { run, series: BTreeMap::new() }
    }

    /// Whether a row that depends on a steady window has none, in either arm or in what they differ by.
    pub(super) fn is_lost(&mut self, draft: &Draft, base: char, other: char) -> bool {
        let Some(window) = draft.steady_in.clone() else { return false };
        Trending::ALL.into_iter().any(|figure| {
            [base, other].into_iter().any(|arm| self.drifts(&window, arm, figure))
                || self.ratio_drifts(&window, [base, other], figure)
        })
    }

    /// Whether a figure of one arm drifts within a window.
    pub fn drifts(&mut self, window: &Window, arm: char, figure: Trending) -> bool {
        has_trend(&known(&self.series(window, arm, figure)))
    }

    /// Whether the ratio of two arms does.
    pub fn ratio_drifts(&mut self, window: &Window, arms: [char; 2], figure: Trending) -> bool {
        has_trend(&self.log_ratio(window, arms, figure))
    }

    /// By what factor the ratio of two arms changes within a window, as a logarithm; `None` where it does not drift.
    pub fn drift_of_ratio(&mut self, window: &Window, arms: [char; 2], figure: Trending) -> Option<f64> {
        let ratio = self.log_ratio(window, arms, figure);
        has_trend(&ratio).then(|| change(&ratio)).flatten()
    }

    /// The logarithm of the ratio of two arms, second by second.
    fn log_ratio(&mut self, window: &Window, arms: [char; 2], figure: Trending) -> Vec<Vec<f64>> {
        let [base, other] = arms.map(|arm| self.series(window, arm, figure));
        let difference = |(a, b): (&Vec<Option<f64>>, &Vec<Option<f64>>)| {
            a.iter().zip(b).map(|(a, b)| Some((*b)? - (*a)?)).collect()
        };
        let ratio: Rounds = base.iter().zip(&other).map(difference).collect();
        known(&ratio)
    }

    fn series(&mut self, window: &Window, arm: char, figure: Trending) -> Rounds {
        let argument = Argument::of_row(Parameter::Journey, None);
        let selection = Selection::new(self.run, arm, window, &argument);
        let frame = selection.frame();
        let of_unit = |unit: &Selection<'_>| match figure {
            Trending::Latency => Some(unit.arrivals().waits.mean()?.ln()),
            Trending::Cpu => {
                let (ns, journeys) = (unit.cpu_ns()?, unit.finished()?);
                (ns > 0 && journeys > 0).then(|| (ns as f64 / journeys as f64).ln())
            }
        };
        let series = || {
            let units = selection.by_unit(of_unit);
            units.chunks((frame.seconds as usize).max(1)).map(<[_]>::to_vec).collect()
        };
        self.series.entry((frame.window.clone(), arm, figure)).or_insert_with(series).clone()
    }
}

fn known(rounds: &Rounds) -> Vec<Vec<f64>> {
    rounds.iter().map(|round| round.iter().flatten().copied().collect()).collect()
}
