//! Which seconds of a run a question is about.

use std::ops::Range;

use record::{Header, PhasePlan};

use crate::SECOND;
use crate::run::Run;

/// An interval comes from at most this many ranges of a window.
const MAX_BLOCKS: u32 = 10;

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

    /// A window cut into ranges of their own, for intervals: by round where the run had at least three, else by time.
    pub fn blocks(&self, window: &Window) -> Vec<TimeRange> {
        let seconds = self.seconds(window);
        if self.header.rounds >= 3 {
            return (1..=self.header.rounds)
                .map(|round| TimeRange { round, seconds: seconds.clone() })
                .collect();
        }
        cuts(&seconds).windows(2).map(|cut| TimeRange { round: 0, seconds: cut[0]..cut[1] }).collect()
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

/// Where seconds are cut into blocks, first and end included.
fn cuts(seconds: &Seconds) -> Vec<u32> {
    let length = seconds.end.saturating_sub(seconds.start);
    let count = length.min(MAX_BLOCKS);
    (0..=count).map(|i| seconds.start + length * i / count.max(1)).collect()
}

/// Where the blocks of every phase and of the whole are cut.
pub(crate) fn block_cuts(header: &Header) -> Vec<u32> {
    let plan = Run { header: header.clone(), ..Run::default() };
    let phases = header.phases.iter().map(|phase| Window::Phase(phase.name.clone()));
    phases.chain([Window::Whole]).flat_map(|window| cuts(&plan.seconds(&window))).collect()
}

/// Whole seconds, rounded to the nearest: phase lengths are whole seconds.
fn nearest_second(ns: u64) -> u32 {
    u32::try_from((ns + SECOND / 2) / SECOND).unwrap_or(u32::MAX)
}
