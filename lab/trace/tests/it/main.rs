//! Requests put together from their spans, and where their time went.

mod attribution;
mod gathering;
mod shapes;
