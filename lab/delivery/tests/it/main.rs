//! What the crate makes of a small workspace, its owners and its history.

mod co_change;
mod crate_folders;
mod graph;
mod owners;
mod structure;
mod workspace;
