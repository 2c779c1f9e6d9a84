//! The catalogue at work: the gateway and the monolith as programs, and the whole application in every grouping of its databases.

mod application;
mod door;
mod groupings;
mod monolith;
mod openapi;
mod people;
mod program;
