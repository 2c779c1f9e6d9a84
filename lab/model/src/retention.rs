//! What is kept in memory, and for how long: the record is the only thing that grows.
//!
//! | age | kept |
//! |---|---|
//! | up to [`DETAIL_SECONDS`] | everything |
//! | up to [`THINNED_SECONDS`] | counts of every second, its percentiles, a sample of processes a unit; histograms by segment |
//! | older | counts and histograms by segment; the rest is read back from the record by its index |
//!
//! A *segment* is a piece of the load's plan: it is cut where phases begin and end, where a step does, and where the units
//! of intervals do ([`Run::unit_seconds`]). Sums and merged histograms over phases, units and steps are therefore exact
//! whatever the length of a run, and the judge needs no second reading; a range that cuts a segment in two counts it by
//! its first second. A run of less than ten minutes is kept whole.

use record::Proc;

use crate::SECOND;
use crate::history::History;
use crate::run::Run;

/// Seconds of a run that are kept in full detail: what a viewer scrubs back to.
pub const DETAIL_SECONDS: u64 = 600;
/// Seconds of a run of which every second is known: half an hour. Two arms of six journeys at 360 arrivals a second, eight
/// processes and 24 edges take 8 MiB for ten minutes of it.
pub const THINNED_SECONDS: u64 = 1_800;
/// Samples are looked through so often, ns: every time would cost more than what they take.
const INTERVAL_NS: u64 = 60 * SECOND;

impl Run {
    /// The moment since which everything is known second by second, ns since the run's start: a view that shows an
    /// earlier one in detail reads it back from the record.
    pub fn detail_from(&self) -> u64 {
        self.now.saturating_sub(DETAIL_SECONDS * SECOND)
    }

    /// Takes what is too old out of memory.
    pub(crate) fn apply_limits(&mut self) {
        let [detail_from, thinned_from] =
            [DETAIL_SECONDS, THINNED_SECONDS].map(|seconds| self.now.saturating_sub(seconds * SECOND));
        if detail_from == 0 {
            return;
        }
        let blocks = self.blocks.clone();
        for (turn, known) in &mut self.seconds {
            let Some(block) = blocks.iter().rev().find(|block| block.is_of(*turn)) else { continue };
            let before = |t: u64| u32::try_from(t.saturating_sub(block.start) / SECOND).unwrap_or(u32::MAX);
            let (thinned, dropped) = self.segments.reached.get(turn).copied().unwrap_or_default();
            let reached = (before(detail_from).max(thinned), before(thinned_from).max(dropped));
            if reached == (thinned, dropped) {
                continue;
            }
            for (second, of) in known.range_mut(thinned..reached.0) {
                for histograms in of.thin() {
                    let segment = self.segments.segment(*turn, *second, &histograms.journey);
                    segment.add_latencies(&histograms);
                }
            }
            let kept = known.split_off(&reached.1);
            for (second, of) in std::mem::replace(known, kept) {
                for window in of.windows() {
                    self.segments.segment(*turn, second, &window.journey).add_counts(window);
                }
            }
            self.segments.reached.insert(*turn, reached);
        }
        if self.now - self.segments.last_ns < INTERVAL_NS {
            return;
        }
        self.segments.last_ns = self.now;
        for samples in self.processes.values_mut() {
            drop_before(samples, thinned_from);
            thin(samples, detail_from, u64::from(self.segments.unit_seconds.max(1)));
        }
        self.edges.values_mut().for_each(|samples| drop_before(samples, thinned_from));
        drop_before(&mut self.hosts, thinned_from);
    }
}

fn drop_before<T>(samples: &mut History<T>, t: u64) {
    let old = samples.partition_point(|(at, _)| *at < t);
    samples.drain(..old);
}

/// Keeps of old samples those of the seconds at which units begin, the same for all processes so that they still add up, and those
/// beside a restart: from there a figure counts anew.
fn thin(samples: &mut History<Proc>, before: u64, step_s: u64) {
    let is_step = |t: u64| (t / SECOND).is_multiple_of(step_s);
    let keep: Vec<bool> = (0..samples.len())
        .map(|at| {
            let (t, proc) = &samples[at];
            let restarts =
                |other: Option<&(u64, Proc)>| other.is_some_and(|(_, other)| other.pid != proc.pid);
            let is_next_to_restart = restarts(samples.get(at + 1)) || at > 0 && restarts(samples.get(at - 1));
            *t >= before || is_step(*t) || is_next_to_restart
        })
        .collect();
    let mut keep = keep.into_iter();
    samples.retain(|_| keep.next().unwrap_or(true));
}
