//! What the model answers, from lines.

mod retention;
