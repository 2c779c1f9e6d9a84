//! The scorecard as text for the normal screen: what stays when the dashboard is gone.
//!
//! - [`print_folded`]: what a run ends with (`folded`): the answer, open claims, headline rows (`headlines`), and a search for
//!   capacity (`ladder`).
//! - [`print`]: all of it, in `columns`.

mod columns;
mod folded;
mod headlines;
mod ladder;

use std::collections::BTreeMap;
use std::io::{self, Write};

use model::contrasts::AgainstBase;
use model::format::printable;
use model::journeys::Failures;
use model::limit::value_and_limit;
use model::outcome::samples_of;
use model::{Run, format};
use record::{Score, Verdict};
use scorecard::figure::figure;
use scorecard::ladder::ladders;
use scorecard::reason;

use self::columns::{Columns, EFFECT, FINDING, SAMPLES, VALUE};
use crate::sweep;
use crate::text::{NO_DATA, count, left, right, width, wrap};

/// Narrower than this and the columns of two arms do not fit side by side.
const MIN_WIDTH: usize = 60;

/// Prints what a run ends with: verdict and answer in six lines, claims that do not hold or are not decided with what
/// helps, and the headline rows of each claim in at most forty lines.
///
/// # Errors
/// When `out` cannot be written.
pub fn print_folded(out: &mut impl Write, run: &Run, width: u16, colour: bool) -> io::Result<()> {
    if !run.has_begun() {
        return writeln!(out, "{NO_HEADER}");
    }
    Card { out, run, width: usize::from(width).max(MIN_WIDTH), colour }.folded()
}

/// What stands where the scorecard of a record without a header would.
const NO_HEADER: &str = "the record has no header: expected one as its first line";

/// Prints the whole scorecard: verdict and the reasons to doubt it first, then errors
/// by cause, expectations, audit, and a row per measure under its claim.
///
/// # Errors
/// When `out` cannot be written.
pub fn print(out: &mut impl Write, run: &Run, width: u16, colour: bool) -> io::Result<()> {
    if !run.has_begun() {
        return writeln!(out, "{NO_HEADER}");
    }
    let mut card = Card { out, run, width: usize::from(width).max(MIN_WIDTH), colour };
    card.verdict()?;
    card.answer()?;
    if run.is_sweep() {
        card.checks()?;
        return sweep::print(card.out, run, card.width);
    }
    card.arms()?;
    card.errors()?;
    card.checks()?;
    card.audits()?;
    card.scores()
}

/// What a piece of text means; colour is never the only sign.
#[derive(Clone, Copy)]
enum Tone {
    Plain,
    Strong,
    Quiet,
    Good,
    Bad,
    Doubt,
}

impl Tone {
    fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Good,
            Verdict::Fail => Self::Bad,
            Verdict::Inconclusive | Verdict::Invalid => Self::Doubt,
        }
    }

    /// Select Graphic Rendition codes (ECMA-48, 8.3.117), ANSI-16 only.
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "1",
            Self::Quiet => "2",
            Self::Good => "32",
            Self::Bad => "31",
            Self::Doubt => "33",
        }
    }
}

struct Card<'a, W> {
    out: &'a mut W,
    run: &'a Run,
    width: usize,
    colour: bool,
}

impl<W: Write> Card<'_, W> {
    fn painted(&self, tone: Tone, text: &str) -> String {
        let text = printable(text);
        match tone.code() {
            code if self.colour && !code.is_empty() => format!("\x1b[{code}m{text}\x1b[0m"),
            _ => text.into_owned(),
        }
    }

    fn title(&mut self, text: &str) -> io::Result<()> {
        let text = self.painted(Tone::Strong, text);
        writeln!(self.out, "\n{text}")
    }

    /// `first` begins the first line, blanks of its width the others.
    fn wrapped(&mut self, first: &str, tone: Tone, text: &str) -> io::Result<()> {
        let indent = width(first);
        for (i, line) in wrap(text, self.width.saturating_sub(indent).max(20)).iter().enumerate() {
            let lead = if i == 0 { self.painted(tone, first) } else { " ".repeat(indent) };
            let text = if matches!(tone, Tone::Quiet) { self.painted(tone, line) } else { line.clone() };
            writeln!(self.out, "{lead}{text}")?;
        }
        Ok(())
    }

    /// What stands behind a simulated run; nothing of a live one.
    fn mark(&mut self) -> io::Result<()> {
        let run = self.run;
        for text in run.mark().into_iter().chain(run.prediction_limits()) {
            self.wrapped("~ ", Tone::Doubt, &text)?;
        }
        Ok(())
    }

    /// How the run ended, in a word.
    fn verdict_word(&self) -> (Tone, String) {
        match self.run.end.as_ref().map(|end| end.verdict) {
            Some(Some(verdict)) => (Tone::of(verdict), self.run.verdict_words().to_uppercase()),
            Some(None) => (Tone::Doubt, "INTERRUPTED".into()),
            None => (Tone::Doubt, "INVALID (the record has no end)".into()),
        }
    }

    fn verdict(&mut self) -> io::Result<()> {
        let run = self.run;
        let (header, end) = (&run.header, run.end.as_ref());
        let (tone, name) = self.verdict_word();
        let name = self.painted(tone, &name);
        let (scenario, run_id) = (printable(&header.scenario), printable(&header.run_id));
        writeln!(self.out, "{name}  {scenario}  seed {}  run {run_id}", header.seed)?;
        self.wrapped("", Tone::Plain, &header.title)?;
        self.mark()?;
        let Some(end) = end else { return Ok(()) };
        if let Some(sentence) = reason::sentence(run) {
            self.wrapped("  ", Tone::Plain, &sentence)?;
        }
        for lint in &end.lints {
            let text = format!("{}, {}: {}", lint.word(), lint.name, lint.text);
            let tone = if lint.is_note() { Tone::Quiet } else { Tone::of(lint.verdict) };
            self.wrapped(&format!("  {} ", lint.sign()), tone, &text)?;
        }
        if end.generator_saturated && !end.lints.iter().any(|lint| lint.name.starts_with("generator")) {
            self.wrapped("  ! ", Tone::Doubt, "the generator fell behind: its figures are void")?;
        }
        if end.noisy && !end.lints.iter().any(|lint| lint.name == "noisy") {
            self.wrapped(
                "  ~ ",
                Tone::Doubt,
                "the machine was busy: processes waited for a CPU half of the time",
            )?;
        }
        if end.dropped_updates > 0 {
            let text = format!("views missed {} updates; the record has them", end.dropped_updates);
            self.wrapped("  ~ ", Tone::Quiet, &text)?;
        }
        Ok(())
    }

    /// What it comes to, before the figures it rests on.
    fn answer(&mut self) -> io::Result<()> {
        let lines = scorecard::answer::answer(self.run);
        if lines.is_empty() {
            return Ok(());
        }
        writeln!(self.out)?;
        for line in lines {
            self.wrapped("  ", Tone::Plain, &line)?;
        }
        self.predicted()
    }

    /// What was predicted of a live run, beside what it measured.
    fn predicted(&mut self) -> io::Result<()> {
        let lines = self.run.prediction_lines();
        if lines.is_empty() {
            return Ok(());
        }
        self.title("predicted and measured")?;
        for line in lines {
            self.wrapped("  ", Tone::Plain, &line)?;
        }
        Ok(())
    }

    fn arms(&mut self) -> io::Result<()> {
        let run = self.run;
        let header = &run.header;
        writeln!(self.out)?;
        for arm in &header.arms {
            let some = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
            let ready =
                if arm.ready_ms > 0 { format!("ready after {} ms", arm.ready_ms) } else { NO_DATA.into() };
            let text = format!(
                "{}, {}, {ready}",
                some(arm.processes(), "process", "processes"),
                some(arm.databases as usize, "database", "databases"),
            );
            writeln!(self.out, "{} {}  {text}", arm.letter, left(&arm.name, 16, false))?;
        }
        let rounds = if header.rounds > 1 { format!(" in {} rounds", header.rounds) } else { String::new() };
        let peak = run.peak_pss_mib().map(|mib| format!(", peak PSS {mib:.0} MiB")).unwrap_or_default();
        let ready = match header.ready_ms {
            // Nothing was started.
            0 if run.is_simulated() => String::new(),
            ms => format!(", all ready after {ms} ms"),
        };
        let text = format!(
            "{}{rounds}{ready}{peak}, {} cores, {} build",
            header.way, header.machine.cores, header.machine.profile
        );
        self.wrapped("", Tone::Plain, &text)?;
        // Never wrapped: it is there to be copied.
        writeln!(self.out, "again: {}", model::shell::command_line(&header.command))
    }

    fn errors(&mut self) -> io::Result<()> {
        let run = self.run;
        let Failures { offered, causes } = run.failures_by_cause();
        if offered.is_empty() {
            return Ok(());
        }
        self.title("errors by cause, whole run")?;
        let letters = run.letters();
        let heads: String = letters.iter().map(|letter| right(&letter.to_string(), 10)).collect();
        writeln!(self.out, "  {}{heads}", left("", 16, false))?;
        let row = |name: &str, of: &BTreeMap<char, u64>| {
            let cells: String =
                letters.iter().map(|l| right(&of.get(l).copied().unwrap_or(0).to_string(), 10)).collect();
            format!("  {}{cells}", left(name, 16, false))
        };
        writeln!(self.out, "{}", row("offered", &offered))?;
        for (cause, of) in &causes {
            writeln!(self.out, "{}", row(cause, of))?;
        }
        if causes.is_empty() {
            writeln!(self.out, "  none")?;
        }
        Ok(())
    }

    fn checks(&mut self) -> io::Result<()> {
        let run = self.run;
        let checks = run.checks();
        if checks.is_empty() {
            return Ok(());
        }
        let (held, all) = run.held();
        self.title(&format!("expectations: {held} of {all} checks hold"))?;
        // Sign, arm, value, limit, samples, verdict; the text takes what is left.
        const FIXED: usize = 2 + 2 + 10 + 10 + 7 + 14;
        let text_cells = self.width - FIXED;
        let heads = format!(
            "  {}  {}{}{}  {}",
            left("", text_cells, false),
            right("value", 10),
            right("limit", 10),
            right("n", 7),
            "verdict"
        );
        let heads = self.painted(Tone::Quiet, &heads);
        writeln!(self.out, "{heads}")?;
        for check in checks {
            let arm = if check.arm == '-' { ' ' } else { check.arm };
            let (found, limit) = value_and_limit(check);
            let lines = wrap(&check.text, text_cells);
            for (i, line) in lines.iter().enumerate() {
                if i > 0 {
                    writeln!(self.out, "  {line}")?;
                    continue;
                }
                let lead = self.painted(Tone::of(check.verdict), &format!("{} ", check.verdict.sign()));
                let verdict = self.painted(Tone::of(check.verdict), check.verdict.word());
                writeln!(
                    self.out,
                    "{lead}{} {arm}{}{}{}  {verdict}",
                    left(line, text_cells, false),
                    right(&found, 10),
                    right(&limit, 10),
                    right(&count(Some(check.n as f64)), 7),
                )?;
            }
            if check.verdict != Verdict::Pass {
                let (why, line) = run.reason_of(check);
                if !why.is_empty() {
                    self.wrapped("    ", Tone::Quiet, &format!("line {line}: {why}"))?;
                }
                let since = run.violated_since(check);
                if !since.is_empty() {
                    self.wrapped("    ", Tone::Quiet, &since)?;
                }
            }
            if !check.reason.is_empty() {
                self.wrapped("    ", Tone::Quiet, &check.reason)?;
            }
        }
        Ok(())
    }

    fn audits(&mut self) -> io::Result<()> {
        let audits = self.run.audits();
        // A run that only read has nothing to find again.
        if audits.iter().all(|audit| audit.acknowledged + audit.unacknowledged + audit.orphaned == 0) {
            return Ok(());
        }
        self.title("acknowledged writes")?;
        for audit in audits {
            let wrong = audit.lost + audit.duplicated + audit.orphaned;
            let unverified = match audit.unverified {
                0 => String::new(),
                count => format!("{count} could not be read, "),
            };
            let text = format!(
                "{} acknowledged, {} found once, {} lost, {unverified}{} duplicated, {} orphaned; {} found whose answers were lost",
                audit.acknowledged,
                audit.found,
                audit.lost,
                audit.duplicated,
                audit.orphaned,
                audit.unacknowledged
            );
            let (mark, tone) = match (wrong, audit.unverified) {
                (0, 0) => ('✓', Tone::Good),
                (0, _) => ('?', Tone::Doubt),
                _ => ('✗', Tone::Bad),
            };
            self.wrapped(&format!("{mark} {} ", audit.arm), tone, &text)?;
        }
        Ok(())
    }

    fn scores(&mut self) -> io::Result<()> {
        let run = self.run;
        let claims = run.scores_by_claim();
        if claims.is_empty() {
            return Ok(());
        }
        let columns = Columns::of(run, self.width);
        for search in ladders(run) {
            writeln!(self.out)?;
            self.ladder(&ladder::lines(run, &search, self.width))?;
        }
        for (claim, scores) in claims {
            self.title(claim)?;
            let heads = self.painted(Tone::Quiet, &columns.heads());
            writeln!(self.out, "{heads}")?;
            let mut remarks: Vec<String> = Vec::new();
            for score in scores {
                self.score(&columns, score)?;
                remarks.extend(format::remark(score).filter(|remark| !remarks.contains(remark)));
            }
            // Printed once under the ratios it qualifies: it is the same for all of a window.
            for remark in remarks {
                self.wrapped("    ", Tone::Quiet, &remark)?;
            }
        }
        let base = run.base().map_or('A', |base| base.letter);
        let legend = format!(
            "▲ better, ▼ worse than {base}: only where the finding is `differs`. [..] is the 95 % interval of an arm against {base}: \
             of their ratio (×), or of their difference (+, -). n is the smallest of the arms."
        );
        writeln!(self.out)?;
        self.wrapped("", Tone::Quiet, &legend)
    }

    fn score(&mut self, columns: &Columns, score: &Score) -> io::Result<()> {
        let run = self.run;
        let contrasts = run.contrasts(score);
        let figures: Vec<String> = columns.letters.iter().map(|arm| figure(run, score, *arm)).collect();
        // What needs more room stands below: what is in brackets, and figures that would touch each other.
        let shown: Vec<&str> =
            figures.iter().map(|text| text.split(" (").next().unwrap_or_default()).collect();
        let is_wide = shown.iter().any(|text| width(text) >= VALUE);
        let values: String = shown.iter().map(|text| right(if is_wide { "" } else { text }, VALUE)).collect();
        let n = right(&count(samples_of(score).map(|n| n as f64)), SAMPLES);
        let first = contrasts.first().filter(|_| contrasts.len() == 1).map(|(_, of)| of);
        let effect = first.map_or("", |of| of.effect.as_str());
        // What would be cut stands below, whole.
        let inline = if width(effect) < columns.effect { effect } else { "" };
        let (mark, tone) = first.map_or((' ', Tone::Plain), standing);
        // Of several arms each has its own finding below.
        let concluded =
            if first.is_some() || score.contrasts.is_empty() { score.finding.as_str() } else { "" };
        let (finding, rest) = match concluded {
            short if width(short) + 2 <= FINDING => (format!("{mark} {short}"), None),
            long => (format!("{mark} below"), Some(long)),
        };
        let finding = self.painted(tone, finding.trim_end());
        let label = match score.window.as_str() {
            "" | "whole" => score.measure.clone(),
            window => format!("{} ({window})", score.measure),
        };
        let indent = if score.part_of.is_some() { "    " } else { "  " };
        // A name too long for its column has lines of its own above the figures.
        let fits = width(indent) + width(&label) < width("  ") + columns.label;
        for line in wrap(&label, self.width - 6).iter().filter(|_| !fits) {
            writeln!(self.out, "{indent}{line}")?;
        }
        let label = left(&format!("{indent}{}", if fits { &label } else { "" }), 2 + columns.label, false);
        let row = format!("{label}{values} {}{n} {finding}", left(inline, columns.effect, false));
        writeln!(self.out, "{}", row.trim_end())?;
        if is_wide {
            let of_arms: Vec<String> =
                columns.letters.iter().zip(&shown).map(|(arm, text)| format!("{arm} {text}")).collect();
            self.wrapped("    ", Tone::Plain, &of_arms.join(", "))?;
        }
        if inline.is_empty() && !effect.is_empty() {
            self.wrapped(&format!("    {} ", columns.against), Tone::Quiet, effect)?;
        }
        if let Some(text) = rest {
            self.wrapped("    ", Tone::Quiet, text)?;
        }
        if contrasts.len() > 1 && !score.contrasts.is_empty() {
            for (arm, of) in &contrasts {
                let (mark, tone) = standing(of);
                let against = format!("    {arm}/{} ", columns.base);
                let text = format!("{mark} {}", of.finding);
                let text = self.painted(tone, text.trim());
                let effect = left(&of.effect, EFFECT.max(width(&of.effect)), false);
                writeln!(self.out, "{}", format!("{against}{effect} {text}").trim_end())?;
            }
        }
        score.notes.iter().try_for_each(|note| self.wrapped("    ", Tone::Quiet, note))
    }
}

/// Whether an arm is better than the base arm, where the difference is one.
fn standing(of: &AgainstBase) -> (char, Tone) {
    match of.is_better {
        Some(true) => ('▲', Tone::Good),
        Some(false) => ('▼', Tone::Bad),
        None => (' ', Tone::Plain),
    }
}
