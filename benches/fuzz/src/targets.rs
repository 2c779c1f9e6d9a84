//! The readers, each as a function over bytes, and what must hold of whatever they accept.
//!
//! - `sanitize`, `routing`: a request, as far as the gateway passes it on. `head`: bytes as the head of a request.
//! - `deadlines`: the headers of a request's context. `cursors`, `tokens`: what clients bring back.
//! - `codecs`: calls and replies between components.
//! - `records`: a run's record. `otlp`: spans from anywhere.

mod codecs;
mod cursors;
mod deadlines;
mod head;
mod otlp;
mod records;
mod routing;
mod sanitize;
mod tokens;

/// A reader under test.
pub struct Target {
    /// Its name, and its folder in the corpus.
    pub name: &'static str,
    /// Reads an input; panics where something holds that must not.
    pub run: fn(&[u8]),
    /// Inputs that are made from the types of today, next to those of the folder.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Pieces that mean something to it.
    pub words: &'static [&'static [u8]],
}

/// All of them.
pub static TARGETS: &[Target] = &[
    sanitize::TARGET,
    routing::TARGET,
    deadlines::TARGET,
    codecs::TARGET,
    cursors::TARGET,
    tokens::TARGET,
    records::TARGET,
    otlp::TARGET,
];

/// For targets whose inputs all lie in the folder.
fn no_seeds() -> Vec<Vec<u8>> {
    Vec::new()
}
