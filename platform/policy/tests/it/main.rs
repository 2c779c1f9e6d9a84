//! What holds of every policy, whatever happens: properties over drawn histories.

mod balance;
mod limits;
mod parsing;
