//! Arrivals, journeys and data sets, all from one seed; no clock, no sockets.
//!
//! - [`random`]: labelled random streams of one seed.
//! - [`distributions`]: Zipf, Pareto, lognormal, weighted choice; one draw per sample.
//! - [`load`]: `[load]` of a scenario.
//! - [`journey`]: user journeys, and the components they need.
//! - [`follow_graph`]: the follower graph.
//! - [`dataset`]: users and photos that exist before the run.
//! - [`arrival_trace`]: recorded arrivals, read from a file.
//! - [`vocabulary`]: words, names and captions.
//! - [`schedule`]: every arrival of a run; `journey_target` draws users and targets.
//! - [`trial`]: one journey of each kind, before the load.
//! - [`skew`]: compares a schedule with the load that declares it.
//! - [`images`]: pixels of photos.
//!
//! Start with [`schedule::Schedule`].

pub mod arrival_trace;
pub mod dataset;
pub mod distributions;
pub mod follow_graph;
pub mod images;
pub mod journey;
mod journey_target;
pub mod load;
pub mod random;
pub mod schedule;
pub mod skew;
pub mod trial;
pub mod vocabulary;

pub use dataset::Dataset;
pub use journey::Journey;
pub use load::Load;
pub use random::{Rng, Seed};
pub use schedule::{Arrival, Schedule};
