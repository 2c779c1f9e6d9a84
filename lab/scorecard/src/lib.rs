//! From a run's model to measures, expectations and a verdict. Pure.
//!
//! - [`expect`]: the grammar of expectations.
//! - [`measure`]: what an arm did, with samples and interval.
//! - [`judge`]: how expectations stand, and the verdict; `since`: from when on. [`lints`](mod@lints): what makes a run
//!   unbelievable.
//! - [`card`]: the scorecard's rows.
//! - [`front`]: many deployments at once, and which are worth having.
//! - [`stats`]: how far a number may be off.
//!
//! Start with [`judge::checks`] and [`card::scorecard`].

pub mod card;
pub mod expect;
pub mod front;
pub mod judge;
pub mod lints;
pub mod measure;
mod since;
pub mod stats;

pub use card::scorecard;
pub use expect::Expectation;
pub use judge::{checks, exit_code, verdict};
pub use lints::{Circumstances, lints};
