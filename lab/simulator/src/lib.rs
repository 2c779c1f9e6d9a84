//! A discrete-event simulator: pure, without clock or IO; the same seed gives the same bytes.
//!
//! - [`engine`]: events in total order: queues, timers, slab, random numbers. Start here.

pub mod engine;
