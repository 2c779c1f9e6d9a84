//! Why a run is not to be believed, or decides nothing: what happened, against which limit, and what helps. One sentence
//! each, the same in every view.

use model::Run;
use record::{Check, Lint, Note, Verdict};

use crate::answer::more_rounds;
use crate::lints::{self, NOT_JUDGED};

/// Where nothing better is known to help.
const REPORT: &str = "run it again";
/// What helps where samples are too few.
const MORE_SAMPLES: &str = "lengthen its phase or raise the rate";

/// Why the run is invalid or inconclusive, in one sentence that begins with that word; `None` of a run that passes, fails,
/// was interrupted or has no end.
pub fn sentence(run: &Run) -> Option<String> {
    let end = run.end.as_ref()?;
    let verdict =
        end.verdict.filter(|verdict| matches!(verdict, Verdict::Invalid | Verdict::Inconclusive))?;
    let mut weighty = end.lints.iter().filter(|lint| lint.verdict == verdict);
    let open = || run.checks().into_iter().filter(|check| check.verdict == verdict).collect::<Vec<_>>();
    let (first, more) = match weighty.next() {
        Some(lint) => (of_lint(run, lint), plural(weighty.count(), "reason")),
        None => {
            let open = open();
            let first = open.first().map(|check| of_check(run, check))?;
            (first, plural(open.len() - 1, "claim"))
        }
    };
    Some(format!("{}: {first}{more}", verdict.word()))
}

/// What a lint found, what is allowed, and what helps.
pub fn of_lint(run: &Run, lint: &Lint) -> String {
    let found = match premise(run, lint) {
        Some(check) => format!("`{}` does not hold, {}", check.text, run.finding_of(check)),
        None => lint.text.clone(),
    };
    let described = lints::find(&lint.name);
    let limit = described.map_or("", |of| of.limit);
    let limit = if limit.is_empty() { String::new() } else { format!(" (allowed: {limit})") };
    let help = described.map_or(REPORT, |of| of.help);
    format!("{found}{limit}; {help}")
}

/// What a claim that does not hold, or is not decided, found, and what helps.
pub fn of_check(run: &Run, check: &Check) -> String {
    let arm = run.arm_name_of(check).map_or_else(String::new, |name| format!(" in {name}"));
    let help = advice(run, check);
    let help = if help.is_empty() { String::new() } else { format!("; {help}") };
    format!("`{}`{arm}: {}{help}", check.text, run.finding_of(check))
}

/// What helps where a check does not pass; empty where it does.
pub fn advice(run: &Run, check: &Check) -> String {
    match check.verdict {
        Verdict::Pass => String::new(),
        Verdict::Fail | Verdict::Invalid => of_failed(run, check),
        Verdict::Inconclusive => of_open(run, check),
    }
}

/// The figure stands: what is left is to look at the moment, or to claim something else.
fn of_failed(run: &Run, check: &Check) -> String {
    let (_, line) = run.reason_of(check);
    let place = if line > 0 { format!("line {line} states the limit") } else { String::new() };
    let moment = check.since_ns.map(|ns| {
        let clock = model::format::load_clock(ns, run.load_start(), 1);
        format!("cleave replay {} shows what happened at {clock}", run.short_id())
    });
    let parts = [moment, Some(place).filter(|place| !place.is_empty())];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn of_open(run: &Run, check: &Check) -> String {
    if check.reason.starts_with(NOT_JUDGED) {
        return "run its arm: leave --arms out, or name it there".to_owned();
    }
    if let Some(lint) = doubt_of(run, check) {
        return lint.help.to_owned();
    }
    match check.note {
        Some(Note::TooFew | Note::TooFewToJudge | Note::TooClustered | Note::NotMeasured) => {
            MORE_SAMPLES.to_owned()
        }
        Some(Note::ShortWindow) => format!("lengthen its phase to 8 s or more, or {}", more_rounds(run)),
        Some(Note::Censored) => {
            "lengthen the phase after the fault or the deploy, or raise the timeout".to_owned()
        }
        _ if check.reason.contains("samples; it takes") => MORE_SAMPLES.to_owned(),
        _ => more_rounds(run),
    }
}

/// The lint that keeps a claim from being judged: its text begins with the reason of the claims that it touches.
fn doubt_of(run: &Run, check: &Check) -> Option<&'static lints::LintDescription> {
    let lints = &run.end.as_ref()?.lints;
    let is_its = |lint: &&Lint| !check.reason.is_empty() && lint.text.starts_with(&check.reason);
    lints.iter().find(is_its).and_then(|lint| lints::find(&lint.name))
}

/// The premise that a lint is about.
fn premise<'a>(run: &'a Run, lint: &Lint) -> Option<&'a Check> {
    let is_premise = |check: &&Check| {
        check.verdict == Verdict::Fail && lint.text.starts_with(&format!("`{}`", check.text))
    };
    run.checks().into_iter().filter(|_| lint.name == "valid").find(is_premise)
}

/// ` (and 2 more reasons)`.
fn plural(more: usize, what: &str) -> String {
    match more {
        0 => String::new(),
        1 => format!(" (and 1 more {what})"),
        _ => format!(" (and {more} more {what}s)"),
    }
}
