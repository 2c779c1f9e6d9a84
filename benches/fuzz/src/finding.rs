//! What a target is found to do with an input.

use std::fmt;

/// An input that fails, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The target.
    pub target: &'static str,
    /// The input.
    pub input: Vec<u8>,
    /// The message of the panic, or how long it took.
    pub reason: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, input, reason } = self;
        write!(f, "{target}: {reason}\ninput: b\"{}\"", input.escape_ascii())
    }
}
