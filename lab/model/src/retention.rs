//! What is kept in memory, and for how long: the record is the only thing that grows.
//!
//! | age | kept by [`Retention::Live`] | kept by [`Retention::Judged`] |
//! |---|---|---|
//! | up to [`DETAIL_SECONDS`] | everything | everything |
//! | up to [`THINNED_SECONDS`] | sums and percentiles of every second, CPU by steps of [`STEP_SECONDS`] | counts of every second and journey, its percentiles, a sample of processes a unit; edges |
//! | older | counts and histograms by segment, CPU by steps | counts and histograms by segment, a sample of processes a unit; edges |
//!
//! Of a run that goes on, is planned to be long and searches nothing they are [`LONG_DETAIL_SECONDS`] and
//! [`LONG_THINNED_SECONDS`].
//!
//! The rest is read back from the record by its index. A *segment* is a piece of the load's plan: it is cut where phases begin
//! and end, and where a step does; for the judge also where the units of intervals do ([`Run::unit_seconds`]). Sums and merged
//! histograms over phases and steps are therefore exact whatever the length of a run, and those over units where a run is
//! judged; a range that cuts a segment in two counts it by its first second. A run of less than ten minutes is kept whole by
//! both.
//!
//! What [`Retention::Live`] holds of a long run is flat after ten minutes but for CPU and traces by step, 4 KiB a minute for
//! two arms of seven journeys. Of requests that were kept it holds those that a view of what is kept in full shows. Of units
//! it knows nothing, and so a search, which compares the rates offered so far, needs them in full: the judge folds the record
//! once more when a longer run is over, and so does a gate while it goes on. What operations have cost is asked by the judge
//! alone, and is held only where the run that goes on is the one that is judged ([`Run::is_planned_long`]).

use std::collections::BTreeSet;
use std::sync::Arc;

use record::{Proc, Trace};

use crate::SECOND;
use crate::history::{History, join};
use crate::run::Run;
use crate::segments::Retention;
use crate::traces::foremost;
use crate::window::unit_seconds;

/// Seconds of a run that are kept in full detail: what a viewer scrubs back to.
pub const DETAIL_SECONDS: u64 = 600;
/// Seconds of a run of which every second is known: twenty minutes.
pub const THINNED_SECONDS: u64 = 1_200;
/// What is kept in full detail of a run that is planned to be long, while it goes on: five minutes.
pub const LONG_DETAIL_SECONDS: u64 = DETAIL_SECONDS / 2;
/// Seconds of such a run of which every one is known: ten minutes.
pub const LONG_THINNED_SECONDS: u64 = THINNED_SECONDS / 2;
/// Seconds that are joined of what is kept for the whole of a run while it goes on: a minute has two steps.
pub const STEP_SECONDS: u32 = 30;
/// Samples are looked through so often, ns: every time would cost more than what they take.
const INTERVAL_NS: u64 = 60 * SECOND;
/// The same while a run goes on: what has come since is held beside what is kept.
const INTERVAL_LIVE_NS: u64 = 10 * SECOND;

impl Run {
    /// The moment since which everything is known second by second, ns since the run's start: a view that shows an
    /// earlier one in detail reads it back from the record.
    pub fn detail_from(&self) -> u64 {
        let [detail, _] = self.kept_seconds();
        self.now.saturating_sub(detail * SECOND)
    }

    /// How long seconds are kept in full detail, and how long every one of them is known.
    fn kept_seconds(&self) -> [u64; 2] {
        let is_searching = !self.header.further.is_empty();
        if self.retention == Retention::Live && self.is_planned_long() && !is_searching {
            [LONG_DETAIL_SECONDS, LONG_THINNED_SECONDS]
        } else {
            [DETAIL_SECONDS, THINNED_SECONDS]
        }
    }

    /// Whether the run is known as the judge needs it; if not, its record has to be folded once more.
    pub fn is_judgeable(&self) -> bool {
        let is_whole = self.detail_from() == 0 && self.events_dropped == 0;
        self.retention == Retention::Judged || (is_whole && !self.is_planned_long())
    }

    /// Whether its plan takes longer than what is kept in full detail: its record is folded once more for the judge, however
    /// early it ends.
    pub fn is_planned_long(&self) -> bool {
        let ends = self.header.phases.iter().map(|phase| phase.start_ns + phase.length_ns);
        ends.max().unwrap_or(0) > DETAIL_SECONDS * SECOND
    }

    /// Takes what is too old out of memory.
    pub(crate) fn apply_limits(&mut self) {
        let [detail_from, thinned_from] =
            self.kept_seconds().map(|seconds| self.now.saturating_sub(seconds * SECOND));
        if detail_from == 0 {
            return;
        }
        self.thin_seconds(detail_from, thinned_from);
        let interval = match self.retention {
            Retention::Judged => INTERVAL_NS,
            Retention::Live => INTERVAL_LIVE_NS,
        };
        if self.now - self.segments.last_ns < interval {
            return;
        }
        self.segments.last_ns = self.now;
        match self.retention {
            // What was highest, what calls did, and how the machine was is asked of a whole run, and of the first of many rounds.
            Retention::Judged => {
                let (unit_s, cuts) = (unit_seconds(&self.header), self.moments_of_cuts());
                let samples = self.processes.values_mut();
                samples.for_each(|samples| thin(samples, detail_from, unit_s.into(), &cuts));
            }
            Retention::Live => {
                self.processes.values_mut().for_each(|samples| drop_before(samples, detail_from));
                self.edges.values_mut().for_each(|samples| drop_before(samples, detail_from));
                drop_before(&mut self.hosts, detail_from);
                self.join_steps(detail_from);
                self.drop_traces(detail_from);
            }
        }
    }

    /// Takes out requests that came before a moment and were among the slowest of their kind no longer by then, but not those that
    /// are the same as another arm's which stays: no view of that moment or of a later one shows them.
    fn drop_traces(&mut self, before: u64) {
        let (old, recent) = self.traces.split_at(self.traces.partition_point(|(t, _)| *t < before));
        let request = |trace: &Trace| (trace.round, trace.request);
        let foremost = foremost(old.iter().map(|(_, trace)| trace)).into_iter();
        let shown: BTreeSet<(u32, u64)> =
            foremost.chain(recent.iter().map(|(_, trace)| trace)).map(|trace| request(trace)).collect();
        self.traces.retain(|(t, trace)| *t >= before || shown.contains(&request(trace)));
    }

    /// Takes histograms out of seconds that leave full detail, and what is left out of those that are no longer known.
    fn thin_seconds(&mut self, detail_from: u64, thinned_from: u64) {
        for (turn, known) in &mut self.seconds {
            let Some(block) = self.blocks.iter().rev().find(|block| block.is_of(*turn)) else { continue };
            let (thinned, dropped) = self.segments.reached.get(turn).copied().unwrap_or_default();
            let reached =
                (block.second_at(detail_from).max(thinned), block.second_at(thinned_from).max(dropped));
            if reached == (thinned, dropped) {
                continue;
            }
            for (second, of) in known.range_mut(thinned..reached.0) {
                let windows = match self.retention {
                    Retention::Judged => of.thin(),
                    Retention::Live => of.fold(),
                };
                for window in windows {
                    self.counted.leave(&window);
                    let segment = self.segments.segment(*turn, *second, &window.journey);
                    segment.add_latencies(&window);
                    if self.retention == Retention::Live {
                        segment.add_counts(&window);
                    }
                }
            }
            while let Some(oldest) = known.first_entry().filter(|oldest| *oldest.key() < reached.1) {
                let (second, of) = oldest.remove_entry();
                for window in of.windows() {
                    self.segments.segment(*turn, second, &window.journey).add_counts(window);
                }
            }
            self.segments.reached.insert(*turn, reached);
        }
    }

    /// When phases and steps begin and end, ns of the run, and a second later: a sample may show what it is sampled at, or the
    /// second before.
    fn moments_of_cuts(&self) -> Vec<u64> {
        let seconds = |second: u64| self.blocks.iter().map(move |block| block.start + second * SECOND);
        let cuts = self.segments.cuts().iter().map(|cut| u64::from(*cut));
        let mut moments: Vec<u64> = cuts.flat_map(|cut| seconds(cut).chain(seconds(cut + 1))).collect();
        moments.sort_unstable();
        moments
    }

    /// Joins what is kept for the whole of a run into steps.
    fn join_steps(&mut self, before: u64) {
        let step_ns = u64::from(STEP_SECONDS) * SECOND;
        self.cpu_samples.values_mut().for_each(|samples| samples.join_before(before, step_ns));
        for block in &self.blocks {
            let second = block.second_at(before);
            self.trace_seconds.join_before(second, STEP_SECONDS, |turn| block.is_of(turn));
            let finished = self.finished.iter_mut().filter(|(turn, _)| block.is_of(**turn));
            finished.for_each(|(_, seconds)| join(seconds, second, STEP_SECONDS, |sum, more| *sum += more));
        }
    }
}

fn drop_before<T>(samples: &mut History<T>, t: u64) {
    let old = samples.partition_point(|(at, _)| *at < t);
    samples.drain(..old);
}

/// Keeps of old samples the first of each unit, the same for all processes so that they still add up, and those beside a restart:
/// from there a figure counts anew. The first after each of the `cuts` as well, and what is left out leaves its maxima behind: so
/// they are known, and each of its own phase.
fn thin(samples: &mut History<Arc<Proc>>, before: u64, unit_s: u64, cuts: &[u64]) {
    let is_first_of_unit = |t: u64| (t / SECOND).is_multiple_of(unit_s);
    let mut keep: Vec<bool> = (0..samples.len())
        .map(|at| {
            let (t, proc) = &samples[at];
            let restarts =
                |other: Option<&(u64, Arc<Proc>)>| other.is_some_and(|(_, other)| other.pid != proc.pid);
            let is_next_to_restart = restarts(samples.get(at + 1)) || at > 0 && restarts(samples.get(at - 1));
            let before_it = |t: u64| cuts.partition_point(|cut| *cut <= t);
            let is_first_after_cut = at == 0 || before_it(*t) > before_it(samples[at - 1].0);
            *t >= before || is_first_of_unit(*t) || is_next_to_restart || is_first_after_cut
        })
        .collect();
    carry_maxima(samples, &mut keep);
    let mut keep = keep.into_iter();
    samples.retain(|_| keep.next().unwrap_or(true));
}

/// Of samples that are left out, what a process had at most goes to the one that is kept before them: open sockets, and its
/// longest waits, if it was asked for them. If not, the first that was is kept.
fn carry_maxima(samples: &mut [(u64, Arc<Proc>)], keep: &mut [bool]) {
    let mut carrier = 0;
    for (at, is_kept) in keep.iter_mut().enumerate() {
        if *is_kept || samples[at].1.scraped && !samples[carrier].1.scraped {
            *is_kept = true;
            carrier = at;
            continue;
        }
        let left = samples[at].1.clone();
        let kept = Arc::make_mut(&mut samples[carrier].1);
        kept.sockets = kept.sockets.max(left.sockets);
        for (queue, us) in left.longest_waits.iter().filter(|_| left.scraped) {
            let longest = kept.longest_waits.entry(queue.clone()).or_default();
            *longest = (*us).max(*longest);
        }
    }
}
