//! Intervals and findings: one resampling behind every row, claim and front.
//!
//! - [`statistic`]: what a figure is made of, unit by unit; `seen`: its value as seen. `align`: what one arm lacks leaves
//!   all.
//! - `units`: seconds or rounds, and how far events cluster in them. `resampling`: units drawn again and again, the same for
//!   all rows and arms. `pooled`: quantiles of waits over them. [`Figure`]: a statistic with its resamples;
//!   `clustering`: what its samples are worth.
//! - [`estimate`]: a value with its interval, or why it has none; `shares`, `counts`, `student`: what it is worked out by.
//! - [`contrast`]: an arm against the base arm, under [`Conditions`]; `share_contrast`: that of shares. [`Evidence`]: what a finding is made from;
//!   [`decide`]: findings over all rows of a run. [`Engine`]: what all of them share.
//! - [`against_limit`], [`against_other`]: how claims stand.
//! - [`recovery`], [`capacity`], [`front`], [`trend`], `slope`: figures with rules of their own.
//! - [`needs`]: what a claim takes. [`noise`]: what one arm against itself says of a machine, [`StoredStarts`] by row; [`power`]: what can be seen on it.

mod align;
pub mod capacity;
mod claim;
mod clustering;
mod conditions;
mod contrast;
mod counts;
mod engine;
mod estimate;
mod evidence;
mod family;
mod figure;
pub mod front;
pub mod needs;
pub mod noise;
mod pair_claim;
mod pooled;
pub mod power;
pub mod recovery;
mod resampling;
mod seen;
mod share_contrast;
mod shares;
mod slope;
pub mod statistic;
mod stored_starts;
mod student;
pub mod trend;
mod units;

pub use align::align;
pub use claim::{IntervalKind, Judgement, against_limit};
pub use conditions::{Conditions, Margin};
pub use contrast::{Candidate, contrast};
pub use engine::Engine;
pub use estimate::estimate;
pub use evidence::Evidence;
pub use family::decide;
pub use figure::Figure;
pub use pair_claim::against_other;
pub use resampling::Resampling;
pub(crate) use seen::quantile;
pub use share_contrast::fail_differently;
pub(crate) use shares::LEVEL;
pub(crate) use slope::slope;
pub use statistic::{Arrivals, Body, Frame, Once, Statistic, Terms, Trials};
pub use stored_starts::StoredStarts;
