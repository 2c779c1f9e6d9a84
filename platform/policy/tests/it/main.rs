//! What holds of every policy, whatever happens: properties over drawn histories.

mod choosing;
mod limits;
mod written;
