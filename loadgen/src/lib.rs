//! Open-loop load on goose: pacer, slots, histograms, and the journeys with their checks.
//!
//! - [`generator`]: the generator's process: warms up, offers the load, audits, reports.
//! - [`pacer`]: the thread that dispatches arrivals. [`arrival_queue`]: how they get to a slot. [`lead`]: how much earlier than they are due. [`gate`]: rates that are
//!   offered on request only.
//! - [`trial`]: one journey of every kind, before the load.
//! - [`attack`]: runs goose, whose users are the slots.
//! - [`slot`]: performs and records an arrival. [`arm_context`]: what the slots of an arm share.
//! - [`journeys`]: the requests of each journey, and checks of the responses. `reply`: the fields that are checked.
//!   [`users`]: in whose name requests are sent.
//! - [`recorder`]: figures by arm, journey and the second an arrival was due.
//! - [`audit`]: verifies acknowledged writes after the load.
//! - [`cross_check`]: compares our counts with goose's.
//!
//! Start with [`generator::main`]. The schedule of arrivals comes from [`traffic`], the plan from the lab and the messages to it
//! are [`load_protocol`].

pub mod arm_context;
pub mod arrival_queue;
pub mod attack;
pub mod audit;
pub mod cross_check;
pub mod gate;
pub mod generator;
pub mod journeys;
pub mod lead;
pub mod pacer;
pub mod recorder;
mod reply;
pub mod slot;
pub mod trial;
pub mod users;

pub use generator::main;
