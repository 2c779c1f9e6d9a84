//! A discrete-event simulator: what a system of services does at sizes that no machine at hand can run. Pure, without clock
//! or IO; the same plan and seed give the same bytes.
//!
//! - [`engine`]: events in total order: queues, timers, slab, random numbers.
//! - [`dist`]: how long something takes.
//! - [`model`]: hosts, processes, components, databases, network, policies, faults. Start here.
//! - [`run`]: replications, and what they say together.
//! - [`analytic`]: closed forms of queueing theory, which the tests hold the model to.

pub mod analytic;
pub mod dist;
pub mod engine;
pub mod model;
pub mod run;
