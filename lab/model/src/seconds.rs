//! The load seconds of an arm, one by one and counted together.

use crate::run::Run;
use crate::second::{Counts, Second};

impl Run {
    /// Counts of load seconds `from..to` of an arm.
    pub fn counts_between(&self, arm: char, round: u32, from: u32, to: u32) -> Counts {
        let none = Counts { offered: 0, good: 0, failed: 0, closed: true };
        self.seconds_between(arm, round, from, to).fold(none, |sum, (_, second)| Counts {
            offered: sum.offered + second.offered,
            good: sum.good + second.good,
            failed: sum.failed + second.failed,
            closed: sum.closed && second.closed,
        })
    }

    /// A load second of an arm.
    pub fn second(&self, arm: char, round: u32, second: u32) -> Option<&Second> {
        self.seconds.get(&(arm, round))?.get(&second).map(Box::as_ref)
    }

    /// Load seconds `from..to` of an arm with their numbers, those known.
    pub fn seconds_between(
        &self,
        arm: char,
        round: u32,
        from: u32,
        to: u32,
    ) -> impl DoubleEndedIterator<Item = (u32, &Second)> {
        let known = self.seconds.get(&(arm, round));
        known
            .into_iter()
            .flat_map(move |known| known.range(from..to.max(from)).map(|(at, second)| (*at, second.as_ref())))
    }

    /// The newest load second of an arm that lies before `t` and is known.
    pub fn newest_second_at(&self, arm: char, t: u64) -> Option<(u32, &Second)> {
        let position = self.position_at(arm, t)?;
        self.seconds_between(arm, position.round, 0, position.seconds).next_back()
    }
}
