//! The door over real sockets, in front of real components.

mod admin;
mod balance;
mod both;
mod drain;
mod figures;
mod hygiene;
mod outcomes;
mod retries;
mod speak;
mod town;
