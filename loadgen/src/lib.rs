//! Open-loop load on goose: pacer, slots, histograms, and the journeys with their checks.
//!
//! - [`protocol`]: what the lab tells the generator, and what it is told back.
//! - [`generator`]: the generator's life, in a process of its own.
//! - [`pacer`]: a thread that hands out arrivals when they are due.
//! - [`attack`]: the one place where goose runs.
//! - [`slot`]: what becomes of an arrival.
//! - [`journeys`]: requests, and whether the answers are what was asked for.
//! - [`recorder`]: figures by arm, journey and the second an arrival was due.
//! - [`audit`]: acknowledged writes, looked for afterwards.
//! - [`cross_check`]: our counts against goose's.
//! - [`pictures`]: real image files for uploads and data sets.
//!
//! Start with [`generator::main`]. Arrivals themselves are [`traffic`]'s.

pub mod attack;
pub mod audit;
pub mod cross_check;
pub mod generator;
pub mod journeys;
pub mod pacer;
pub mod pictures;
pub mod protocol;
pub mod recorder;
pub mod slot;

pub use generator::main;
pub use protocol::{ArmEndpoint, LoadPlan, Message, Summary, TracedJourney};
