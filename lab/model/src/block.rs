//! One pass of the load, and whose it is.

use crate::SECOND;

/// An arm and a round, from 1.
pub(crate) type Turn = (char, u32);

/// One pass of the load: all arms side by side, or one arm's turn.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// When its load started, ns of the run.
    pub start: u64,
    pub round: u32,
    /// Letters it concerns; empty for all.
    pub arms: String,
}

impl Block {
    pub fn is_of(&self, turn: Turn) -> bool {
        self.round == turn.1 && self.concerns(turn.0)
    }

    /// The load second that begins at or before a moment of the run, ns.
    pub fn second_at(&self, t: u64) -> u32 {
        u32::try_from(t.saturating_sub(self.start) / SECOND).unwrap_or(u32::MAX)
    }

    pub fn concerns(&self, arm: char) -> bool {
        self.arms.is_empty() || self.arms.contains(arm)
    }
}
