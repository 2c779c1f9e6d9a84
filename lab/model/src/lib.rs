//! What a run record means: its lines are folded once, and every view and the judge ask here. Pure.
//!
//! A [`Run`] answers two kinds of question. *What held at a moment*: functions that end in `_at(.., t)` or `_until(t)`,
//! where `t` is ns since the run's start, and seconds of an arm's load. *What held over a window*: functions that take a
//! [`TimeRange`], cut from a [`Window`] by [`Run::whole`] and [`Run::blocks`].
//!
//! - [`run`]: the fold. [`source`]: where its lines come from, a channel or a list.
//! - [`window`]: which seconds a question is about; `ranges`: cut into seconds, units and rounds. [`moment`]: where an arm
//!   stands in its load; `block`: one pass of it.
//! - [`second`]: one load second of one arm; `seconds`: some of them. [`latency`]: percentiles, and over how many seconds
//!   they are taken. `failures`: what counts as failed, and the error ratio.
//! - [`journeys`]: counts and merged histograms of what users wanted. [`series`]: second by second.
//! - [`so_far`]: the newest figures of a run that goes on.
//! - [`unit`]: what one second of a round cost, whole and by part, for inference; `cpu_samples`: as it is folded.
//! - [`edges`], [`processes`], [`host`]: what was sampled once a second: rates, CPU, memory. [`waits`]: the longest waits.
//!   `operations`: what processes report of themselves, by operation.
//! - [`events`], [`faults`]: what happened, what was planned to; [`incidents`]: what was wrong, since when, how badly.
//! - [`delays`]: what injected delays asked for, and what they took.
//! - [`trace_seconds`]: traced requests of a second, paired between arms. [`traces`]: requests that were kept, and where the
//!   time of all of them went.
//! - [`startup`]: how a run gets ready, before its record begins.
//! - [`outcome`]: expectations, scores, audits and the verdict. [`score_rows`]: parts below their total. [`contrasts`]: every
//!   arm of a row against the base arm.
//! - [`sweep`]: a run of many arms, a line for each.
//! - [`totals`]: sums from the run's start, as a metrics export shows them.
//! - [`retention`]: what is kept in memory, and for how long; `segments`: what has left full detail.
//! - [`format`](mod@format): a number with its unit, the same in every view. [`glossary`]: what each number is.
//! - [`simulated`]: the mark of a run of which nothing was measured. [`predicted`]: figures that were predicted of a live
//!   one, beside the measured. [`speed`]: how fast the machine was, and whether as fast as when it was calibrated.
//! - [`limit`]: a check's value beside its limit. [`shell`]: the command to run again. [`date`]: of a wall clock.
//!
//! Start with [`Run`]. A number that a view needs and no function here gives is added here, so that every view has it.

mod block;
pub mod contrasts;
mod cpu_samples;
pub mod date;
pub mod delays;
pub mod edges;
pub mod events;
mod failures;
pub mod faults;
pub mod format;
pub mod glossary;
mod history;
pub mod host;
pub mod incidents;
pub mod journeys;
mod known_quantiles;
pub mod latency;
pub mod limit;
pub mod moment;
mod operations;
pub mod outcome;
pub mod predicted;
pub mod processes;
mod ranges;
pub mod retention;
pub mod run;
pub mod score_rows;
pub mod second;
mod seconds;
mod segments;
pub mod series;
pub mod shell;
pub mod simulated;
pub mod so_far;
pub mod source;
pub mod speed;
pub mod startup;
pub mod sweep;
pub mod totals;
pub mod trace_seconds;
pub mod traces;
pub mod unit;
pub mod waits;
pub mod window;

pub use cpu_samples::INJECTED;
pub use latency::Quantile;
pub use run::{NoHeader, Run};
pub use second::Second;
pub use simulated::SIMULATED;
pub use source::Source;
pub use window::{TimeRange, Window};

/// One second, ns.
pub const SECOND: u64 = 1_000_000_000;

/// Nanoseconds as seconds.
pub(crate) fn seconds_of(ns: u64) -> f64 {
    ns as f64 / SECOND as f64
}
