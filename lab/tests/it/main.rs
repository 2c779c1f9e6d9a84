//! The program as a user meets it: real processes, real sockets, one command line at a time.

mod attribution;
mod bad_input;
mod capacity;
mod cleave;
mod collector;
mod containers;
mod deploys;
mod ending;
mod faults;
mod http;
mod kernel;
mod left;
mod load;
mod past;
mod prometheus;
mod routes;
mod same_seed;
mod stall;
mod traces;
mod traps;
mod up;
mod views;
mod whole_run;
