//! What the users do: arrivals, journeys and data sets, all from one seed; no clock, no sockets.
//!
//! - [`random`]: labelled streams of one seed.
//! - [`distributions`]: Zipf, Pareto, lognormal, weighted choice: one draw a sample.
//! - [`load`]: what a scenario says under `[load]`.
//! - [`journey`]: what a user wants done, and which components it needs.
//! - [`follow_graph`]: who follows whom.
//! - [`dataset`]: who is there, which photos there are.
//! - [`arrival_trace`]: arrivals that were written down.
//! - [`vocabulary`]: vocabulary, names and captions.
//! - [`schedule`]: every arrival of a run; who acts and on what is in `target`.
//! - [`skew`]: whether a schedule is what its load declares.
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
pub mod vocabulary;

pub use dataset::Dataset;
pub use journey::Journey;
pub use load::Load;
pub use random::{Rng, Seed};
pub use schedule::{Arrival, Schedule};
