//! The record as others read it.

mod filled;
mod index;
mod schema;
mod versions;
