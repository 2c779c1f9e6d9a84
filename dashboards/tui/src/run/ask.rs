//! The run as it was at a moment.

use model::incidents::{self, STALE_NS, Symptom};
use record::{Edge, Event, Host, Proc};

use super::{Run, SECOND, Second};

/// Two samples nearer than this make no rate: the last one of a run comes a moment after its neighbour.
const NEAREST_NS: u64 = SECOND / 4;

/// Where an arm stands at a moment of the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    pub round: u32,
    /// Load seconds begun, past the end included.
    pub seconds: u32,
    /// When its load began, ns of the run.
    pub start: u64,
}

/// What a process did between its last two samples, per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rates {
    /// Share of one core.
    pub cpu: f64,
    /// Runnable and not running, share of one core.
    pub wait: f64,
    /// Context switches.
    pub switches: f64,
}

impl Run {
    /// Length of one block's load, ns.
    pub(crate) fn length_ns(&self) -> u64 {
        let phases = self.header.as_deref().map_or(&[][..], |header| &header.phases);
        phases.iter().map(|phase| phase.start_ns + phase.length_ns).max().unwrap_or(0)
    }

    /// When the load starts, ns since the run's start.
    pub(crate) fn load_start(&self) -> u64 {
        self.header.as_deref().map_or(0, |header| header.load_start_ns)
    }

    /// Where an arm stands at `t`; `None` before its first load.
    pub(crate) fn place(&self, arm: char, t: u64) -> Option<Place> {
        let header = self.header.as_deref()?;
        let concerns =
            |block: &&super::Block| block.t <= t && (block.arms.is_empty() || block.arms.contains(arm));
        let block = self.blocks.iter().rev().find(concerns)?;
        // The phase line comes a moment after the load's start, which the header knows for the first block.
        let first = self.blocks.first().is_some_and(|first| first.t == block.t);
        let start = if first { header.load_start_ns.min(block.t) } else { block.t };
        let seconds = t.saturating_sub(start).min(self.length_ns()).div_ceil(SECOND);
        Some(Place { round: block.round, seconds: u32::try_from(seconds).unwrap_or(u32::MAX), start })
    }

    /// The block's load second at `t`, whichever arm it concerns, with its phase's index.
    pub(crate) fn progress(&self, t: u64) -> Option<(u64, usize)> {
        let header = self.header.as_deref()?;
        let block = self.blocks.iter().rev().find(|block| block.t <= t)?;
        let letter = block.arms.chars().next().or_else(|| header.arms.first().map(|arm| arm.letter))?;
        let start = self.place(letter, t)?.start;
        let at = t.saturating_sub(start).min(self.length_ns());
        let index = header.phases.iter().rposition(|phase| phase.start_ns <= at)?;
        Some((at, index))
    }

    /// A load second of an arm.
    pub(crate) fn second(&self, arm: char, round: u32, second: u32) -> Option<&Second> {
        self.seconds.get(&(arm, round))?.get(&second)
    }

    /// Load seconds `from..to` of an arm, those known.
    pub(crate) fn seconds(&self, arm: char, round: u32, from: u32, to: u32) -> impl Iterator<Item = &Second> {
        let known = self.seconds.get(&(arm, round));
        known.into_iter().flat_map(move |known| known.range(from..to.max(from)).map(|(_, second)| second))
    }

    /// The newest load second of an arm that lies before `t` and has been heard of.
    pub(crate) fn newest(&self, arm: char, t: u64) -> Option<(u32, &Second)> {
        let place = self.place(arm, t)?;
        let known = self.seconds.get(&(arm, place.round))?;
        known.range(..place.seconds).next_back().map(|(second, of)| (*second, of))
    }

    /// Every edge of an arm as it stood at `t`.
    pub(crate) fn edges(&self, arm: char, t: u64) -> impl Iterator<Item = &Edge> {
        let t = self.sampled_until(t);
        self.edge_lines(arm).filter_map(move |said| recent(said, t))
    }

    /// An edge's samples between two moments, oldest first.
    pub(crate) fn edge_between(
        &self,
        arm: char,
        caller: &str,
        callee: &str,
        from: u64,
        to: u64,
    ) -> &[(u64, Edge)] {
        let key = (arm, caller.to_owned(), callee.to_owned());
        self.edges.get(&key).map_or(&[], |said| between(said, from, to))
    }

    /// What is wrong in an arm at `t`, the worst first.
    pub(crate) fn symptoms(&self, arm: char, t: u64) -> Vec<Symptom> {
        incidents::symptoms(
            self.sampled_until(t),
            self.edge_lines(arm).map(Vec::as_slice),
            self.proc_lines(arm).map(Vec::as_slice),
        )
    }

    /// Calls that wait at the edge where most do, in the second that ends at `to`, as the report has it; `None` where
    /// no edge was heard of. What fetches events waits by nature.
    pub(crate) fn waiting(&self, arm: char, to: u64) -> Option<u64> {
        let newest = |said: &super::Said<Edge>| {
            let (_, edge) = between(said, to.saturating_sub(SECOND) + 1, to).last()?;
            (!edge.caller.is_empty()).then_some(edge.queue)
        };
        self.edge_lines(arm).filter_map(newest).max()
    }

    fn edge_lines(&self, arm: char) -> impl Iterator<Item = &super::Said<Edge>> {
        let of = self.edges.range((arm, String::new(), String::new())..);
        of.take_while(move |((a, ..), _)| *a == arm).map(|(_, said)| said)
    }

    /// Every process of an arm as it stood at `t`.
    pub(crate) fn procs(&self, arm: char, t: u64) -> impl Iterator<Item = &Proc> {
        let t = self.sampled_until(t);
        self.proc_lines(arm).filter_map(move |said| recent(said, t))
    }

    /// A process's rates at `t`; `None` where it has restarted since, or was heard of only once.
    pub(crate) fn rates(&self, arm: char, instance: &str, t: u64) -> Option<Rates> {
        let said = self.procs.get(&(arm, instance.to_owned()))?;
        let known = &said[..said.partition_point(|(at, _)| *at <= t)];
        let (now, after) = known.last()?;
        let (then, before) = known.iter().rev().find(|(then, _)| now - then >= NEAREST_NS)?;
        let seconds = (now - then) as f64 / SECOND as f64;
        if before.pid != after.pid || seconds > 10.0 {
            return None;
        }
        let per_second = |of: fn(&Proc) -> u64| Some(of(after).checked_sub(of(before))? as f64 / seconds);
        Some(Rates {
            cpu: per_second(|p| p.cpu_ns)? / 1e9,
            wait: per_second(|p| p.run_queue_ns)? / 1e9,
            switches: per_second(|p| p.switches)?,
        })
    }

    fn proc_lines(&self, arm: char) -> impl Iterator<Item = &super::Said<Proc>> {
        let of = self.procs.range((arm, String::new())..).take_while(move |((a, _), _)| *a == arm);
        of.map(|(_, said)| said)
    }

    /// CPU an arm used between two moments, ns; `None` without samples on both sides.
    /// A restarted process counts from zero again.
    pub(crate) fn cpu_ns(&self, arm: char, from: u64, to: u64) -> Option<u64> {
        let mut total = None;
        for said in self.proc_lines(arm) {
            let first = said.partition_point(|(t, _)| *t < from).saturating_sub(1);
            let inside = &said[first..said.partition_point(|(t, _)| *t <= to).max(first)];
            for pair in inside.windows(2) {
                let ((_, before), (_, after)) = (&pair[0], &pair[1]);
                let same = before.pid == after.pid && after.cpu_ns >= before.cpu_ns;
                let used = if same { after.cpu_ns - before.cpu_ns } else { after.cpu_ns };
                *total.get_or_insert(0) += used;
            }
        }
        total
    }

    /// The host as it was at `t`.
    pub(crate) fn host(&self, t: u64) -> Option<&Host> {
        recent(&self.hosts, self.sampled_until(t))
    }

    /// After a run's end nothing is sampled while it is judged: what was last stays to be seen.
    fn sampled_until(&self, t: u64) -> u64 {
        let last = self.hosts.last().map(|(at, _)| *at).filter(|_| self.end.is_some());
        last.map_or(t, |last| t.min(last))
    }

    /// Events up to `t`, oldest first.
    pub(crate) fn events(&self, t: u64) -> &[(u64, Event)] {
        &self.events[..self.events.partition_point(|(at, _)| *at <= t)]
    }

    /// The moment of the event after `t`, or before it.
    pub(crate) fn event_from(&self, t: u64, forward: bool) -> Option<u64> {
        let moments = || self.events.iter().map(|(at, _)| *at);
        if forward { moments().find(|at| *at > t) } else { moments().rfind(|at| *at < t) }
    }

    /// The arms' letters, A first.
    pub(crate) fn letters(&self) -> Vec<char> {
        self.header
            .as_deref()
            .map_or_else(Vec::new, |header| header.arms.iter().map(|arm| arm.letter).collect())
    }

    /// The plan of an arm.
    pub(crate) fn arm(&self, letter: char) -> Option<&record::Arm> {
        self.header.as_deref()?.arms.iter().find(|arm| arm.letter == letter)
    }
}

fn recent<T>(said: &[(u64, T)], t: u64) -> Option<&T> {
    let (at, what) = said[..said.partition_point(|(at, _)| *at <= t)].last()?;
    (t - at <= STALE_NS).then_some(what)
}

fn between<T>(said: &[(u64, T)], from: u64, to: u64) -> &[(u64, T)] {
    let first = said.partition_point(|(at, _)| *at < from);
    &said[first..said.partition_point(|(at, _)| *at <= to).max(first)]
}

#[cfg(test)]
mod tests {
    use record::{Entry, Line};

    use super::*;

    #[test]
    fn the_longest_queue_is_an_edges_and_not_that_of_events() {
        let edge = |caller: &str, callee: &str, queue| {
            let edge =
                Edge { arm: 'B', caller: caller.into(), callee: callee.into(), queue, ..Edge::default() };
            Line { t: SECOND, entry: Entry::Edge(edge) }
        };
        let lines = [edge("feed", "photo", 3), edge("feed", "profile", 7), edge("", "feed", 40)];
        let mut run = Run::default();
        run.take(&lines);
        assert_eq!((run.waiting('B', SECOND), run.waiting('A', SECOND)), (Some(7), None));
    }
}
