//! Which seconds of a run a question is about.

use std::ops::Range;

use record::{Header, PhasePlan};

use crate::SECOND;
use crate::run::Run;

/// A load of at most so many seconds a round is known second by second; a longer one in so many pieces of equal length.
const MAX_UNITS: u32 = 600;

/// The part of a run that a measure looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Window {
    /// All measured phases.
    Whole,
    /// One phase.
    Phase(String),
    /// The last so many nanoseconds of the run.
    Last(u64),
    /// Seconds since the load's start, from and to: for conditions that are checked
    /// while a run goes on. Not written in files.
    Seconds(u32, u32),
}

/// Phase time, in whole seconds since the load's start.
pub type Seconds = Range<u32>;

/// Some seconds of a round, or of all rounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// Round, from 1; 0 for all rounds.
    pub round: u32,
    /// Which seconds of it.
    pub seconds: Seconds,
}

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

/// Seconds in a unit of a run.
pub(crate) fn unit_seconds(header: &Header) -> u32 {
    let end = header.phases.iter().map(|phase| phase.start_ns + phase.length_ns).max().unwrap_or(0);
    nearest_second(end).div_ceil(MAX_UNITS).max(1)
}

/// Seconds cut into units: at multiples of a unit's length, which are the same in every window. What is left of a unit at
/// either end is a unit of its own.
fn unit_ranges(seconds: &Seconds, length: u32) -> Vec<Seconds> {
    let mut ranges = Vec::new();
    let mut from = seconds.start;
    while from < seconds.end {
        let to = ((from / length + 1) * length).min(seconds.end);
        ranges.push(from..to);
        from = to;
    }
    ranges
}

/// Whole seconds, rounded to the nearest: phase lengths are whole seconds.
fn nearest_second(ns: u64) -> u32 {
    u32::try_from((ns + SECOND / 2) / SECOND).unwrap_or(u32::MAX)
}
