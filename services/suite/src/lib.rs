//! The catalogue: one line per service, and how a process is built for a placement.
