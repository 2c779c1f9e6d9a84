//! From a calibration to how far its predictions are off: scenarios that it was not made from, predicted before they are run, and
//! each figure beside the measured one. Pure: freezing, running and writing is for who calls.
//!
//! - [`held_out`]: the scenarios: other loads, another mix, other groupings, copies, a slow dependency, a crash.
//! - [`comparison`]: predicted and measured figures, their errors and bounds, and the table of them. Start here.
//! - [`explanation`]: where the CPU of an arm with a miss went, as predicted and as measured.
//! - [`groupings`]: whether many groupings come in the same order as predicted and as measured.
//! - [`null_models`]: what is known without a simulator, which has to be better.

pub mod comparison;
pub mod explanation;
pub mod groupings;
pub mod held_out;
pub mod null_models;

pub use comparison::{Row, Validation};
pub use explanation::{CpuUse, Explanation};
pub use groupings::Agreement;
pub use held_out::{HeldOut, held_out, knee, learnt_from, mix_of};
pub use null_models::NullModels;
