//! From lines of a record to verdict and scorecard.

mod fixture;
mod inference;
mod measures;
mod rows;
mod verdicts;
