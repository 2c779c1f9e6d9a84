//! A run's windows, cut into seconds, units and rounds.

use record::PhasePlan;

use crate::run::Run;
use crate::window::{Seconds, TimeRange, Window, nearest_second, unit_ranges, unit_seconds};

impl Run {
    /// The seconds of a window; `Whole` is all measured phases, from the first to the end of the last.
    pub fn seconds(&self, window: &Window) -> Seconds {
        let of = |phase: &PhasePlan| {
            let start = nearest_second(phase.start_ns);
            start..nearest_second(phase.start_ns + phase.length_ns)
        };
        let measured = || self.header.phases.iter().filter(|phase| phase.measure).map(of);
        let end = measured().map(|seconds| seconds.end).max().unwrap_or(0);
        match window {
            Window::Phase(name) => self.phase(name).map_or(0..0, of),
            Window::Whole => measured().map(|seconds| seconds.start).min().unwrap_or(0)..end,
            Window::Seconds(from, to) => *from..*to,
            Window::Last(ns) => end.saturating_sub(nearest_second(*ns))..end,
        }
    }

    /// Length of a unit, seconds: 1 where the load lasts ten minutes or less, so that memory stays bounded beyond.
    pub fn unit_seconds(&self) -> u32 {
        unit_seconds(&self.header)
    }

    /// A window's units, round by round: what intervals are made from. Each round has as many.
    pub fn units(&self, window: &Window) -> Vec<TimeRange> {
        let seconds = unit_ranges(&self.seconds(window), self.unit_seconds());
        let of_round = |round: u32| seconds.iter().map(move |seconds| (round, seconds.clone()));
        (1..=self.header.rounds.max(1))
            .flat_map(of_round)
            .map(|(round, seconds)| TimeRange { round, seconds })
            .collect()
    }

    /// A window's rounds, one after another.
    pub fn rounds(&self, window: &Window) -> Vec<TimeRange> {
        let seconds = self.seconds(window);
        (1..=self.header.rounds.max(1)).map(|round| TimeRange { round, seconds: seconds.clone() }).collect()
    }

    /// All rounds of a window.
    pub fn whole(&self, window: &Window) -> TimeRange {
        TimeRange { round: 0, seconds: self.seconds(window) }
    }

    /// Windows whose latencies are drawn: all that is measured, and each measured phase where there are several.
    pub fn drawn_windows(&self) -> Vec<(String, Window)> {
        let measured = self.header.phases.iter().filter(|phase| phase.measure);
        let mut windows = vec![("measured phases".to_owned(), Window::Whole)];
        windows.extend(measured.map(|phase| (phase.name.clone(), Window::Phase(phase.name.clone()))));
        if windows.len() == 2 {
            windows.truncate(1);
        }
        windows
    }
}
