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
pub(crate) enum TrendFigure {
    /// Mean latency of the journeys that were answered.
    Latency,
    /// CPU per journey.
    Cpu,
}

impl TrendFigure {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Latency, Self::Cpu];

    /// From which factor on a drift within a window withholds findings: the least difference that rows of it call one. With
    /// enough rounds any warming up is significant, however little it moves what two arms differ by.
    const fn margin(self) -> f64 {
        match self {
            Self::Latency => 1.10,
            Self::Cpu => 1.05,
        }
    }

    /// Whether a change, as a logarithm, is no less than that.
    fn matters(self, change: f64) -> bool {
        change.abs() >= self.margin().ln()
    }

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
    series: BTreeMap<(String, char, TrendFigure), Rounds>,
}

impl<'a> Steadiness<'a> {
    pub fn new(run: &'a Run) -> Self {
        Self { run, series: BTreeMap::new() }
    }

    /// Whether a row that depends on a steady window has none, in either arm or in what they differ by.
    pub(super) fn is_lost(&mut self, draft: &Draft, base: char, other: char) -> bool {
        let Some(window) = draft.steady_in.clone() else { return false };
        TrendFigure::ALL.into_iter().any(|figure| {
            [base, other].into_iter().any(|arm| self.drift(&window, arm, figure).is_some())
                || self
                    .drift_of_ratio(&window, [base, other], figure)
                    .is_some_and(|change| figure.matters(change))
        })
    }

    /// By what factor a figure of one arm changes from a window's first to its last second, as a logarithm; `None` where it
    /// does not drift.
    pub fn drift(&mut self, window: &Window, arm: char, figure: TrendFigure) -> Option<f64> {
        drift(&known(&self.series(window, arm, figure)), figure)
    }

    /// By what factor the ratio of two arms changes, however little that is; `None` where it does not drift.
    pub fn drift_of_ratio(&mut self, window: &Window, arms: [char; 2], figure: TrendFigure) -> Option<f64> {
        trend(&self.log_ratio(window, arms, figure))
    }

    /// The logarithm of the ratio of two arms, second by second.
    fn log_ratio(&mut self, window: &Window, arms: [char; 2], figure: TrendFigure) -> Vec<Vec<f64>> {
        let [base, other] = arms.map(|arm| self.series(window, arm, figure));
        let difference = |(a, b): (&Vec<Option<f64>>, &Vec<Option<f64>>)| {
            a.iter().zip(b).map(|(a, b)| Some((*b)? - (*a)?)).collect()
        };
        let ratio: Rounds = base.iter().zip(&other).map(difference).collect();
        known(&ratio)
    }

    fn series(&mut self, window: &Window, arm: char, figure: TrendFigure) -> Rounds {
        let argument = Argument::of_row(Parameter::Journey, None);
        let selection = Selection::new(self.run, arm, window, &argument);
        let frame = selection.frame();
        let of_unit = |unit: &Selection<'_>| match figure {
            TrendFigure::Latency => Some(unit.arrivals().waits.mean()?.ln()),
            TrendFigure::Cpu => {
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

/// How much there is of a trend, where it is one.
fn trend(rounds: &[Vec<f64>]) -> Option<f64> {
    has_trend(rounds).then(|| change(rounds)).flatten()
}

/// The same, where it is no less than matters.
fn drift(rounds: &[Vec<f64>], figure: TrendFigure) -> Option<f64> {
    trend(rounds).filter(|change| figure.matters(*change))
}

fn known(rounds: &Rounds) -> Vec<Vec<f64>> {
    rounds.iter().map(|round| round.iter().flatten().copied().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_that_moves_a_figure_by_less_than_its_margin_is_no_drift() {
        // Forty rounds of four seconds that change by a factor from the first to the last: significant, whatever its size.
        let rounds = |factor: f64| {
            let round: Vec<f64> = (0..4).map(|second| f64::from(second) / 3.0 * factor.ln()).collect();
            vec![round; 40]
        };
        assert!(has_trend(&rounds(0.97)) && drift(&rounds(0.97), TrendFigure::Cpu).is_none());
        assert!(drift(&rounds(0.93), TrendFigure::Cpu).is_some_and(|change| change < -0.07));
        assert!(drift(&rounds(0.93), TrendFigure::Latency).is_none());
        assert!(drift(&rounds(1.12), TrendFigure::Latency).is_some());
    }
}
