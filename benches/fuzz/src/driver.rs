//! Input after input, until one fails.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use runtime::clock;

use crate::corpus;
use crate::finding::Finding;
use crate::mutation::Mutator;
use crate::targets::Target;

/// An input that takes longer counts as a hang: a thousand times what the slowest takes.
const MAX_INPUT_TIME: Duration = Duration::from_secs(2);

/// Gives a target its corpus as it is, and then so many mutated inputs.
///
/// # Errors
/// The first input that fails.
pub fn run(target: &Target, inputs: u64, seed: u64) -> Result<(), Finding> {
    let corpus = corpus::of(target);
    for input in &corpus {
        check(target, input)?;
    }
    let mut mutator = Mutator::new(seed, target.name, &corpus, target.words);
    for _ in 0..inputs {
        check(target, &mutator.input())?;
    }
    Ok(())
}

/// Gives a target one input.
///
/// # Errors
/// When it panics or hangs.
pub fn check(target: &Target, input: &[u8]) -> Result<(), Finding> {
    let began = clock::now();
    let ended = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let took = clock::now() - began;
    let reason = match ended {
        Err(panic) => message(&*panic),
        Ok(()) if took > MAX_INPUT_TIME => format!("took {took:?}"),
        Ok(()) => return Ok(()),
    };
    Err(Finding { target: target.name, input: input.to_vec(), reason })
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}
