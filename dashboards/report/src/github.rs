//! GitHub workflow commands: each expectation that does not hold is annotated at its line of the scenario file.

use std::fmt::Write;

use model::Run;
use model::format::printable;
use record::Verdict;

use crate::without_verdict;

/// One command a line; nothing where all is well. `file` is the scenario's path in the repository.
pub fn annotations(run: &Run, file: &str) -> String {
    let mut text = String::new();
    if let Some(mark) = run.mark() {
        let place = format!("file={},title=simulated", property(file));
        write_annotation(&mut text, "warning", &place, "simulated", &mark);
    }
    for check in run.checks().into_iter().filter(|check| check.verdict != Verdict::Pass) {
        let (why, line) = run.reason_of(check);
        let why = if why.is_empty() { String::new() } else { format!("; {why}") };
        let arm = run.arm_name_of(check).map_or_else(String::new, |arm| format!(" [{arm}]"));
        let found = format!("{}{arm}: {}{why}", check.text, run.finding_of(check));
        let place = format!("file={},line={line}", property(file));
        let simulated = if run.is_simulated() { "simulated, " } else { "" };
        annotate(&mut text, run.verdict_of(check), &place, &format!("{simulated}{found}"));
    }
    let whole = |title: &str| format!("file={},title={}", property(file), property(title));
    if let Some(why) = without_verdict(run) {
        annotate(&mut text, Verdict::Invalid, &whole("end"), why);
    }
    for lint in run.end.iter().flat_map(|end| &end.lints) {
        let level = if lint.is_note() { "notice" } else { level_of(lint.verdict) };
        write_annotation(&mut text, level, &whole(&lint.name), lint.word(), &lint.text);
    }
    text
}

fn annotate(text: &mut String, verdict: Verdict, place: &str, message: &str) {
    write_annotation(text, level_of(verdict), place, verdict.word(), message);
}

fn level_of(verdict: Verdict) -> &'static str {
    if verdict == Verdict::Inconclusive { "warning" } else { "error" }
}

fn write_annotation(text: &mut String, level: &str, place: &str, word: &str, message: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "::{level} {place}::{word}: {}", data(message));
}

/// What a command's message may not hold, as the runner reads it back (actions/toolkit, `command.ts`).
fn data(text: &str) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    // What is left of them would reach the terminal of the reader of the log.
    printable(&text).into_owned()
}

/// The same for a property, which also ends at a comma or a colon.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
