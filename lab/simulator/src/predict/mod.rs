//! What a scenario would show, from a calibration: a record like that of a live run, marked as simulated.
//!
//! - [`Predictor`]: a scenario, its arms and a calibration; predicts. Start here.
//! - [`layout`]: processes and hosts. [`setting`]: what is simulated besides them. `system`: the plan of both; `work_builder`: what
//!   operations do in it; `faults`, `changes`: steps in it; `targets`: what these act on; `registry`: who is listed; `missing`: what it leaves out.
//! - [`block`]: one pass of the load, simulated. [`progress`]: how far that has come. `validity`: how far the calibration carries. `band`: how far figures move.
//! - [`utilisation`]: how busy arms keep the cores, by the law of it.
//! - [`lines`]: the record. `watch`: conditions that are judged before it is complete. [`judgement`]: its checks, its rows and its verdict.

mod band;
pub mod block;
mod changes;
mod faults;
pub mod judgement;
pub mod layout;
pub mod lines;
mod missing;
mod predictor;
pub mod progress;
mod registry;
pub mod setting;
mod system;
mod targets;
pub mod utilisation;
mod validity;
mod watch;
mod work_builder;

pub use block::{Block, Figures};
pub use layout::{Hosts, Layout};
pub use predictor::{Circumstances, PredictError, PredictedRun, Predictor, not_simulated};
pub use progress::Progress;
pub use utilisation::Utilisation;
pub(crate) use validity::{acts_on_arms, size_of};
