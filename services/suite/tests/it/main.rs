//! The catalogue at work: the gateway as a program, and the whole application in every grouping of its databases.

mod application;
mod door;
mod groupings;
mod openapi;
mod people;
