//! The scorecard of two runs: for each row a line of each arm, and one of each arm against the base arm. What is marked
//! stands above the fold.

use model::score_rows::with_parts;

use super::scores::{tab_of, value_cell, windows};
use super::{Page, mark, named, text};
use crate::compare::{Comparison, NAMES, Row};
use crate::escaped;

impl Page<'_> {
    pub(super) fn changes(&mut self, comparison: &Comparison<'_>) {
        self.write(format_args!(
            "<p class=\"quiet\">▲ better after, ▼ worse. Marked is what sets the arms of a run apart, where the 95 % intervals of \
             the two runs are further apart than the row's margin, and shares and counts, where theirs do not overlap. \
             Times, rates and bytes of one pair of runs are <q>not judged</q>: they differ by what the machine did, and \
             <code>cleave noise</code> measures how much. Nor is what a run has no finding of its own for.</p>"
        ));
        let marked: Vec<&Row> =
            comparison.rows.iter().filter(|row| row.marked(&comparison.arms).next().is_some()).collect();
        let windows = windows(&self.runs);
        if marked.is_empty() {
            self.write(format_args!("<p>No row is marked.</p>"));
        } else {
            self.change_rows(comparison, &marked, None);
        }
        self.fold(&format!("all {} rows, by phase", comparison.rows.len()));
        self.tabs(&windows);
        let all: Vec<&Row> = comparison.rows.iter().collect();
        self.change_rows(comparison, &all, Some(&windows));
        self.end_fold();
    }

    fn change_rows(&mut self, comparison: &Comparison<'_>, rows: &[&Row], windows: Option<&[String]>) {
        let columns = [text("measure"), named("run", NAMES[0]), named("run", NAMES[1]), text("finding")];
        self.table(&columns);
        for of_claim in rows.chunk_by(|one, next| one.claim == next.claim) {
            self.claim(&of_claim[0].claim, columns.len());
            let Some(windows) = windows else {
                of_claim.iter().for_each(|row| self.change(comparison, row, 0));
                continue;
            };
            for (row, parts) in with_parts(of_claim) {
                let tab = tab_of(&row.window, windows);
                self.change(comparison, row, tab);
                if !parts.is_empty() {
                    self.begin_parts(&row.measure, tab, columns.len(), parts.len());
                    self.table(&columns);
                    parts.iter().for_each(|part| self.change(comparison, part, tab));
                    self.end_parts();
                }
            }
        }
        self.end_table();
    }

    fn change(&mut self, comparison: &Comparison<'_>, row: &Row, tab: usize) {
        let label = self.label(&row.id, &row.measure, &row.window, &[]);
        self.write(format_args!(
            "<tr data-w=\"{tab}\" data-score=\"{}\" class=\"name\"><th scope=\"rowgroup\" colspan=\"4\"{label}</th></tr>",
            escaped(&row.id)
        ));
        for (arm, pair) in comparison.arms.iter().zip(&row.arms) {
            let cells: String = pair
                .runs
                .iter()
                .zip(&pair.texts)
                .map(|(run, text)| match run {
                    Some(run) => value_cell(text, run, &row.unit),
                    None => format!("<td>{text}</td>"),
                })
                .collect();
            self.line(&arm.name, &cells, pair.finding, pair.is_after_better, tab);
        }
        for pair in &row.contrasts {
            let cells: String =
                pair.runs.iter().map(|run| format!("<td class=\"wide\">{}</td>", escaped(run))).collect();
            self.line(&pair.name, &cells, pair.finding, pair.is_after_better, tab);
        }
    }

    fn line(&mut self, name: &str, cells: &str, finding: &str, is_better: Option<bool>, tab: usize) {
        let (mark, class) = mark(is_better);
        self.write(format_args!(
            "<tr data-w=\"{tab}\"><th scope=\"row\" class=\"arm\">{}</th>{cells}<td class=\"text {class}\">{mark}{finding}</td></tr>",
            escaped(name)
        ));
    }
}
