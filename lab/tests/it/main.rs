//! The program as a user meets it: real processes, real sockets, one command line at a time.

mod attribution;
mod bad_input;
mod capacity;
mod cleanup;
mod cleave;
mod collector;
mod containers;
mod deploys;
mod determinism;
mod faults;
mod finished_runs;
mod http;
mod kernel;
mod load;
mod places;
mod prometheus;
mod routes;
mod shutdown;
mod stall;
mod traces;
mod traps;
mod up;
mod views;
mod views_by_second;
mod whole_run;
