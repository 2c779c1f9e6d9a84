//! The scorecard, by claim, with a tab for each phase its rows come from; and the expectations.

use std::fmt::Write;

use model::format::{self, count, load_clock, value};
use model::limit::value_and_limit;
use model::score_rows::with_parts;
use model::{Run, sweep};
use record::{Check, Score};
use scorecard::glossary;

use super::{Column, Page, cells, named, number, text};
use crate::compare::{self, CheckPair, Row};
use crate::escaped;

/// Two runs, by their names.
const RUNS: [&str; 2] = ["run 1", "run 2"];

/// Phases the rows of some scorecards come from, in their order.
pub(super) fn windows(runs: &[&Run]) -> Vec<String> {
    let mut windows: Vec<String> = Vec::new();
    for score in runs.iter().flat_map(|run| run.scores()) {
        if !windows.contains(&score.window) {
            windows.push(score.window.clone());
        }
    }
    windows
}

/// The tab of a window.
fn tab_of(window: &str, windows: &[String]) -> usize {
    windows.iter().position(|one| one == window).unwrap_or(0)
}

/// Tabs without a script: a chosen one hides the rows of the others, and claims that have none left.
pub(super) fn tab_styles(windows: usize) -> String {
    (0..windows)
        .map(|tab| {
            format!(
                "#tab-{tab}:checked~table tr[data-w]:not([data-w=\"{tab}\"]),\
                 #tab-{tab}:checked~table tbody:not(:has([data-w=\"{tab}\"])){{display:none}}\n"
            )
        })
        .collect()
}

impl Page<'_> {
    pub(super) fn scorecard(&mut self) {
        if self.runs.iter().all(|run| run.scores().is_empty()) {
            return;
        }
        self.open("Scorecard");
        let windows = windows(&self.runs);
        if windows.len() > 1 && !(self.comparison.is_none() && self.runs[0].is_sweep()) {
            self.write(format_args!(
                "<input type=\"radio\" name=\"window\" id=\"tab-all\" checked><label for=\"tab-all\">all</label>"
            ));
            for (tab, window) in windows.iter().enumerate() {
                self.write(format_args!(
                    "<input type=\"radio\" name=\"window\" id=\"tab-{tab}\"><label for=\"tab-{tab}\">{}</label>",
                    escaped(window)
                ));
            }
        }
        match self.comparison {
            None if self.runs[0].is_sweep() => self.sweep(),
            None => self.scores_of_one(&windows),
            Some(comparison) => self.scores_of_two(comparison, &windows),
        }
        self.close();
    }

    /// A line for each of many arms.
    fn sweep(&mut self) {
        let run = self.runs[0];
        let mut columns = vec![text("arm"), text("pareto_front")];
        columns.extend(sweep::COLUMNS.map(number));
        self.table(&columns);
        for row in run.sweep_rows() {
            self.write(format_args!(
                "<tr><td>{} {}</td><td class=\"text\">{}</td>{}</tr>",
                row.arm.letter,
                escaped(&row.arm.name),
                if row.is_on_front { "* no other is better in everything" } else { "" },
                cells(&row.values)
            ));
        }
        self.end_table();
        self.quiet("The whole scorecard of so many arms is in the data of this page.");
    }

    fn scores_of_one(&mut self, windows: &[String]) {
        let run = self.runs[0];
        let names: Vec<String> = self.lanes.iter().map(|lane| lane.name.clone()).collect();
        let mut columns = vec![text("measure")];
        columns.extend(names.iter().map(|name| named("arm", name)));
        columns.extend([number("ratio"), number("samples"), text("finding")]);
        self.table(&columns);
        for (claim, scores) in run.scores_by_claim() {
            self.claim(claim, columns.len());
            for (score, parts) in with_parts(&scores) {
                self.score(score, windows);
                if !parts.is_empty() {
                    self.begin_parts(
                        &score.measure,
                        tab_of(&score.window, windows),
                        columns.len(),
                        parts.len(),
                    );
                    self.table(&columns);
                    parts.iter().for_each(|part| self.score(part, windows));
                    self.end_parts();
                }
            }
        }
        self.end_table();
        self.context_rows(run);
        self.write(format_args!(
            "<p class=\"quiet\">▲ B better, ▼ B worse: only where the finding is <q>differs</q>. [..] is the 95 % \
             interval of B against A. n is the smallest of the arms.</p>"
        ));
    }

    /// Claims have table bodies of their own, so that a tab can hide them.
    fn claim(&mut self, claim: &str, columns: usize) {
        self.write(format_args!("</tbody><tbody>"));
        self.group(claim, columns);
    }

    /// Begins the fold of a row's parts below it, which holds a table of their own. They are shown with its row.
    fn begin_parts(&mut self, total: &str, tab: usize, columns: usize, parts: usize) {
        let word = if parts == 1 { "part" } else { "parts" };
        self.write(format_args!(
            "<tr class=\"parts\" data-w=\"{tab}\"><td colspan=\"{columns}\"><details><summary>{}: {parts} {word}</summary>",
            escaped(total)
        ));
    }

    fn end_parts(&mut self) {
        self.end_table();
        self.write(format_args!("</details></td></tr>"));
    }

    fn context_rows(&mut self, run: &Run) {
        let mut remarks: Vec<String> = run.scores().into_iter().filter_map(format::remark).collect();
        remarks.dedup();
        for remark in remarks {
            self.quiet(&remark);
        }
    }

    fn score(&mut self, score: &Score, windows: &[String]) {
        let measured = |letter: char| score.arms.get(&letter).copied().unwrap_or_default();
        let mut row = self.label(&score.id, &score.measure, &score.window, windows, &score.notes);
        for lane in &self.lanes {
            let measured = measured(lane.letter);
            let _ = write!(
                row,
                "<td{}>{}</td>",
                interval_title(&measured, &score.unit),
                escaped(&format::measured(&measured, &score.unit))
            );
        }
        let (mark, class) = match model::outcome::is_b_better(score) {
            Some(true) => ("▲ ", "better"),
            Some(false) => ("▼ ", "worse"),
            None => ("", "quiet"),
        };
        let n = score.arms.values().map(|measured| measured.n).min().unwrap_or(0);
        self.write(format_args!(
            "{row}<td>{}</td><td>{}</td><td class=\"text {class}\">{mark}{}</td></tr>",
            escaped(&format::effect(score)),
            count(Some(n as f64)),
            escaped(&score.finding)
        ));
    }

    /// The beginning of a row: its tab, its term and its words.
    fn label(
        &mut self,
        id: &str,
        measure: &str,
        window: &str,
        windows: &[String],
        notes: &[String],
    ) -> String {
        let tab = tab_of(window, windows);
        let term = glossary::term_of(id);
        let meaning = term.map_or("", |term| term.meaning);
        self.terms.extend(term.map(|term| term.id));
        let shown = if window.is_empty() { measure.to_owned() } else { format!("{measure} ({window})") };
        let notes: String =
            notes.iter().map(|note| format!("<br><span class=\"quiet\">{}</span>", escaped(note))).collect();
        format!(
            "<tr data-w=\"{tab}\" data-score=\"{}\"><td title=\"{}\">{}{notes}</td>",
            escaped(id),
            escaped(meaning),
            escaped(&shown)
        )
    }

    fn scores_of_two(&mut self, comparison: &compare::Comparison<'_>, windows: &[String]) {
        let mut bands = vec![(named("measure", "\u{a0}"), 1)];
        let mut columns = vec![text("measure")];
        for arm in &comparison.arms {
            let before = columns.len();
            for (letter, name) in arm.letters.iter().zip(RUNS) {
                columns.extend(letter.map(|_| named("run", name)));
            }
            columns.extend(arm.letters.iter().all(Option::is_some).then_some(text("finding")));
            bands.push((named("arm", &arm.name), columns.len() - before));
        }
        columns.extend(RUNS.map(|run| named("run", run)));
        bands.push((number("ratio"), 2));
        self.table_in_bands(&bands, &columns);
        for rows in comparison.rows.chunk_by(|one, next| one.claim == next.claim) {
            self.claim(&rows[0].claim, columns.len());
            for (row, parts) in with_parts(rows) {
                self.row_of_two(row, windows);
                if !parts.is_empty() {
                    self.begin_parts(&row.measure, tab_of(&row.window, windows), columns.len(), parts.len());
                    self.table_in_bands(&bands, &columns);
                    parts.iter().for_each(|part| self.row_of_two(part, windows));
                    self.end_parts();
                }
            }
        }
        self.end_table();
        self.write(format_args!(
            "<p class=\"quiet\">▲ run 2 better, ▼ run 2 worse: only where the 95 % intervals of the two do not overlap. \
             Two runs of one seed still differ by what the machine did; <code>cleave noise</code> measures how much.</p>"
        ));
    }

    fn row_of_two(&mut self, row: &Row, windows: &[String]) {
        let mut line = self.label(&row.id, &row.measure, &row.window, windows, &[]);
        for pair in &row.arms {
            for measured in pair.runs.iter().flatten() {
                let _ = write!(
                    line,
                    "<td{}>{}</td>",
                    interval_title(measured, &row.unit),
                    escaped(&format::measured(measured, &row.unit))
                );
            }
            if pair.runs.iter().all(Option::is_some) {
                let (mark, class) = mark(pair.is_second_better);
                let _ = write!(line, "<td class=\"text tight {class}\">{mark}{}</td>", escaped(pair.finding));
            }
        }
        self.write(format_args!(
            "{line}<td class=\"tight\">{}</td><td class=\"tight\">{}</td></tr>",
            escaped(&row.ratios[0]),
            escaped(&row.ratios[1])
        ));
    }

    pub(super) fn expectations(&mut self) {
        if self.runs.iter().all(|run| run.checks().is_empty()) {
            return;
        }
        self.open("Expectations");
        match self.comparison {
            None => self.checks_of_one(),
            Some(comparison) => self.checks_of_two(&comparison.checks),
        }
        self.end_table();
        self.close();
    }

    fn checks_of_one(&mut self) {
        let run = self.runs[0];
        self.table(&[
            text("expectation"),
            text("arm"),
            number("value"),
            number("limit"),
            number("margin"),
            number("samples"),
            text("verdict"),
            number("since"),
        ]);
        for check in run.checks() {
            let (why, line) = run.reason_of(check);
            let (found, limit) = value_and_limit(check);
            self.write(format_args!(
                "<tr data-check=\"{} {}\"><td><code>{}</code><br><span class=\"quiet\">line {line}{}</span></td>\
                 <td class=\"text\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>{}<td>{}</td></tr>",
                check.id,
                check.arm,
                escaped(&check.text),
                escaped(&if why.is_empty() { String::new() } else { format!(": {why}") }),
                check.arm,
                escaped(&found),
                escaped(&limit),
                escaped(&value(check.margin, &check.unit)),
                count(Some(check.n as f64)),
                verdict_cell(check),
                since(run, check)
            ));
        }
    }

    fn checks_of_two(&mut self, checks: &[CheckPair<'_>]) {
        self.table(&[
            text("expectation"),
            text("arm"),
            number("limit"),
            named("value", "value, run 1"),
            named("margin", "margin, run 1"),
            Column { name: "verdict, run 1", ..text("verdict") },
            named("value", "value, run 2"),
            named("margin", "margin, run 2"),
            Column { name: "verdict, run 2", ..text("verdict") },
        ]);
        for pair in checks {
            let limits: Vec<String> =
                pair.runs.iter().flatten().map(|check| value_and_limit(check).1).collect();
            let limit = if limits.iter().all(|limit| *limit == limits[0]) {
                limits[0].clone()
            } else {
                limits.join("; ")
            };
            let mut cells = String::new();
            for check in &pair.runs {
                match check {
                    None => cells.push_str("<td>-</td><td>-</td><td class=\"text quiet\">not asked</td>"),
                    Some(check) => {
                        let _ = write!(
                            cells,
                            "<td>{}</td><td>{}</td>{}",
                            escaped(&value_and_limit(check).0),
                            escaped(&value(check.margin, &check.unit)),
                            verdict_cell(check)
                        );
                    }
                }
            }
            self.write(format_args!(
                "<tr><td><code>{}</code></td><td class=\"text\">{}</td><td>{}</td>{cells}</tr>",
                escaped(&pair.text),
                escaped(&pair.arm),
                escaped(&limit)
            ));
        }
    }
}

fn verdict_cell(check: &Check) -> String {
    let word = check.verdict.word();
    let reason = if check.reason.is_empty() { String::new() } else { format!("; {}", check.reason) };
    format!("<td class=\"text {word}\">{} {word}{}</td>", check.verdict.sign(), escaped(&reason))
}

/// From when an expectation is violated, on the load's clock as the charts have it.
fn since(run: &Run, check: &Check) -> String {
    check.since_ns.map_or_else(String::new, |ns| load_clock(ns, run.header.load_start_ns, 1))
}

/// `▲ ` where the second is better.
pub(super) fn mark(is_better: Option<bool>) -> (&'static str, &'static str) {
    match is_better {
        Some(true) => ("▲ ", "better"),
        Some(false) => ("▼ ", "worse"),
        None => ("", "quiet"),
    }
}

/// A figure's interval, shown at the pointer.
fn interval_title(measured: &record::Measured, unit: &str) -> String {
    if measured.value.is_none() && measured.interval.is_none() {
        return String::new();
    }
    let text = format!("{}, n {}", format::interval_words(measured, unit), count(Some(measured.n as f64)));
    format!(" title=\"{}\"", escaped(&text))
}
