//! The scenario's expectations: what does not hold, and folded below it what does.

use model::Run;
use model::format::{count, load_clock, value};
use model::limit::value_and_limit;
use record::{Check, Verdict};
use scorecard::reason;

use super::{Column, Page, named, number, text};
use crate::compare::{CheckPair, Comparison};
use crate::escaped;

/// Claims that do not hold above the fold; what fails comes before what could not be judged.
const MAX_OPEN: usize = 4;

impl Page<'_> {
    pub(super) fn claims(&mut self) {
        if self.runs.iter().all(|run| run.checks().is_empty()) {
            return;
        }
        self.open("Claims");
        match self.comparison {
            None => self.claims_of_one(),
            Some(comparison) => self.claims_of_two(comparison),
        }
        self.close();
    }

    fn claims_of_one(&mut self) {
        let run = self.runs[0];
        let (held, all) = run.held();
        let (holding, mut open): (Vec<&Check>, Vec<&Check>) =
            run.checks().into_iter().partition(|check| check.verdict == Verdict::Pass);
        open.sort_by_key(|check| check.verdict != Verdict::Fail);
        self.write(format_args!("<p>{held} of {all} checks hold, premises of the run included.</p>"));
        let (first, rest) = open.split_at(open.len().min(MAX_OPEN));
        if !first.is_empty() {
            self.checks(run, first);
        }
        if !rest.is_empty() {
            self.fold(&format!("{} more that do not hold, or are not decided", rest.len()));
            self.checks(run, rest);
            self.end_fold();
        }
        if !holding.is_empty() {
            self.fold(&format!("{held} that hold"));
            self.checks(run, &holding);
            self.end_fold();
        }
    }

    fn checks(&mut self, run: &Run, checks: &[&Check]) {
        self.table(&[
            text("expectation"),
            text("arm"),
            number("value"),
            number("limit"),
            number("margin"),
            number("samples"),
            number("since"),
            text("verdict"),
        ]);
        for check in checks {
            let (why, line) = run.reason_of(check);
            let (found, limit) = value_and_limit(check);
            let arm = run.arm_name_of(check).map_or_else(String::new, |name| format!("{} {name}", check.arm));
            let advice = reason::advice(run, check);
            let parts: Vec<&str> =
                [why, advice.as_str()].into_iter().filter(|part| !part.is_empty()).collect();
            let why = if parts.is_empty() { String::new() } else { format!(": {}", parts.join("; ")) };
            self.write(format_args!(
                "<tr data-check=\"{} {}\"><th scope=\"row\"><code>{}</code><br><span class=\"quiet\">line {line}{}</span></th>\
                 <td class=\"text\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>{}</tr>",
                check.id,
                check.arm,
                escaped(&check.text),
                escaped(&why),
                escaped(&arm),
                escaped(&found),
                escaped(&limit),
                escaped(&value(check.margin, &check.unit)),
                count(Some(check.n as f64)),
                since(run, check),
                verdict_cell(run, check)
            ));
        }
        self.end_table();
    }

    fn claims_of_two(&mut self, comparison: &Comparison<'_>) {
        let checks = &comparison.checks;
        let verdict = |check: Option<&Check>| check.map(|check| check.verdict);
        let (same, changed): (Vec<&CheckPair<'_>>, Vec<&CheckPair<'_>>) =
            checks.iter().partition(|pair| verdict(pair.runs[0]) == verdict(pair.runs[1]));
        self.write(format_args!("<p>{} of {} claims stand as before.</p>", same.len(), checks.len()));
        let (first, rest) = changed.split_at(changed.len().min(MAX_OPEN));
        if !first.is_empty() {
            self.pairs(comparison.runs, first);
        }
        if !rest.is_empty() {
            self.fold(&format!("{} more that changed", rest.len()));
            self.pairs(comparison.runs, rest);
            self.end_fold();
        }
        if !same.is_empty() {
            self.fold(&format!("{} as before", same.len()));
            self.pairs(comparison.runs, &same);
            self.end_fold();
        }
    }

    fn pairs(&mut self, runs: [&Run; 2], checks: &[&CheckPair<'_>]) {
        self.table(&[
            text("expectation"),
            text("arm"),
            number("limit"),
            named("value", "before"),
            Column { name: "verdict before", ..text("verdict") },
            named("value", "after"),
            Column { name: "verdict after", ..text("verdict") },
        ]);
        for pair in checks {
            let mut limits: Vec<String> =
                pair.runs.iter().flatten().map(|check| value_and_limit(check).1).collect();
            limits.dedup();
            let side = |(run, check): (&Run, &Option<&Check>)| match check {
                None => "<td>-</td><td class=\"text quiet\">not asked</td>".to_owned(),
                Some(check) => {
                    format!("<td>{}</td>{}", escaped(&value_and_limit(check).0), verdict_cell(run, check))
                }
            };
            let sides: String = runs.into_iter().zip(&pair.runs).map(side).collect();
            self.row(
                &format!("<code>{}</code>", escaped(&pair.text)),
                &format!(
                    "<td class=\"text\">{}</td><td class=\"wide\">{}</td>{sides}",
                    escaped(&pair.arm),
                    escaped(&limits.join("; "))
                ),
            );
        }
        self.end_table();
    }
}

/// The verdict, why it is so, and what helps where it is no pass.
fn verdict_cell(run: &Run, check: &Check) -> String {
    let word = check.verdict.word();
    let parts = [check.reason.clone(), reason::advice(run, check)].into_iter();
    let reason: String = parts.filter(|part| !part.is_empty()).map(|part| format!("; {part}")).collect();
    format!("<td class=\"text long {word}\">{} {word}{}</td>", check.verdict.sign(), escaped(&reason))
}

/// From when an expectation is violated, on the load's clock as the charts have it.
fn since(run: &Run, check: &Check) -> String {
    check.since_ns.map_or_else(String::new, |ns| load_clock(ns, run.header.load_start_ns, 1))
}
