//! The head of a page: how a run turned out, what it comes to, and what makes it hard to believe.

use super::{Page, text};
use crate::compare::{Comparison, NAMES, Row, Side};
use crate::escaped;
use model::Run;
use model::date::CivilTime;
use record::Lint;
use scorecard::reason;

/// Changes named at the head of a page of two runs.
const MAX_CHANGES: usize = 8;
/// Doubts and notes of a run above the fold.
const MAX_DOUBTS: usize = 3;

impl Page<'_> {
    pub(super) fn answer(&mut self) {
        self.sections.push("Answer");
        self.write(format_args!("<header id=\"answer\">"));
        match self.comparison {
            None => self.outcome(self.runs[0]),
            Some(comparison) => self.outcomes(comparison),
        }
        self.write(format_args!("</header>"));
    }

    /// Of one run.
    fn outcome(&mut self, run: &Run) {
        let header = &run.header;
        let (word, words) = (run.verdict(), run.verdict_words());
        self.write(format_args!(
            "<h1><span class=\"verdict {word}\">{words}</span> {}</h1><p>{}</p>",
            escaped(&header.scenario),
            escaped(&header.title)
        ));
        self.mark(run, "");
        self.doubts(run, "");
        let answer = scorecard::answer::answer(run);
        if !answer.is_empty() {
            let items: String = answer.iter().map(|line| item(line)).collect();
            self.write(format_args!("<ul class=\"answer\">{items}</ul>"));
        }
        let predicted = run.prediction_lines();
        if !predicted.is_empty() {
            let items: String = predicted.iter().map(|line| item(line)).collect();
            self.write(format_args!("<h2>Predicted and measured</h2><ul class=\"answer\">{items}</ul>"));
        }
        let rounds = if header.rounds > 1 { format!(" in {} rounds", header.rounds) } else { String::new() };
        let peak = run.peak_pss_mib();
        let peak = peak.map_or_else(String::new, |mib| format!(", at most {mib:.0} MiB"));
        self.quiet(&format!(
            "Seed {}, {}{rounds}, run {} of {}, Cleave {}, on {} x {}, Linux {}{peak}.",
            header.seed,
            header.way,
            header.run_id,
            CivilTime::of_wall_us(header.wall_us).to_the_minute(),
            header.version,
            header.machine.cores,
            header.machine.cpu,
            header.machine.kernel
        ));
        self.write(format_args!(
            "<details><summary>why this scenario</summary><p class=\"quiet\">{}</p></details>",
            escaped(&header.why)
        ));
    }

    /// Of two runs: which they are, what else is different, and what changed.
    fn outcomes(&mut self, comparison: &Comparison<'_>) {
        let after = comparison.runs[1];
        self.write(format_args!(
            "<h1>{}: before and after</h1><p>{}</p>",
            escaped(&after.header.scenario),
            escaped(&after.header.title)
        ));
        for (run, name) in comparison.runs.into_iter().zip(NAMES) {
            self.mark(run, &format!("{name}: "));
            self.doubts(run, &format!("{name}: "));
        }
        for warning in &comparison.warnings {
            self.write(format_args!("<p class=\"invalid\">! {}</p>", escaped(warning)));
        }
        if comparison.warnings.is_empty() {
            self.quiet("Both runs have the same scenario, seed, schedule, machine and version.");
        }
        self.sides(comparison);
        let changes = changes(comparison);
        let all = changes.len();
        let items: String = changes.into_iter().take(MAX_CHANGES).collect();
        if all == 0 {
            self.write(format_args!("<p>No figure of the scorecard is marked as changed.</p>"));
        } else {
            self.write(format_args!("<ul class=\"answer\">{items}</ul>"));
            if all > MAX_CHANGES {
                self.quiet(&format!("{} more are marked in the scorecard.", all - MAX_CHANGES));
            }
        }
    }

    fn sides(&mut self, comparison: &Comparison<'_>) {
        self.table(&[
            text("run"),
            text("verdict"),
            super::Column { name: "commit", ..text("run") },
            super::Column { name: "date", ..text("run") },
            super::Column { name: "machine", ..text("run") },
        ]);
        for (run, name) in comparison.runs.into_iter().zip(NAMES) {
            let Side { commit, date, machine, run: id } = Side::of(run);
            let (word, words) = (run.verdict(), run.verdict_words());
            let cells =
                [commit, date, machine].map(|cell| format!("<td class=\"text\">{}</td>", escaped(&cell)));
            self.row(
                &format!("{name}<br><span class=\"quiet\">{}</span>", escaped(&id)),
                &format!("<td class=\"text {word}\">{words}</td>{}", cells.concat()),
            );
        }
        self.end_table();
    }

    /// What stands behind a simulated run; nothing of a live one.
    fn mark(&mut self, run: &Run, name: &str) {
        for text in run.mark().into_iter().chain(run.prediction_limits()) {
            self.write(format_args!("<p class=\"inconclusive\">~ {name}{}</p>", escaped(&text)));
        }
    }

    /// Reasons not to believe a run, and notes.
    fn doubts(&mut self, run: &Run, name: &str) {
        let Some(end) = &run.end else {
            self.write(format_args!(
                "<p class=\"invalid\">! {name}invalid: the record has no end; the run was cut short.</p>"
            ));
            return;
        };
        let sentence = reason::sentence(run).unwrap_or_default();
        if let Some(verdict) = end.verdict.filter(|_| !sentence.is_empty()) {
            let (word, sign) = (verdict.word(), verdict.sign());
            self.write(format_args!("<p class=\"{word}\">{sign} {name}{}</p>", escaped(&sentence)));
        }
        let mut lines: Vec<String> = Vec::new();
        // Doubts before notes, and each once: arms may have the same, and the sentence has the first.
        let (notes, doubts): (Vec<&Lint>, Vec<&Lint>) = end.lints.iter().partition(|lint| lint.is_note());
        for lint in doubts.into_iter().chain(notes) {
            let text = if lint.is_note() { lint.text.clone() } else { reason::of_lint(run, lint) };
            if sentence.contains(&text) {
                continue;
            }
            let word = lint.word();
            let class = if lint.is_note() { "quiet" } else { word };
            let line = format!(
                "<p class=\"{class}\">{} {name}{word}, {}: {}</p>",
                lint.sign(),
                escaped(&lint.name),
                escaped(&text)
            );
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let rest = lines.split_off(lines.len().min(MAX_DOUBTS));
        lines.iter().for_each(|line| self.write(format_args!("{line}")));
        if !rest.is_empty() {
            self.fold(&format!("{name}{} more to know before its figures are used", rest.len()));
            rest.iter().for_each(|line| self.write(format_args!("{line}")));
            self.end_fold();
        }
        for (is_so, text) in [
            (
                end.generator_saturated && !end.lints.iter().any(|lint| lint.name == "generator_lag"),
                "the generator fell behind: its figures are void",
            ),
            (
                end.noisy && !end.lints.iter().any(|lint| lint.name == "noisy"),
                "the machine was busy: processes waited for a CPU half of the time",
            ),
        ] {
            if is_so {
                self.write(format_args!("<p class=\"inconclusive\">~ {name}{text}</p>"));
            }
        }
        if end.dropped_updates > 0 {
            self.quiet(&format!("{name}views missed {} updates; the record has them.", end.dropped_updates));
        }
    }
}

/// A line of an answer, what it is about in bold.
fn item(line: &str) -> String {
    match line.split_once(": ") {
        Some((head, rest)) => format!("<li><b>{}</b>: {}</li>", escaped(head), escaped(rest)),
        None => format!("<li>{}</li>", escaped(line)),
    }
}

/// Every marked change: `▼ worse: p50 of all journeys (steady), micro against mono: ×1.34 before, ×1.60 after`.
fn changes(comparison: &Comparison<'_>) -> Vec<String> {
    let of_row = |row: &Row| {
        let window = if row.window.is_empty() { String::new() } else { format!(" ({})", row.window) };
        let label = format!("{}{window}", row.measure);
        let marked = row.marked(&comparison.arms).map(|(name, is_better)| {
            let (mark, class) = super::mark(Some(is_better));
            let word = if is_better { "better" } else { "worse" };
            let shown = row.shown(&comparison.arms, name);
            format!(
                "<li><b class=\"{class}\">{mark}{word}</b>: {}, {}: {}</li>",
                escaped(&label),
                escaped(name),
                escaped(&shown)
            )
        });
        marked.collect::<Vec<_>>()
    };
    comparison.rows.iter().flat_map(of_row).collect()
}

#[cfg(test)]
mod tests {
    use super::item;

    #[test]
    fn what_a_line_is_about_is_bold() {
        assert_eq!(item("it costs: p50 < 1: 2"), "<li><b>it costs</b>: p50 &lt; 1: 2</li>");
        assert_eq!(item("nothing"), "<li>nothing</li>");
    }
}
