//! What is known of the run: lines folded so that any past second can be shown again.
//!
//! - [`second`]: a load second of an arm, its percentiles.
//! - [`ask`]: the run as it was at a moment: seconds, edges, processes, events.
//! - [`told`]: what it says of requests, expectations and scores up to a moment.

mod ask;
mod second;
mod told;

use std::collections::BTreeMap;
use std::sync::Arc;

use record::{Check, Edge, End, Entry, Event, Header, Host, Line, Proc, Score, Split, Trace};

pub(crate) use self::ask::{Place, Rates};
pub(crate) use self::second::{P999_SECONDS, Quantile, Second, believable};

/// Nanoseconds of a second.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// A stretch of load: all arms side by side, or one arm's turn.
#[derive(Clone, Debug)]
struct Block {
    t: u64,
    round: u32,
    arms: String,
}

/// Things said, each with its moment, in order.
type Said<T> = Vec<(u64, T)>;

/// The run so far.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The first line; nothing is drawn without.
    pub(crate) header: Option<Box<Header>>,
    /// The newest line's time, ns.
    pub(crate) now: u64,
    blocks: Vec<Block>,
    seconds: BTreeMap<(char, u32), BTreeMap<u32, Second>>,
    /// Seconds whose sums are out of date.
    dirty: BTreeMap<(char, u32), Vec<u32>>,
    edges: BTreeMap<(char, String, String), Said<Edge>>,
    procs: BTreeMap<(char, String), Said<Proc>>,
    hosts: Said<Host>,
    events: Said<Event>,
    checks: Said<Check>,
    scores: Said<Arc<Score>>,
    traces: Said<Arc<Trace>>,
    splits: Said<Arc<Split>>,
    /// The last line.
    pub(crate) end: Option<Box<End>>,
}

impl Run {
    /// Takes lines in, then brings sums and rolling percentiles up to date once.
    pub(crate) fn take<'a>(&mut self, lines: impl IntoIterator<Item = &'a Line>) {
        for line in lines {
            self.line(line);
        }
        self.settle();
    }

    fn line(&mut self, line: &Line) {
        let t = line.t;
        self.now = self.now.max(t);
        match &line.entry {
            Entry::Header(header) => self.header = Some(header.clone()),
            Entry::Phase(phase) if phase.index == 0 => {
                self.blocks.push(Block { t, round: phase.round, arms: phase.arms.clone() });
            }
            Entry::Window(window) => {
                let key = (window.arm, window.round);
                self.seconds.entry(key).or_default().entry(window.second).or_default().take(window);
                self.dirty.entry(key).or_default().push(window.second);
            }
            Entry::Edge(edge) => {
                let key = (edge.arm, edge.caller.clone(), edge.callee.clone());
                self.edges.entry(key).or_default().push((t, edge.clone()));
            }
            Entry::Proc(proc) => {
                self.procs.entry((proc.arm, proc.instance.clone())).or_default().push((t, proc.clone()));
            }
            Entry::Host(host) => self.hosts.push((t, host.clone())),
            Entry::Event(event) => self.events.push((t, event.clone())),
            Entry::Check(check) => self.checks.push((t, check.clone())),
            Entry::Score(score) => self.scores.push((t, Arc::new((**score).clone()))),
            Entry::Trace(trace) => self.traces.push((t, Arc::new((**trace).clone()))),
            Entry::Split(split) => self.splits.push((t, Arc::new((**split).clone()))),
            Entry::End(end) => self.end = Some(end.clone()),
            // A phase's begin is in the plan; costs and audits are told by scores and checks.
            Entry::Phase(_) | Entry::Cost(_) | Entry::Audit(_) => {}
        }
    }

    fn settle(&mut self) {
        for (key, mut changed) in std::mem::take(&mut self.dirty) {
            changed.sort_unstable();
            changed.dedup();
            let Some(known) = self.seconds.get_mut(&key) else { continue };
            for second in &changed {
                if let Some(second) = known.get_mut(second) {
                    second.sum();
                }
            }
            second::roll(known, &changed);
        }
    }
}
