//! What came of each scenario, as a table and as JSON.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use conductor::{RunError, RunOutcome};
use model::format::printable_lines;
use record::{Check, Entry, Kind, Lint, ReadError, Reader, Verdict};
use scorecard::exit_code;
use serde_json::{Value, json};

use crate::output::{self, EXIT_INTERRUPTED};
use crate::result_document;
use crate::run_files::RECORD_FILE;

/// The result of one scenario.
#[derive(Default)]
pub(super) struct ScenarioResult {
    pub(super) name: String,
    pub(super) seconds: u64,
    /// `None` where it was not tried.
    pub(super) exit_code: Option<u8>,
    pub(super) verdict: Option<Verdict>,
    pub(super) folder: String,
    pub(super) unmet: Unmet,
    pub(super) error: Option<String>,
    /// Why it was not tried.
    pub(super) skipped: Option<String>,
}

/// `hop-tax  pass          65s`, the name padded to a width.
pub(super) fn line(result: &ScenarioResult, width: usize) -> String {
    format!("{:width$}  {:12}  {:>4}s", result.name, verdict_of(result), result.seconds)
}

impl ScenarioResult {
    /// One that is not tried.
    pub(super) fn skipped(name: String, reason: String) -> Self {
        Self { name, skipped: Some(reason), ..Self::default() }
    }

    /// One that was tried for so many seconds.
    pub(super) fn of(name: String, seconds: u64, result: Result<RunOutcome, RunError>) -> Self {
        let mut scenario = Self { name, seconds, exit_code: Some(output::EXIT_USAGE), ..Self::default() };
        match result {
            Ok(outcome) => {
                scenario.exit_code = Some(outcome.exit_code);
                scenario.verdict = outcome.verdict;
                scenario.folder = outcome.folder.display().to_string();
                match unmet_checks(&outcome.folder.join(RECORD_FILE)) {
                    Ok(unmet) => scenario.unmet = unmet,
                    Err(error) => scenario.error = Some(output::error_chain(&error)),
                }
            }
            Err(error) => scenario.error = Some(output::error_chain(&error)),
        }
        scenario
    }
}

/// What of a record did not pass.
#[derive(Default)]
pub(super) struct Unmet {
    /// Names of its arms, by their letters.
    arms: BTreeMap<char, String>,
    checks: Vec<Check>,
    lints: Vec<Lint>,
}

/// Checks of a record that did not pass, and its lints.
fn unmet_checks(record: &Path) -> Result<Unmet, ReadError> {
    let mut unmet = Unmet::default();
    for line in Reader::open(record)?.only(&[Kind::Header, Kind::Check, Kind::End]) {
        match line?.entry {
            Entry::Header(header) => {
                unmet.arms = header.arms.into_iter().map(|arm| (arm.letter, arm.name)).collect();
            }
            Entry::Check(check) if check.verdict != Verdict::Pass => unmet.checks.push(check),
            Entry::End(end) => unmet.lints = end.lints,
            _ => {}
        }
    }
    Ok(unmet)
}

/// The exit code of all, the worst first: interrupted, not started, invalid, fail, inconclusive. Where every scenario was
/// skipped nothing was judged, and that is no pass.
pub(super) fn worst(results: &[ScenarioResult], interrupted: bool) -> u8 {
    if interrupted {
        return EXIT_INTERRUPTED;
    }
    if results.iter().all(|scenario| scenario.skipped.is_some()) {
        return exit_code(Verdict::Inconclusive);
    }
    let has = |code: u8| results.iter().any(|scenario| scenario.exit_code == Some(code));
    [output::EXIT_USAGE, 3, 1, 4].into_iter().find(|code| has(*code)).unwrap_or(0)
}

fn verdict_of(scenario: &ScenarioResult) -> &'static str {
    match scenario.verdict {
        Some(Verdict::Pass) => "pass",
        Some(Verdict::Fail) => "FAIL",
        Some(Verdict::Inconclusive) => "inconclusive",
        Some(Verdict::Invalid) => "INVALID",
        None if scenario.skipped.is_some() => "skipped",
        None if scenario.error.is_some() => "no run",
        None => "interrupted",
    }
}

pub(super) fn print_table(results: &[ScenarioResult]) -> std::io::Result<()> {
    output::stdout().write_all(table(results).as_bytes())
}

/// The table, whatever messages in it are made of: some are of servers and of programs that ended.
fn table(results: &[ScenarioResult]) -> String {
    let width = results.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    let mut text = String::from("\n");
    for one in results {
        text += &format!("{}\n", line(one, width));
        for check in &one.unmet.checks {
            let (value, _) = model::limit::value_and_limit(check);
            let arm = one.unmet.arms.get(&check.arm).map_or_else(String::new, |name| format!(" [{name}]"));
            let why = if check.reason.is_empty() { "" } else { &check.reason };
            text += &format!("{:width$}    {}{arm}: {value} {why}\n", "", check.text);
        }
        for (lint, more) in once_each(&one.unmet.lints) {
            let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
            text += &format!("{:width$}    {}, {}: {}{more}\n", "", lint.word(), lint.name, lint.text);
        }
        if let Some(error) = one.error.as_ref().or(one.skipped.as_ref()) {
            text += &format!("{:width$}    {error}\n", "");
        }
    }
    printable_lines(&text).into_owned()
}

/// The first lint of each name, and how many more there are of it: a run of 52 arms may have one for each.
fn once_each(lints: &[Lint]) -> Vec<(&Lint, usize)> {
    let mut once: Vec<(&Lint, usize)> = Vec::new();
    for lint in lints {
        match once.iter_mut().find(|(first, _)| first.name == lint.name) {
            Some((_, more)) => *more += 1,
            None => once.push((lint, 0)),
        }
    }
    once
}

pub(super) fn print_json(results: &[ScenarioResult], exit_code: u8) -> std::io::Result<()> {
    let mut out = output::stdout();
    serde_json::to_writer_pretty(&mut out, &document(results, exit_code))?;
    writeln!(out)
}

fn document(results: &[ScenarioResult], exit_code: u8) -> Value {
    let one = |scenario: &ScenarioResult| {
        json!({
            "scenario": scenario.name,
            "verdict": scenario.verdict,
            "exit_code": scenario.exit_code,
            "seconds": scenario.seconds,
            "run_dir": scenario.folder,
            "open": scenario.unmet.checks,
            "lints": scenario.unmet.lints,
            "error": scenario.error,
            "skipped": scenario.skipped,
        })
    };
    let runs: Vec<_> = results.iter().map(one).collect();
    json!({ "schema_version": result_document::SCHEMA_VERSION, "exit_code": exit_code, "runs": runs })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_skipped_fails_nothing_and_passes_nothing() {
        let skipped = || ScenarioResult::skipped("stores".into(), "no server".into());
        assert!(line(&skipped(), 8).starts_with("stores    skipped"));
        let ran = |code| ScenarioResult { exit_code: Some(code), ..ScenarioResult::default() };
        let with = |code| [skipped(), ran(code)];
        assert_eq!([0, 1, 2, 4].map(|code| worst(&with(code), false)), [0, 1, 2, 4], "that of what ran");
        assert_eq!(worst(&[skipped(), skipped()], false), 4, "nothing was judged");
        assert_eq!(worst(&[skipped()], true), EXIT_INTERRUPTED);
    }

    #[test]
    fn what_was_skipped_has_no_exit_code_of_its_own() {
        let ran = ScenarioResult {
            name: "hop-tax".into(),
            exit_code: Some(0),
            verdict: Some(Verdict::Pass),
            ..ScenarioResult::default()
        };
        let document = document(&[ScenarioResult::skipped("stores".into(), "no server".into()), ran], 0);
        assert_eq!(document["exit_code"], 0);
        let runs = document["runs"].as_array().expect("a list");
        assert_eq!((&runs[0]["exit_code"], &runs[0]["skipped"]), (&Value::Null, &json!("no server")));
        assert_eq!((&runs[1]["exit_code"], &runs[1]["skipped"]), (&json!(0), &Value::Null));
    }

    #[test]
    fn a_lint_of_many_arms_takes_one_line() {
        let lint = |name: &str, arm: &str| Lint {
            name: name.into(),
            verdict: Verdict::Invalid,
            text: format!("{arm}: nothing was offered"),
        };
        let lints =
            [lint("no_samples", "A"), lint("pace", "A"), lint("no_samples", "B"), lint("no_samples", "C")];
        assert_eq!(once_each(&lints), [(&lints[0], 2), (&lints[1], 0)]);
    }

    #[test]
    fn a_claim_that_two_arms_fail_names_each() {
        let check = |arm: char, value: f64| Check {
            id: 0,
            text: "hops <= 3".into(),
            arm,
            value: Some(value),
            interval: None,
            is_censored: false,
            limit: Some(3.0),
            unit: String::new(),
            margin: None,
            n: 100,
            verdict: Verdict::Fail,
            reason: String::new(),
            note: None,
            since_ns: None,
        };
        let failed = ScenarioResult {
            unmet: Unmet {
                arms: BTreeMap::from([('A', "mono".to_owned()), ('B', "micro".to_owned())]),
                checks: vec![check('A', 3.004), check('B', 4.0), check('-', 5.0)],
                lints: Vec::new(),
            },
            ..ScenarioResult::default()
        };
        let text = table(&[failed]);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("hops")).collect();
        assert_eq!(lines, ["hops <= 3 [mono]: 3.004", "hops <= 3 [micro]: 4", "hops <= 3: 5"]);
    }

    #[test]
    fn a_message_reaches_no_terminal_raw() {
        let error = Some("a\u{1b}[2J\n  because: b".to_owned());
        let failed = ScenarioResult { error, ..ScenarioResult::skipped("one".into(), String::new()) };
        assert!(table(&[failed]).ends_with("a\\u{1b}[2J\n  because: b\n"));
    }
}
