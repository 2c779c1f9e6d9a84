//! What comes from outside, mutated: requests, headers, calls, cursors, tokens, records, exports of spans. No input may make
//! a reader panic, hang, or accept what it must not.
//!
//! - [`targets`]: a plain function over bytes for each reader, with what must hold of whatever it accepts. Start here.
//! - [`mutation`]: the next input from a corpus, by a seed. - [`driver`]: input after input, until one fails: a [`finding`].
//! - [`corpus`]: the inputs that mutation begins with: `corpus/TARGET`, and what a target makes by itself.
//!
//! `cargo test -p fuzz` gives each target some thousand inputs;
//! `cargo run --release -p fuzz -- 10000000` as many as it is asked for.
//!
//! Coverage-guided engines (libFuzzer through cargo-fuzz, AFL, bolero on top of either) need instrumentation that a
//! stable compiler does not give; what bolero does without it is what is here, with more to depend on. So the
//! corpora are made to reach every reader's inside, and targets are of the form `fn(&[u8])` that such engines take.

pub mod corpus;
pub mod driver;
pub mod finding;
pub mod mutation;
pub mod targets;

pub use driver::run;
pub use finding::Finding;
pub use targets::{TARGETS, Target};
