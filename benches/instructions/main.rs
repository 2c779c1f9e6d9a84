//! Instructions of the hot paths that one thread walks, counted by callgrind and held against committed counts.
//!
//! A count does not depend on what else the machine does. `cargo bench -p benches --bench instructions` compares: a path
//! that takes 5 % and a hundred more than `counts.txt` holds fails, and one that takes as much less asks for the new count to
//! be kept:
//!
//! - `UPDATE_COUNTS=1 cargo bench -p benches --bench instructions` writes the file.
//! - `-- --plant NAME` walks a path once more in ten: to see the check fail.
//! - `-- --test` walks each path once, without callgrind.
//!
//! Counts are those of one compiler; where another is in use, or no valgrind, nothing is compared, and that is printed.

mod callgrind;
mod counts;
mod paths;

use std::process::ExitCode;
use std::time::Duration;

use contract::ComponentName;
use telemetry::{Level, LogTarget, Options, ServerMetrics, ServerOutcome};

use crate::counts::{Comparison, Counts};

/// How often each path is walked: what is set up by the first walk is a thousandth of the count.
const WALKS: u64 = 1_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).map(String::as_str)
    };
    if arguments.iter().any(|argument| argument == "--test") {
        paths::all().into_iter().for_each(|mut path| path.walk(1));
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|argument| argument == callgrind::WALK) {
        walk(value("--plant"));
        return ExitCode::SUCCESS;
    }
    match compare(value("--plant")) {
        Ok(is_within) if is_within => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(why) => {
            println!("instructions are not compared: {why}");
            ExitCode::SUCCESS
        }
    }
}

/// What runs under callgrind.
fn walk(planted: Option<&str>) {
    // As a node has it, with no request sampled. The first measurement finds out how fast the clock runs, which takes long.
    let options = Options { level: Level::Sampled(0.0), log: LogTarget::Nowhere, ..Options::default() };
    let _telemetry = telemetry::install(options).expect("once a process");
    ServerMetrics::of(ComponentName::CLIENT, "GET", "/").record(ServerOutcome::of(200), Duration::ZERO);
    for mut path in paths::all() {
        let more = if planted == Some(path.name) { WALKS / 10 } else { 0 };
        path.walk(WALKS + more);
    }
}

/// Whether every path takes as many instructions as it did.
///
/// # Errors
/// Why there is nothing to compare.
fn compare(planted: Option<&str>) -> Result<bool, String> {
    let compiler = counts::compiler()?;
    let kept = Counts::read()?;
    let is_update = std::env::var_os("UPDATE_COUNTS").is_some();
    if kept.compiler != compiler && !is_update {
        return Err(format!("the counts are those of `{}`, and this is `{compiler}`", kept.compiler));
    }
    let names: Vec<&str> = paths::all().iter().map(|path| path.name).collect();
    let counted = callgrind::count(&names, WALKS, planted)?;
    if is_update {
        Counts { compiler, by_path: counted }.write()?;
        return Ok(true);
    }
    let mut is_within = true;
    println!("{:<28} {:>12} {:>12} {:>8}", "instructions a walk", "kept", "counted", "");
    for (name, counted) in &counted {
        let comparison = kept.compare(name, *counted);
        is_within &= comparison != Comparison::More;
        let kept = kept.by_path.get(name).map_or_else(|| "-".to_owned(), u64::to_string);
        println!("{name:<28} {kept:>12} {counted:>12}   {comparison}");
    }
    Ok(is_within)
}
