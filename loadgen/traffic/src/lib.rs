//! What the users do: arrivals, journeys and data sets, all from one seed; no clock, no sockets.
//!
//! - [`seed`]: labelled streams of one seed.
//! - [`sample`]: Zipf, Pareto, lognormal, weighted choice: one draw a sample.
//! - [`load`]: what a scenario says under `[load]`.
//! - [`journey`]: what a user wants done, and which components it needs.
//! - [`graph`]: who follows whom.
//! - [`dataset`]: who is there, which photos there are.
//! - [`trace`]: arrivals that were written down.
//! - [`words`]: vocabulary, names and captions.
//! - [`schedule`]: every arrival of a run; who acts and on what is in `target`.
//! - [`skew`]: whether a schedule is what its load declares.
//! - [`images`]: pixels of photos.
//!
//! Start with [`schedule::Schedule`].

pub mod dataset;
pub mod graph;
pub mod images;
pub mod journey;
pub mod load;
pub mod sample;
pub mod schedule;
pub mod seed;
pub mod skew;
mod target;
pub mod trace;
pub mod words;

pub use dataset::Dataset;
pub use journey::Journey;
pub use load::Load;
pub use schedule::{Arrival, Schedule};
pub use seed::{Rng, Seed};
