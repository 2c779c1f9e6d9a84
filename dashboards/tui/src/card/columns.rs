//! The columns of the whole scorecard.

use model::Run;

use crate::text::{left, right};

/// Cells of a value, of an effect on a line of its own, of the samples, of a finding.
pub const VALUE: usize = 9;
pub const EFFECT: usize = 24;
pub const SAMPLES: usize = 6;
pub const FINDING: usize = 17;
/// `×2.52 [2.41, 2.63]` takes 18, and a blank stands behind it.
const MIN_EFFECT: usize = 19;
/// With fewer a label is hard to read.
const MIN_LABEL: usize = 16;

/// The scorecard's columns at a width.
pub struct Columns {
    pub letters: Vec<char>,
    /// The arm that the others are compared with.
    pub base: char,
    /// `B/A, B−A`.
    pub against: String,
    pub label: usize,
    /// 0 where it has to go to a line of its own, as one that is longer has to.
    pub effect: usize,
}

impl Columns {
    /// As they fit `width`.
    pub fn of(run: &Run, width: usize) -> Self {
        let letters = run.letters();
        let fixed = 2 + letters.len() * VALUE + 1 + SAMPLES + 1 + FINDING;
        let left = width.saturating_sub(fixed);
        let effects = run.scores().into_iter().flat_map(|score| run.contrasts(score));
        let widest = effects.map(|(_, of)| crate::text::width(&of.effect)).max().unwrap_or(0);
        let most = left.saturating_sub(MIN_LABEL);
        let has_room = letters.len() == 2 && most >= MIN_EFFECT;
        let effect = if has_room { (widest + 1).clamp(MIN_EFFECT, most) } else { 0 };
        let base = run.base().map_or('A', |base| base.letter);
        let other = run.others().first().map_or(base, |other| other.letter);
        let against = format!("{other}/{base}, {other}−{base}");
        Self { letters, base, against, label: left.saturating_sub(effect).max(MIN_LABEL), effect }
    }

    /// Their heads.
    pub fn heads(&self) -> String {
        let arms: String = self.letters.iter().map(|letter| right(&letter.to_string(), VALUE)).collect();
        let effect = left(if self.effect > 0 { &self.against } else { "" }, self.effect, false);
        let heads =
            format!("  {}{arms} {effect}{} finding", left("", self.label, false), right("n", SAMPLES));
        heads.trim_end().to_owned()
    }
}
