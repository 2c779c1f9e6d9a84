//! What a run shows: measures, expectations and a verdict. Pure: a folded run in, lines of the record out.
//!
//! - [`measures`]: the measures, a file each, and the one list of them. [`measure`]: what a measure is.
//!   [`selection`]: the seconds of an arm it sees; `argument`: what stands in its brackets.
//! - [`expect`]: expectations, and how they are parsed.
//! - [`judge`]: how expectations stand, and the verdict; `onset`: since when one is violated.
//! - [`lints`](mod@lints): what makes a run invalid or inconclusive, or a claim of it.
//! - [`card`]: the scorecard's rows; `breakdowns`: rows that come as a family; `draft`: a row before it is judged.
//!   [`answer`]: what it comes to, in six lines, and one more where arms ran at several round trips. [`headlines`]: the
//!   rows that a folded scorecard shows. [`figure`]: a figure in words. [`ladder`]: a search for capacity, rate by rate.
//!   [`search`]: whether it goes on beyond the declared rates.
//! - [`reason`]: why a run is invalid or inconclusive, against which limit, and what helps, in one sentence.
//! - [`inference`]: intervals and findings, of all rows from one set of resamples. [`finding`]: whether two runs differ.
//! - [`latency_limits`](mod@latency_limits): what charts of latencies draw a line at. [`glossary`]: what every number is.
//!
//! Start with [`measures::CATALOGUE`], [`judge::checks`] and [`card::scorecard`].

pub mod answer;
mod argument;
mod breakdowns;
pub mod card;
mod draft;
pub mod expect;
pub mod figure;
pub mod finding;
pub mod glossary;
pub mod headlines;
pub mod inference;
pub mod judge;
pub mod ladder;
pub mod latency_limits;
pub mod lints;
pub mod measure;
pub mod measures;
mod onset;
pub mod reason;
pub mod search;
pub mod selection;

pub use card::{scorecard, scorecard_with};
pub use expect::Expectation;
pub use inference::Engine;
pub use judge::{checks, checks_with, exit_code, verdict};
pub use latency_limits::latency_limits;
pub use lints::{Circumstances, lints};
pub use measure::Measure;
