//! Where an arm stands in its load at a moment, and when its load seconds were.

use std::ops::Range;

use record::{Phase, PhasePlan};

use crate::block::Block;
use crate::run::Run;
use crate::window::TimeRange;
use crate::{SECOND, seconds_of};

/// Where an arm stands at a moment of the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// Which round.
    pub round: u32,
    /// Load seconds begun, past the end included.
    pub seconds: u32,
    /// When its load began, ns of the run.
    pub start: u64,
}

impl Position {
    /// When a load second is over, ns of the run.
    pub fn end_of(&self, second: u32) -> u64 {
        self.start + (u64::from(second) + 1) * SECOND
    }
}

/// Which pass of the load it is, where arms have theirs one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnNumber {
    /// From 1.
    pub number: usize,
    /// All of them: each arm has one a round.
    pub of: usize,
}

impl Run {
    pub(crate) fn begin_phase(&mut self, phase: &Phase, t: u64) {
        self.phases.push((t, phase.clone()));
        self.go_on_to(&phase.name);
        let is_known = |block: &Block| block.round == phase.round && block.arms == phase.arms;
        if self.blocks.iter().any(is_known) {
            return;
        }
        let planned = self.header.phases.get(phase.index as usize).map_or(0, |plan| plan.start_ns);
        // A phase's line comes a moment after its begin; of the first block the header knows it exactly.
        let start = t.saturating_sub(planned);
        let start = if self.blocks.is_empty() { self.header.load_start_ns.min(start) } else { start };
        self.blocks.push(Block { start, round: phase.round, arms: phase.arms.clone() });
    }

    /// Adds a rate that a search for capacity went on to: until it is offered it is no phase of the run. Its figures are those
    /// of its rate alone, and of no measured window.
    fn go_on_to(&mut self, name: &str) {
        let further = self.header.further.iter().find(|phase| phase.name == name);
        if let Some(phase) = further.filter(|_| self.phase(name).is_none()) {
            let phase = PhasePlan { measure: false, ..phase.clone() };
            self.header.phases.push(phase);
        }
    }

    /// Whether a phase is a rate that a search for capacity went on to.
    pub fn is_further(&self, phase: &PhasePlan) -> bool {
        self.header.further.iter().any(|further| further.name == phase.name)
    }

    /// Where an arm stands at `t`; `None` before its first load.
    pub fn position_at(&self, arm: char, t: u64) -> Option<Position> {
        let block = self.blocks.iter().rev().find(|block| block.start <= t && block.concerns(arm))?;
        let seconds = (t - block.start).min(self.length_ns()).div_ceil(SECOND);
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        Some(Position { round: block.round, seconds, start: block.start })
    }

    /// The load's moment at `t`, ns, whichever arm it concerns, with its phase's index.
    pub fn progress_at(&self, t: u64) -> Option<(u64, usize)> {
        let block = self.blocks.iter().rev().find(|block| block.start <= t)?;
        let at = (t - block.start).min(self.length_ns());
        let index = self.header.phases.iter().rposition(|phase| phase.start_ns <= at)?;
        Some((at, index))
    }

    /// Which turn it is at `t`; `None` before the first, and where all arms run at the same time.
    pub fn turn_at(&self, t: u64) -> Option<TurnNumber> {
        let turn = self.turn(t)?;
        (turn.of > 1).then_some(turn)
    }

    /// About how long the load still takes at `t`, ns: the rest of this turn, and for each to come as long as one took
    /// so far, its start included. `None` before the load.
    pub fn time_left_at(&self, t: u64) -> Option<u64> {
        let turn = self.turn(t)?;
        let (first, this) = (self.blocks.first()?.start, self.blocks.get(turn.number - 1)?.start);
        let rest = self.length_ns().saturating_sub(t.saturating_sub(this));
        let over = (turn.number - 1) as u64;
        let each = this.saturating_sub(first).checked_div(over).unwrap_or(self.length_ns());
        Some(rest + each * (turn.of.saturating_sub(turn.number)) as u64)
    }

    fn turn(&self, t: u64) -> Option<TurnNumber> {
        let number = self.blocks.iter().rposition(|block| block.start <= t)? + 1;
        let arms = self.header.arms.len();
        let at_once = match self.blocks[number - 1].arms.chars().count() {
            0 => arms,
            some => some,
        };
        let of = arms.div_ceil(at_once.max(1)) * self.header.rounds.max(1) as usize;
        Some(TurnNumber { number, of })
    }

    /// Index of the phase an arm is in at `t`; after its load it stays in the last. `None` before its first load.
    pub fn phase_at(&self, arm: char, t: u64) -> Option<usize> {
        let position = self.position_at(arm, t)?;
        let at = (t - position.start).min(self.length_ns());
        self.header.phases.iter().rposition(|phase| phase.start_ns <= at)
    }

    /// Phases that have begun, in order, each with its moment.
    pub fn phases_begun(&self) -> &[(u64, Phase)] {
        &self.phases
    }

    /// The arms whose load goes on at `t`: all, or those whose turn it is.
    pub fn arms_at(&self, t: u64) -> Vec<char> {
        let block = self.blocks.iter().rev().find(|block| block.start <= t);
        self.letters().into_iter().filter(|arm| block.is_none_or(|block| block.concerns(*arm))).collect()
    }

    /// The phase a load second belongs to.
    pub fn phase_of(&self, second: u32) -> Option<&PhasePlan> {
        let ns = u64::from(second) * SECOND;
        self.header.phases.iter().find(|plan| (plan.start_ns..plan.start_ns + plan.length_ns).contains(&ns))
    }

    /// When load seconds were for an arm, ns of the run: one range a round, since interleaved arms take turns.
    pub fn run_time(&self, arm: char, range: &TimeRange) -> Vec<Range<u64>> {
        let from = u64::from(range.seconds.start) * SECOND;
        let to = (u64::from(range.seconds.end) * SECOND).min(self.length_ns());
        let blocks = self.blocks.iter().filter(|block| {
            from < to && block.concerns(arm) && (range.round == 0 || range.round == block.round)
        });
        blocks.map(|block| block.start + from..block.start + to).collect()
    }

    /// Rounds that a range covers.
    pub fn rounds_in(&self, range: &TimeRange) -> f64 {
        if range.round == 0 { f64::from(self.header.rounds.max(1)) } else { 1.0 }
    }

    /// Seconds of load that a range covers, its rounds added up.
    pub fn length_of(&self, range: &TimeRange) -> f64 {
        f64::from(range.seconds.end.saturating_sub(range.seconds.start)) * self.rounds_in(range)
    }

    /// How long ago `t` is, seconds.
    pub fn behind(&self, t: u64) -> f64 {
        seconds_of(self.now.saturating_sub(t))
    }
}

#[cfg(test)]
mod tests {
    use record::{Arm, Entry, Header, Line};

    use super::*;

    /// Arms of a run whose load takes 10 s; phases as they begin: round, arms, second.
    fn run(letters: &[char], rounds: u32, begun: &[(u32, &str, u64)]) -> Run {
        let arm = |letter: &char| Arm { letter: *letter, ..Arm::default() };
        let plan = PhasePlan { name: "p".into(), start_ns: 0, length_ns: 10 * SECOND, measure: true };
        let arms = letters.iter().map(arm).collect();
        let load_start_ns = begun[0].2 * SECOND;
        let header = Header { arms, rounds, load_start_ns, phases: vec![plan], ..Header::default() };
        let mut run = Run::new(header);
        for (round, arms, second) in begun {
            let phase = Phase { index: 0, name: "p".into(), round: *round, arms: (*arms).into() };
            run.add(&Line { t: second * SECOND, entry: Entry::Phase(phase) });
        }
        run
    }

    #[test]
    fn arms_that_take_turns_have_one_a_round() {
        let run = run(&['A', 'B', 'C'], 3, &[(1, "A", 0), (1, "B", 12), (1, "C", 24)]);
        assert_eq!(run.turn_at(13 * SECOND), Some(TurnNumber { number: 2, of: 9 }));
        // 9 s of this turn, and seven turns of 12 s.
        assert_eq!(run.time_left_at(13 * SECOND), Some((9 + 7 * 12) * SECOND));
        assert_eq!(
            run.time_left_at(0),
            Some((10 + 8 * 10) * SECOND),
            "no turn is over: a load's length each"
        );
        assert_eq!(run.time_left_at(30 * SECOND), Some((4 + 6 * 12) * SECOND));
    }

    #[test]
    fn a_further_rate_is_a_phase_from_when_it_is_offered() {
        let mut run = run(&['A', 'B'], 1, &[(1, "AB", 3)]);
        let further = |name: &str, start: u64| PhasePlan {
            name: name.into(),
            start_ns: start * SECOND,
            length_ns: 4 * SECOND,
            measure: true,
        };
        run.header.further = vec![further("further-1", 13), further("further-2", 20)];
        assert_eq!(run.length_s(), 10);
        let begins = Phase { index: 1, name: "further-1".into(), round: 1, arms: "AB".into() };
        for t in [16, 16] {
            run.add(&Line { t: t * SECOND, entry: Entry::Phase(begins.clone()) });
        }
        assert_eq!(
            (run.length_s(), run.header.phases.len()),
            (17, 2),
            "added once, and none before its time"
        );
        assert_eq!(run.seconds(&crate::Window::Phase("further-1".into())), 13..17);
        assert_eq!(run.seconds(&crate::Window::Whole), 0..10, "no other figure has it");
        assert!(run.is_further(&run.header.phases[1]) && !run.is_further(&run.header.phases[0]));
        assert_eq!(run.phase_of(11).map(|phase| phase.name.as_str()), None, "between two");
    }

    #[test]
    fn side_by_side_there_are_no_turns() {
        let run = run(&['A', 'B'], 1, &[(1, "AB", 3)]);
        assert_eq!((run.turn_at(4 * SECOND), run.time_left_at(4 * SECOND)), (None, Some(9 * SECOND)));
        assert_eq!(run.time_left_at(2 * SECOND), None, "the load has not begun");
        assert_eq!(run.time_left_at(60 * SECOND), Some(0));
    }
}
