//! Closed forms of queueing theory: what the simulator is tested against.
//!
//! Rates are per unit of time, results in that unit: with rates per second, waits are seconds.
//!
//! - [`markov`]: exponential times: M/M/c, loss, patience, bursty arrivals. [`general`]: any service time.
//! - [`networks`]: several stations: Jackson, closed networks, fork and join.
//! - [`scale`]: many servers, power of d choices, tails of fan-out, retries. [`usl`]: the universal scalability law.

pub mod general;
pub mod markov;
pub mod networks;
pub mod scale;
pub mod usl;
