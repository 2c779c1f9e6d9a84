//! The conductor from outside: arms and suites of fake nodes, and a fake generator.

mod arm;
#[cfg(feature = "nats")]
mod broker;
mod generator;
mod node;
mod servers;
mod up;
