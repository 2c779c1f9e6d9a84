//! GitHub workflow commands: each expectation that does not hold is annotated at its line of the scenario file.

use std::fmt::Write;

use record::Verdict;
use record::figures::{count, value};

use crate::story::Story;

/// One command a line; nothing where all is well. `file` is the scenario's path in the repository.
pub fn annotations(story: &Story, file: &str) -> String {
    let mut text = String::new();
    for check in story.checks.iter().filter(|check| check.verdict != Verdict::Pass) {
        let (why, line) = story.reason_of(check);
        let found = format!(
            "{}: {} where the limit is {} (n={}) {} {why}",
            check.text,
            value(check.value, &check.unit),
            value(check.limit, &check.unit),
            count(Some(check.n as f64)),
            check.reason
        );
        say(&mut text, check.verdict, &format!("file={},line={line}", property(file)), found.trim_end());
    }
    for lint in story.end.iter().flat_map(|end| &end.lints) {
        let place = format!("file={},title={}", property(file), property(&lint.name));
        say(&mut text, lint.verdict, &place, &lint.text);
    }
    text
}

fn say(text: &mut String, verdict: Verdict, place: &str, message: &str) {
    let level = if verdict == Verdict::Inconclusive { "warning" } else { "error" };
    // Writing to a string does not fail.
    let _ = writeln!(text, "::{level} {place}::{}: {}", verdict.word(), data(message));
}

/// What a command's message may not hold, as the runner reads it back (actions/toolkit, `command.ts`).
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The same for a property, which also ends at a comma or a colon.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
