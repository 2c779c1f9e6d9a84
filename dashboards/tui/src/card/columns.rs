//! The columns of the whole scorecard.

use model::Run;

use crate::text::{left, right};

/// Cells of a value, of an effect, of the samples, of a finding.
pub const VALUE: usize = 9;
pub const EFFECT: usize = 24;
pub const SAMPLES: usize = 6;
pub const FINDING: usize = 17;

/// The scorecard's columns at a width.
pub struct Columns {
    pub letters: Vec<char>,
    /// The arm that the others are compared with.
    pub base: char,
    /// `B/A, B−A`.
    pub against: String,
    pub label: usize,
    /// 0 where it has to go to a line of its own.
    pub effect: usize,
}

impl Columns {
    /// As they fit `width`.
    pub fn of(run: &Run, width: usize) -> Self {
        let letters = run.letters();
        let fixed = 2 + letters.len() * VALUE + 1 + SAMPLES + 1 + FINDING;
        let left = width.saturating_sub(fixed);
        // `×2.52 [2.41, 2.63]` takes 18; below 16 cells a label is hard to read.
        let effect = if letters.len() == 2 && left >= 16 + 19 { 19 } else { 0 };
        let base = run.base().map_or('A', |base| base.letter);
        let other = run.others().first().map_or(base, |other| other.letter);
        let against = format!("{other}/{base}, {other}−{base}");
        Self { letters, base, against, label: left.saturating_sub(effect).max(16), effect }
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
