//! From windows to measures, expectations and a verdict. Pure: lines of the run record in, lines out.
//!
//! - [`tally`]: the record's lines, sorted for questions.
//! - [`expect`]: the grammar of expectations.
//! - [`measure`]: what an arm did, with samples and interval.
//! - [`judge`]: how expectations stand, what makes a run unbelievable, the verdict.
//! - [`card`]: the scorecard's rows.
//! - [`stats`]: how far a number may be off.
//!
//! Start with [`judge::checks`] and [`card::scorecard`].

pub mod card;
pub mod expect;
pub mod judge;
pub mod measure;
pub mod stats;
pub mod tally;

pub use card::scorecard;
pub use expect::Expectation;
pub use judge::{Circumstances, checks, exit_code, lints, verdict};
pub use tally::Tally;
