//! From lines of a record to verdict and scorecard.

mod answers;
mod arms;
mod bystanders;
mod capacities;
mod delivery;
mod fixture;
mod inference;
mod lateness;
mod lint_records;
mod lint_table;
mod lints;
mod measures;
mod method_tables;
mod network;
mod overload;
mod reasons;
mod rows;
mod verdicts;
