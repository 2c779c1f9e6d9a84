//! What documents hold, of a small run written by hand.

mod arms;
mod compare;
mod documents;
mod fixture;
mod page;
mod schema;
mod series;
