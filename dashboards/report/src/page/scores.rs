//! The scorecard of a run: the rows that matter of each claim, and folded below them all rows, with a tab for each phase.

use std::fmt::Write;

use model::contrasts::against_base;
use model::format::{self, count};
use model::outcome::samples_of;
use model::score_rows::with_parts;
use model::sweep::FrontPlace;
use model::{Run, sweep};
use record::{Measured, Score};
use scorecard::figure::figure;
use scorecard::glossary;
use scorecard::headlines::{Headline, headlines};

use super::{Column, Page, cells, mark, named, number, text};
use crate::escaped;

/// With more arms than this each has a line of its own below the row's name.
const MAX_COLUMNS: usize = 3;
/// Rows of a claim above the fold at most; fewer where each arm takes a line.
const MAX_HEADLINES: usize = 6;
const MAX_LONG_HEADLINES: usize = 3;

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
pub(super) fn tab_of(window: &str, windows: &[String]) -> usize {
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

/// Rows of a claim that stand above the fold: the weightiest, in the order of the scorecard.
fn above_the_fold(rows: Vec<Headline<'_>>, most: usize) -> Vec<&Score> {
    let mut ranks: Vec<usize> = rows.iter().map(|row| row.rank).collect();
    ranks.sort_unstable();
    let last = ranks.get(most.saturating_sub(1)).copied().unwrap_or(usize::MAX);
    rows.into_iter().filter(|row| row.rank <= last).take(most).map(|row| row.score).collect()
}

impl Page<'_> {
    pub(super) fn scorecard(&mut self) {
        if self.runs.iter().all(|run| run.scores().is_empty()) {
            return;
        }
        self.open("Scorecard");
        match self.comparison {
            None if self.runs[0].is_sweep() => self.sweep(),
            None => self.scores_of_one(),
            Some(comparison) => self.changes(comparison),
        }
        self.close();
    }

    /// The tabs of a table that follows.
    pub(super) fn tabs(&mut self, windows: &[String]) {
        if windows.len() < 2 {
            return;
        }
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

    /// A line for each of many arms.
    fn sweep(&mut self) {
        let run = self.runs[0];
        let mut columns = vec![text("arm"), text("pareto_front")];
        columns.extend(sweep::COLUMNS.map(number));
        self.table(&columns);
        for row in run.sweep_rows() {
            self.row(
                &format!("{} {}", row.arm.letter, escaped(&row.arm.name)),
                &format!(
                    "<td class=\"text\">{}</td>{}",
                    match row.place {
                        Some(FrontPlace::On) => "* no other is better in everything",
                        Some(FrontPlace::Tied) => "~ tied: not decided",
                        Some(FrontPlace::Off) | None => "",
                    },
                    cells(&row.values)
                ),
            );
        }
        self.end_table();
        self.quiet("The whole scorecard of so many arms is in the data of this page.");
    }

    fn scores_of_one(&mut self) {
        let run = self.runs[0];
        let windows = windows(&self.runs);
        let by_claim = run.scores_by_claim();
        let most = if self.lanes.len() > MAX_COLUMNS { MAX_LONG_HEADLINES } else { MAX_HEADLINES };
        let above: Vec<(&str, Vec<&Score>)> =
            headlines(run).into_iter().map(|(claim, rows)| (claim, above_the_fold(rows, most))).collect();
        let shown: usize = above.iter().map(|(_, scores)| scores.len()).sum();
        let all = run.scores().len();
        self.write(format_args!(
            "<p class=\"quiet\">▲ better than {0}, ▼ worse: only where the finding is <q>differs</q>. [..] is the 95 % \
             interval of an arm against {0}.</p>",
            escaped(run.base().map_or("", |arm| arm.name.as_str()))
        ));
        if shown > 0 && shown < all {
            self.rows(&above, None);
            self.fold(&format!("all {all} rows, by phase, with samples and parts"));
            self.tabs(&windows);
            self.rows(&by_claim, Some(&windows));
            self.context_rows(run);
            self.end_fold();
        } else {
            self.tabs(&windows);
            self.rows(&by_claim, Some(&windows));
            self.context_rows(run);
        }
    }

    /// A table of rows by claim. Tabs and parts are those of the whole scorecard, which has `windows`.
    fn rows(&mut self, by_claim: &[(&str, Vec<&Score>)], windows: Option<&[String]>) {
        let names: Vec<String> = self.lanes.iter().map(|lane| lane.name.clone()).collect();
        let against: Vec<String> = self.against();
        let is_long = names.len() > MAX_COLUMNS;
        let mut columns = vec![text("measure")];
        if is_long {
            let against = Column { term: "ratio", name: "against the base arm", is_text: true };
            columns.extend([named("measure", "value"), against, number("samples")]);
        } else {
            columns.extend(names.iter().map(|name| named("arm", name)));
            columns.extend(against.iter().map(|name| Column { term: "ratio", name, is_text: true }));
            columns.extend(windows.map(|_| number("samples")));
        }
        self.table(&columns);
        let tab = |score: &Score| windows.map_or(0, |windows| tab_of(&score.window, windows));
        for (claim, scores) in by_claim.iter().filter(|(_, scores)| !scores.is_empty()) {
            self.claim(claim, columns.len());
            let Some(windows) = windows else {
                scores.iter().for_each(|score| self.score(score, 0, is_long, false));
                continue;
            };
            for (score, parts) in with_parts(scores) {
                self.score(score, tab(score), is_long, true);
                if !parts.is_empty() {
                    let tab = tab_of(&score.window, windows);
                    self.begin_parts(&score.measure, tab, columns.len(), parts.len());
                    self.table(&columns);
                    parts.iter().for_each(|part| self.score(part, tab, is_long, true));
                    self.end_parts();
                }
            }
        }
        self.end_table();
    }

    /// `B against A`, for each arm but the base arm.
    fn against(&self) -> Vec<String> {
        let run = self.runs[0];
        let Some(base) = run.base() else { return Vec::new() };
        run.others().into_iter().map(|arm| format!("{} against {}", arm.letter, base.letter)).collect()
    }

    /// Claims have table bodies of their own, so that a tab can hide them.
    pub(super) fn claim(&mut self, claim: &str, columns: usize) {
        self.write(format_args!("</tbody><tbody>"));
        self.group(claim, columns);
    }

    /// Begins the fold of a row's parts below it, which holds a table of their own. They are shown with its row.
    pub(super) fn begin_parts(&mut self, total: &str, tab: usize, columns: usize, parts: usize) {
        let word = if parts == 1 { "part" } else { "parts" };
        self.write(format_args!(
            "<tr class=\"parts\" data-w=\"{tab}\"><td colspan=\"{columns}\"><details><summary>{}: {parts} {word}</summary>",
            escaped(total)
        ));
    }

    pub(super) fn end_parts(&mut self) {
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

    /// A row: beside each other the arms and what sets them apart, or a line for each arm.
    fn score(&mut self, score: &Score, tab: usize, is_long: bool, has_samples: bool) {
        let label = self.label(&score.id, &score.measure, &score.window, &score.notes);
        let measured = |letter: char| score.arms.get(&letter).copied().unwrap_or_default();
        let attributes = format!("data-w=\"{tab}\" data-score=\"{}\"", escaped(&score.id));
        let letters: Vec<char> = self.lanes.iter().map(|lane| lane.letter).collect();
        if is_long {
            self.write(format_args!(
                "<tr {attributes} class=\"name\"><th scope=\"rowgroup\" colspan=\"4\"{label}</th></tr>"
            ));
            for (lane, letter) in letters.iter().enumerate() {
                let measured = measured(*letter);
                let name = escaped(&self.lanes[lane].name);
                self.write(format_args!(
                    "<tr data-w=\"{tab}\"><th scope=\"row\" class=\"arm\">{name}</th>{}{}<td>{}</td></tr>",
                    value_cell(&figure(self.lanes[lane].run, score, *letter), &measured, &score.unit),
                    contrast_cell(score, *letter),
                    count(Some(measured.n as f64))
                ));
            }
            return;
        }
        let mut row = format!("<tr {attributes}><th scope=\"row\"{label}</th>");
        for letter in &letters {
            let text = figure(self.runs[0], score, *letter);
            row += &value_cell(&text, &measured(*letter), &score.unit);
        }
        for arm in self.runs[0].others() {
            row += &contrast_cell(score, arm.letter);
        }
        if has_samples {
            let _ = write!(row, "<td>{}</td>", count(samples_of(score).map(|n| n as f64)));
        }
        self.write(format_args!("{row}</tr>"));
    }

    /// The rest of a row's head from its title on: its words, and what is to be known of it besides.
    pub(super) fn label(&mut self, id: &str, measure: &str, window: &str, notes: &[String]) -> String {
        let term = glossary::term_of(id);
        let meaning = term.map_or("", |term| term.meaning);
        self.terms.extend(term.map(|term| term.id));
        let window = if window.is_empty() {
            String::new()
        } else {
            format!(" <span class=\"quiet\">({})</span>", escaped(window))
        };
        let notes: String =
            notes.iter().map(|note| format!("<br><span class=\"quiet\">{}</span>", escaped(note))).collect();
        format!(" title=\"{}\">{}{window}{notes}", escaped(meaning), escaped(measure))
    }
}

/// A figure in words; its interval is shown at the pointer.
pub(super) fn value_cell(figure: &str, measured: &Measured, unit: &str) -> String {
    let title = if measured.value.is_none() && measured.interval.is_none() {
        String::new()
    } else {
        let text =
            format!("{}, n {}", format::interval_words(measured, unit), count(Some(measured.n as f64)));
        format!(" title=\"{}\"", escaped(&text))
    };
    format!("<td{title}>{}</td>", escaped(figure))
}

/// An arm against the base arm, and what is concluded.
fn contrast_cell(score: &Score, letter: char) -> String {
    let of = against_base(score, letter);
    let (mark, class) = mark(of.is_better);
    format!(
        "<td class=\"text contrast\">{} <span class=\"{class}\">{mark}{}</span></td>",
        escaped(&of.effect),
        escaped(&of.finding)
    )
}
