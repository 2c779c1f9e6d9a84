//! A discrete-event simulator: what a system of services does at sizes that no machine at hand can run. Pure, without clock
//! or IO; the same plan and seed give the same bytes.
//!
//! - [`engine`]: events in total order: queues, timers, slab, random numbers.
//! - [`dist`]: how long something takes.
//! - [`model`]: hosts, processes, components, databases, network, policies, faults. Start here.
//! - [`run`]: replications, and what they say together.
//! - [`calibrate`]: from records of live runs to what operations, messages and commits take on a machine.
//! - [`predict`]: from a calibration and a scenario to a record like that of a live run, marked as simulated.
//! - [`validate`]: predictions that were frozen before live runs, beside what these measured.
//! - [`analytic`]: closed forms of queueing theory, which the tests hold the model to.

pub mod analytic;
pub mod calibrate;
pub mod dist;
pub mod engine;
pub mod model;
pub mod predict;
pub mod run;
pub mod validate;
