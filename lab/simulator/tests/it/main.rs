//! The engine.

mod engine;
