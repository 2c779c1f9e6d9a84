//! Which seconds of a run a question is about.

use std::ops::Range;

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

/// A stretch of phase time, in whole seconds since the load's start.
pub type Seconds = Range<u32>;

/// A second of one round: the smallest stretch figures are kept for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// Round, from 1; 0 for all rounds.
    pub round: u32,
    /// Which seconds of it.
    pub seconds: Seconds,
}
