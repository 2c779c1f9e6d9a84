//! What a run ends with: the answer, the claims that do not hold or are not decided with what helps, the headline rows.

use std::io::{self, Write};

use record::{Lint, Verdict};
use scorecard::ladder::ladders;
use scorecard::lints::{self, Effect};
use scorecard::{answer, reason};

use super::{Card, Tone, headlines, ladder};
use crate::sweep;
use crate::text::{width, wrap};

/// Lines of the verdict and the answer together.
const ANSWER_LINES: usize = 6;
/// Lines of the scorecard.
const CARD_LINES: usize = 40;

impl<W: Write> Card<'_, W> {
    pub(super) fn folded(&mut self) -> io::Result<()> {
        let (tone, lead, text) = self.first_line();
        self.wrapped(&lead, tone, &text)?;
        self.mark()?;
        let is_invalid = self.run.end.as_ref().is_some_and(|end| end.verdict == Some(Verdict::Invalid));
        let sentence = reason::sentence(self.run).unwrap_or_default();
        // The figures of an invalid run are no answer: why comes first.
        if is_invalid {
            self.wrapped(&format!("{} ", Verdict::Invalid.sign()), Tone::Doubt, &sentence)?;
        }
        self.short_answer()?;
        self.predicted()?;
        self.open_claims(&sentence, is_invalid)?;
        if self.run.is_sweep() {
            return sweep::print(self.out, self.run, self.width);
        }
        self.headline_rows()
    }

    /// `PASS  `, and `first-look: micro against one copy of mono, on loopback, side by side`.
    fn first_line(&self) -> (Tone, String, String) {
        let (tone, verdict) = self.verdict_word();
        let scenario = &self.run.header.scenario;
        let text = match answer::subject(self.run) {
            Some(subject) => format!("{scenario}: {subject}"),
            None => scenario.clone(),
        };
        (tone, format!("{verdict}  "), text)
    }

    fn short_answer(&mut self) -> io::Result<()> {
        let (_, lead, text) = self.first_line();
        let first = wrap(&text, self.width.saturating_sub(width(&lead))).len();
        let room = self.width;
        let rows = |line: &str| wrap(line, room).len();
        for line in answer::in_short(self.run, ANSWER_LINES.saturating_sub(first), &rows) {
            self.wrapped("", Tone::Plain, &line)?;
        }
        Ok(())
    }

    /// Claims that do not hold or are not decided, each with its reason and what helps; then what else limits the run. What
    /// the sentence has is not repeated.
    fn open_claims(&mut self, sentence: &str, is_printed: bool) -> io::Result<()> {
        let run = self.run;
        let (held, all) = run.held();
        if all > 0 {
            self.title(&format!("{held} of {all} checks hold"))?;
        } else {
            writeln!(self.out)?;
        }
        if !sentence.is_empty() && !is_printed {
            self.wrapped(&format!("{} ", Verdict::Inconclusive.sign()), Tone::Doubt, sentence)?;
        }
        for check in run.checks().into_iter().filter(|check| check.verdict != Verdict::Pass) {
            let text = reason::of_check(run, check);
            if !sentence.contains(&text) {
                self.wrapped(&format!("{} ", check.verdict.sign()), Tone::of(check.verdict), &text)?;
            }
        }
        let (notes, weighty): (Vec<&Lint>, Vec<&Lint>) =
            run.end.iter().flat_map(|end| &end.lints).partition(|lint| lint.is_note());
        let mut explained: Vec<&str> = Vec::new();
        for lint in weighty {
            let text = reason::of_lint(run, lint);
            // Claims have the reasons of the lints that touch them.
            let is_of_claims = lints::find(&lint.name).is_some_and(|of| of.effect == Effect::Claims);
            if !is_of_claims && !sentence.contains(&text) {
                // The limit and what helps stand once.
                let text = if explained.contains(&lint.name.as_str()) { &lint.text } else { &text };
                let text = format!("{}: {text}", lint.word());
                self.wrapped(&format!("{} ", lint.sign()), Tone::of(lint.verdict), &text)?;
            }
            explained.push(&lint.name);
        }
        if !notes.is_empty() {
            let names: Vec<&str> = notes.iter().map(|lint| lint.name.as_str()).collect();
            self.wrapped("~ ", Tone::Quiet, &format!("notes: {}", names.join(", ")))?;
        }
        Ok(())
    }

    fn headline_rows(&mut self) -> io::Result<()> {
        let run = self.run;
        let tables: Vec<Vec<String>> =
            ladders(run).iter().map(|search| ladder::lines(run, search, self.width)).collect();
        let of_tables: usize = tables.iter().map(|lines| lines.len() + 1).sum();
        let (lines, folded) = headlines::lines(run, self.width, CARD_LINES.saturating_sub(of_tables));
        for lines in tables {
            writeln!(self.out)?;
            self.ladder(&lines)?;
        }
        if lines.is_empty() {
            return Ok(());
        }
        writeln!(self.out)?;
        for pieces in lines {
            let line: String = pieces.iter().map(|(tone, text)| self.painted(*tone, text)).collect();
            writeln!(self.out, "{}", line.trim_end())?;
        }
        if folded > 0 {
            let unfold = format!("cleave report {} --output text --full", self.run.short_id());
            self.wrapped("", Tone::Quiet, &format!("{folded} more rows: {unfold}"))?;
        }
        Ok(())
    }
}
