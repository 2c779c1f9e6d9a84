//! Which seconds of a run a question is about.

use std::ops::Range;

use record::Header;

use crate::SECOND;

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

/// Seconds in a unit of a run, the rates included that a search may go on to.
pub(crate) fn unit_seconds(header: &Header) -> u32 {
    let phases = header.phases.iter().chain(&header.further);
    let end = phases.map(|phase| phase.start_ns + phase.length_ns).max().unwrap_or(0);
    nearest_second(end).div_ceil(MAX_UNITS).max(1)
}

/// Seconds cut into units: at multiples of a unit's length, which are the same in every window. What is left of a unit at
/// either end is a unit of its own.
pub(crate) fn unit_ranges(seconds: &Seconds, length: u32) -> Vec<Seconds> {
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
pub(crate) fn nearest_second(ns: u64) -> u32 {
    u32::try_from((ns + SECOND / 2) / SECOND).unwrap_or(u32::MAX)
}
