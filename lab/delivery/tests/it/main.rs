//! What the crate makes of a small workspace, its owners and its history.

mod co_change;
mod graph;
mod owners;
mod structure;
mod workspace;
