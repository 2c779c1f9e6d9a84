//! `cargo run --release -p fuzz -- [INPUTS] [TARGET] [SEED]`: as many inputs for each target, or for one of them. An
//! input that fails is written to its corpus before the program ends, so that it is found again for ever.

use std::process::ExitCode;

use fuzz::{TARGETS, Target, corpus, run};
use runtime::clock;

/// Inputs of each target, unless asked otherwise.
const INPUTS: u64 = 100_000;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let inputs = arguments.next().map_or(Ok(INPUTS), |text| text.parse());
    let name = arguments.next().filter(|name| name != "all");
    let seed = arguments.next().map_or(Ok(1), |text| text.parse());
    let (Ok(inputs), Ok(seed)) = (inputs, seed) else {
        eprintln!("usage: fuzz [INPUTS] [TARGET or `all`] [SEED]");
        return ExitCode::from(2);
    };
    let chosen: Vec<&Target> =
        TARGETS.iter().filter(|target| name.as_deref().is_none_or(|name| name == target.name)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("unknown target; targets: {}", names.join(", "));
        return ExitCode::from(2);
    }
    let found: Vec<bool> = chosen.into_iter().map(|target| is_found(target, inputs, seed)).collect();
    if found.contains(&true) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Whether an input of a target fails.
fn is_found(target: &Target, inputs: u64, seed: u64) -> bool {
    let began = clock::now();
    let Err(finding) = run(target, inputs, seed) else {
        println!("{:10} {inputs} inputs in {:.1} s", target.name, (clock::now() - began).as_secs_f64());
        return false;
    };
    println!("{finding}");
    match corpus::keep(&finding) {
        Ok(path) => println!("kept as {}", path.display()),
        Err(why) => println!("not kept: {why}"),
    }
    true
}
