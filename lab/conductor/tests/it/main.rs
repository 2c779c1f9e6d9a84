//! The conductor from outside: arms of fake nodes, a fake generator, and the order of its rooms.

mod arm;
mod generator;
mod node;
mod rooms;
