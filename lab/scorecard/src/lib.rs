//! What a run shows: measures, expectations and a verdict. Pure: a folded run in, lines of the record out.
//!
//! - [`measures`]: the measures, a file each, and the one list of them. [`measure`]: what a measure is.
//!   [`selection`]: the seconds of an arm it sees.
//! - [`expect`]: expectations, and how they are parsed.
//! - [`judge`]: how expectations stand, and the verdict; `onset`: since when one is violated.
//! - [`lints`](mod@lints): what makes a run invalid or inconclusive.
//! - [`card`]: the scorecard's rows; `breakdowns`: rows that come as a family. [`finding`]: whether two figures
//!   differ.
//! - [`glossary`]: what every number is.
//! - [`stats`]: intervals. `value`: the sorts of values measures have.
//!
//! Start with [`measures::CATALOGUE`], [`judge::checks`] and [`card::scorecard`].

mod breakdowns;
pub mod card;
pub mod expect;
pub mod finding;
pub mod glossary;
pub mod judge;
pub mod lints;
pub mod measure;
pub mod measures;
mod onset;
pub mod selection;
pub mod stats;
mod value;

pub use card::scorecard;
pub use expect::Expectation;
pub use judge::{checks, exit_code, verdict};
pub use lints::{Circumstances, lints};
pub use measure::Measure;
