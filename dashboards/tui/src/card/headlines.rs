//! The folded scorecard: the headline rows of each claim, with values, intervals and findings, in few lines.

use model::Run;
use model::contrasts::AgainstBase;
use record::Score;
use scorecard::figure::figure;
use scorecard::glossary::short_name;
use scorecard::headlines::{Headline, headlines};

use super::Tone;
use crate::text::{effect_in, left, right, width, wrap};

/// Cells of a value, of an effect with its interval at least, of a finding with its mark.
const VALUE: usize = 9;
const EFFECT: usize = 19;
const FINDING: usize = 12;
/// Narrower than this and names are hard to read.
const MIN_NAME: usize = 16;
/// Behind a finding that holds within this run only.
const WITHIN_RUN: char = '*';

/// A line, in pieces of one tone each.
pub(super) type Pieces = Vec<(Tone, String)>;

/// A headline row with its lines.
type Drawn<'a> = (Headline<'a>, Vec<Pieces>);

/// A claim with its rows.
type Group<'a> = (&'a str, Vec<Drawn<'a>>);

/// The lines of a folded scorecard, at most so many; and how many rows it has folded away.
pub(super) fn lines(run: &Run, width: usize, most: usize) -> (Vec<Pieces>, usize) {
    let mut grid = Grid::of(run, width, EFFECT);
    let mut groups = drawn(run, &grid, most);
    // A difference in percent is longer than a ratio: names make room for it.
    let effects = groups.iter().flat_map(|(_, rows)| rows).flat_map(|(row, _)| compared(run, row.score));
    let widest = effects.map(|(_, of)| self::width(&of.effect)).max().unwrap_or(0);
    if widest > EFFECT {
        grid = Grid::of(run, width, widest);
        groups = drawn(run, &grid, most);
    }
    let shown: usize = groups.iter().map(|(_, rows)| rows.len()).sum();
    let mut lines = if groups.is_empty() { Vec::new() } else { grid.heads(run) };
    for (claim, rows) in groups {
        lines.push(vec![(Tone::Strong, claim.to_owned())]);
        lines.extend(rows.into_iter().flat_map(|(_, lines)| lines));
    }
    if !lines.is_empty() {
        lines.extend(grid.legend(run));
    }
    (lines, run.scores().len() - shown)
}

/// The rows that fit into so many lines with the heads and the legend, the weightiest.
fn drawn<'a>(run: &'a Run, grid: &Grid, most: usize) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = headlines(run)
        .into_iter()
        .map(|(claim, rows)| (claim, rows.into_iter().map(|row| (row, grid.row(run, row.score))).collect()))
        .collect();
    let fixed = grid.heads(run).len() + grid.legend(run).len();
    loop {
        let of_rows: usize = groups.iter().flat_map(|(_, rows)| rows).map(|(_, lines)| lines.len()).sum();
        let lightest = groups.iter().flat_map(|(_, rows)| rows).map(|(row, _)| row.rank).max();
        let (true, Some(lightest)) = (fixed + of_rows + groups.len() > most, lightest) else { break };
        groups.iter_mut().for_each(|(_, rows)| rows.retain(|(row, _)| row.rank != lightest));
        groups.retain(|(_, rows)| !rows.is_empty());
    }
    groups
}

/// The columns at a width: with two arms a line for each row, with more one for each arm that is compared.
struct Grid {
    name: usize,
    effect: usize,
    width: usize,
    is_pair: bool,
    /// Whether arms are called by their names in the heads.
    has_names: bool,
}

impl Grid {
    /// With `effect` cells for an effect, or as many of them as leave room for a name.
    fn of(run: &Run, width: usize, effect: usize) -> Self {
        let is_pair = run.header.arms.len() <= 2;
        let values = if is_pair { run.header.arms.len() * VALUE } else { 2 * VALUE + 3 };
        let fixed = 2 + values + 1 + 1 + FINDING;
        let effect = effect.min(width.saturating_sub(fixed + MIN_NAME)).max(EFFECT);
        let has_names = is_pair && run.header.arms.iter().all(|arm| self::width(&arm.name) + 2 < VALUE);
        let name = width.saturating_sub(fixed + effect).max(MIN_NAME);
        Self { name, effect, width, is_pair, has_names }
    }

    fn heads(&self, run: &Run) -> Vec<Pieces> {
        let Some(base) = run.base() else { return Vec::new() };
        let others = run.others();
        let name = left("", 2 + self.name, false);
        let text = if self.is_pair {
            let call = |arm: &record::Arm| {
                if self.has_names { format!("{} {}", arm.letter, arm.name) } else { arm.letter.to_string() }
            };
            let arms: String = run.header.arms.iter().map(|arm| right(&call(arm), VALUE)).collect();
            let other = others.first().map_or_else(String::new, |other| {
                format!("{}/{}, {}−{}", other.letter, base.letter, other.letter, base.letter)
            });
            format!("{name}{arms} {} {}", left(&other, self.effect, false), "  finding")
        } else {
            let base = base.letter;
            let head = format!("against {base}");
            format!(
                "{name}{}   {} {} {}",
                right(&base.to_string(), VALUE),
                right("arm", VALUE),
                left(&head, self.effect, false),
                "  finding"
            )
        };
        let mut lines = Vec::new();
        if !self.has_names && run.header.arms.len() > 1 {
            let names: Vec<String> =
                run.header.arms.iter().map(|arm| format!("{} {}", arm.letter, arm.name)).collect();
            let names = wrap(&names.join(", "), self.width - 2);
            lines.extend(names.into_iter().map(|line| vec![(Tone::Quiet, format!("  {line}"))]));
        }
        lines.push(vec![(Tone::Quiet, text.trim_end().to_owned())]);
        lines
    }

    fn row(&self, run: &Run, score: &Score) -> Vec<Pieces> {
        let name = short_name(score);
        let contrasts = compared(run, score);
        let figures = || run.header.arms.iter().map(|arm| figure(run, score, arm.letter));
        if figures().any(|figure| width(&figure) >= VALUE) {
            return self.in_words(run, score, &name, &contrasts);
        }
        let mut lines = Vec::new();
        let mut label = left(&format!("  {name}"), 2 + self.name, false);
        if width(&name) > self.name {
            lines.push(vec![(Tone::Plain, format!("  {name}"))]);
            label = left("", 2 + self.name, false);
        }
        if self.is_pair {
            let values: String = figures().map(|figure| right(&figure, VALUE)).collect();
            lines.push(self.line(format!("{label}{values}"), contrasts.first().map(|(_, of)| of)));
            return lines;
        }
        let base = run.base().map_or_else(String::new, |base| figure(run, score, base.letter));
        let mut lead = format!("{label}{}", right(&base, VALUE));
        for (arm, of) in &contrasts {
            let value = right(&figure(run, score, *arm), VALUE);
            lines.push(self.line(format!("{lead}  {arm}{value}"), Some(of)));
            lead = left("", 2 + self.name + VALUE, false);
        }
        lines
    }

    /// A row whose figures are words: `never (30 s watched)`.
    fn in_words(
        &self,
        run: &Run,
        score: &Score,
        name: &str,
        contrasts: &[(char, AgainstBase)],
    ) -> Vec<Pieces> {
        let mut lines = vec![vec![(Tone::Plain, format!("  {name}"))]];
        let of_arm = |arm: char| figure(run, score, arm);
        let base = run.base().map_or('A', |base| base.letter);
        if contrasts.is_empty() {
            lines.push(vec![(Tone::Plain, format!("    {base} {}", of_arm(base)))]);
        }
        for (arm, of) in contrasts {
            let values = format!("{arm} {} vs {base} {}", of_arm(*arm), of_arm(base));
            let (tone, finding) = finding(of);
            let text = [values.as_str(), of.effect.as_str(), finding.trim()];
            let text: Vec<&str> = text.into_iter().filter(|text| !text.is_empty()).collect();
            let wrapped = wrap(&text.join(", "), self.width.saturating_sub(4).max(20));
            lines.extend(wrapped.into_iter().map(|line| vec![(tone, format!("    {line}"))]));
        }
        lines
    }

    /// What is concluded stands in the place of the effect where there is none.
    fn line(&self, figures: String, contrast: Option<&AgainstBase>) -> Pieces {
        let Some(of) = contrast else { return vec![(Tone::Plain, figures)] };
        let (tone, finding) = finding(of);
        let (effect, finding) = match effect_in(&of.effect, self.effect) {
            "" => (String::new(), finding.trim_start().to_owned()),
            effect => (format!("{} ", left(effect, self.effect, false)), finding),
        };
        let room = self.width.saturating_sub(width(&figures) + 1 + width(&effect));
        let finding = left(&finding, room, false).trim_end().to_owned();
        vec![(Tone::Plain, format!("{figures} {effect}")), (tone, finding)]
    }

    /// What the marks mean that are there.
    fn legend(&self, run: &Run) -> Vec<Pieces> {
        let contrasts = run.scores().into_iter().flat_map(|score| run.contrasts(score));
        let contrasts: Vec<AgainstBase> = contrasts.map(|(_, of)| of).collect();
        let marks = contrasts
            .iter()
            .any(|of| of.is_better.is_some())
            .then_some("▲ better, ▼ worse than the base arm");
        let is_within = contrasts.iter().any(|of| of.is_within_run);
        let within = is_within.then_some("* in this run: other starts may differ by the margin");
        let intervals = contrasts.iter().any(|of| of.effect.contains('[')).then_some("[..] 95 % interval");
        let legend: Vec<&str> = [marks, intervals, within].into_iter().flatten().collect();
        if legend.is_empty() {
            return Vec::new();
        }
        let lines = wrap(&legend.join("; "), self.width);
        lines.into_iter().map(|line| vec![(Tone::Quiet, line)]).collect()
    }
}

/// Every other arm against the base arm; in a row that compares none the row's own conclusion.
fn compared(run: &Run, score: &Score) -> Vec<(char, AgainstBase)> {
    let mut contrasts = run.contrasts(score);
    if score.contrasts.is_empty() {
        contrasts.iter_mut().for_each(|(_, of)| of.finding.clone_from(&score.finding));
    }
    contrasts
}

/// What is concluded of an arm, with its mark.
fn finding(of: &AgainstBase) -> (Tone, String) {
    let (mark, tone) = match of.is_better {
        Some(true) => ('▲', Tone::Good),
        Some(false) => ('▼', Tone::Bad),
        None => (' ', Tone::Plain),
    };
    let within = if of.is_within_run { String::from(WITHIN_RUN) } else { String::new() };
    (tone, format!("{mark} {}{within}", of.finding))
}
