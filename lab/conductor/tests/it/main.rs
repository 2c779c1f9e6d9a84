//! The conductor from outside: arms of fake nodes, and a fake generator.

mod arm;
mod generator;
mod node;
