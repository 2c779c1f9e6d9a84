//! What has left full detail, by segment of the load's plan: counts and merged histograms.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use record::{Header, Window};

use crate::SECOND;
use crate::block::Turn;
use crate::window::unit_seconds;

/// What is asked of a run, and so what it keeps of seconds that have left full detail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retention {
    /// Intervals, and everything else that a scorecard needs.
    #[default]
    Judged,
    /// What views and conditions need while the run goes on.
    Live,
}

/// What has left full detail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Segments {
    /// Seconds of the load at which segments begin, beside those at which units do.
    cuts: Vec<u32>,
    /// Seconds in a unit; more than any run has where segments are not cut by units.
    unit_seconds: u32,
    /// By segment's first second and journey.
    segments: BTreeMap<Turn, BTreeMap<(u32, String), Window>>,
    /// The first seconds that are not thinned, and not dropped.
    pub reached: BTreeMap<Turn, (u32, u32)>,
    /// When samples were looked through last, ns.
    pub last_ns: u64,
}

impl Segments {
    pub fn new(header: &Header, retention: Retention) -> Self {
        let second = |ns: u64| u32::try_from(ns / SECOND).unwrap_or(u32::MAX);
        let phases = header.phases.iter().chain(&header.further);
        let bounds = phases.flat_map(|phase| [phase.start_ns, phase.start_ns + phase.length_ns]);
        let steps = header.steps.iter().flat_map(|step| [step.start_ns, step.start_ns + step.length_ns]);
        let mut cuts: Vec<u32> = bounds.chain(steps).map(second).collect();
        cuts.push(0);
        cuts.sort_unstable();
        cuts.dedup();
        let unit_seconds = match retention {
            Retention::Judged => unit_seconds(header),
            Retention::Live => u32::MAX,
        };
        Self { cuts, unit_seconds, ..Self::default() }
    }

    /// Seconds of the load at which phases and steps begin and end.
    pub fn cuts(&self) -> &[u32] {
        &self.cuts
    }

    /// Whether a second cannot change any more since it has left full detail.
    pub fn is_past(&self, turn: Turn, second: u32) -> bool {
        self.reached.get(&turn).is_some_and(|(thinned, _)| second < *thinned)
    }

    /// What segments that begin in these seconds hold of seconds that were thinned or dropped.
    pub fn windows(&self, turn: Turn, from: u32, to: u32) -> impl Iterator<Item = &Window> {
        let of = self.segments.get(&turn).into_iter();
        of.flat_map(move |segments| {
            segments.range((from, String::new())..(to, String::new())).map(|(_, window)| window)
        })
    }

    /// The segment that a second of a journey belongs to.
    pub fn segment(&mut self, turn: Turn, second: u32, journey: &str) -> &mut Window {
        let at = self.cuts.partition_point(|cut| *cut <= second).saturating_sub(1);
        let unit = self.unit_seconds.max(1);
        let start = self.cuts.get(at).copied().unwrap_or(0).max(second / unit * unit);
        match self.segments.entry(turn).or_default().entry((start, journey.to_owned())) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Window {
                arm: turn.0,
                round: turn.1,
                journey: journey.to_owned(),
                second: start,
                closed: true,
                ..Window::default()
            }),
        }
    }
}
