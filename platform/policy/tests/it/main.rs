//! What holds of every policy, whatever happens: properties over drawn histories.

mod adaptive_concurrency;
mod balance;
mod breaker;
mod limits;
mod outlier;
mod parsing;
mod retry;
