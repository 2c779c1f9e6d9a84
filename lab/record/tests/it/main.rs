//! The record as others read it.

mod filled;
mod schema;
mod versions;
