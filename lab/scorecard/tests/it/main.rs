//! From lines of a record to verdict and scorecard.

mod bystanders;
mod fixture;
mod inference;
mod lints;
mod measures;
mod method_tables;
mod network;
mod rows;
mod verdicts;
