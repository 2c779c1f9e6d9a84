//! What the model answers, from lines.

mod allocator;
mod flat;
mod retention;
mod so_far;
