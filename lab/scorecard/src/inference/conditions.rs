//! Under what conditions two arms are compared.

use record::Note;

use super::noise::StoredStart;

/// By how much two arms may differ and still be called equivalent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Margin {
    /// By a factor, either way: 1.1.
    Ratio(f64),
    /// By a difference in the row's unit, for shares and parts: 5 % of the base arm's total. For counts, by a share of what
    /// they are counted among.
    Absolute(f64),
}

/// Under what conditions two arms were measured, and how they are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions<'a> {
    /// Within this they are equivalent.
    pub margin: Margin,
    /// Two starts of one program differ in it (latency, time, CPU): with fewer than three rounds a finding has to be
    /// beyond the margin, or beyond what starts are known to differ by.
    pub depends_on_start: bool,
    /// By how much, where it was measured on this machine.
    pub start: Option<&'a StoredStart>,
    /// Arms were measured one after another: with fewer than three rounds they are not compared.
    pub is_taking_turns: bool,
    /// A part of a total: compared by its difference.
    pub is_part: bool,
    /// Why nothing is concluded whatever the figures are. Where the arms fail differently, or context is missing, there
    /// is no ratio either.
    pub withheld: Option<Note>,
}

impl<'a> Conditions<'a> {
    /// What starts differ by, where it is known and of use: stored are ratios.
    pub(super) fn known_start(&self) -> Option<&'a StoredStart> {
        self.start.filter(|_| !self.is_part)
    }
}
