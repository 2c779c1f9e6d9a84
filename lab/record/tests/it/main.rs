//! The record as others read it.

mod filled;
mod index;
mod packed;
mod schema;
mod versions;
