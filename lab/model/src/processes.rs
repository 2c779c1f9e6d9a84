//! Processes of an arm: CPU, memory and the rest of what was sampled once a second.
//!
//! CPU is in cores everywhere: seconds of CPU per second. A displayed figure is taken over the last [`CPU_NS`],
//! interpolated at both ends, and a restarted process counts from its start.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use record::Proc;

use crate::cpu_samples::{Expenditure, KnownCpu};
use crate::edges::QUEUE_NS;
use crate::history::{History, inside, newest, until};
use crate::moment::Position;
use crate::run::Run;
use crate::segments::Retention;
use crate::window::TimeRange;
use crate::{SECOND, Window, seconds_of};

/// A displayed CPU figure is taken over this time, ns: samples come once a second and not to the millisecond.
pub const CPU_NS: u64 = QUEUE_NS;
/// When an arm is at rest, ns before its load: from when its start is over until the generator gets ready to send.
const REST_NS: Range<u64> = SECOND / 2..2 * SECOND;
/// Bytes of a MiB.
pub const MIB: f64 = 1_048_576.0;
/// Bytes of a KiB.
const KIB: f64 = 1_024.0;

/// Whether a process serves.
pub fn is_up(proc: &Proc) -> bool {
    proc.state == "up"
}

/// Whether a process is gone: it has no figures then.
pub fn is_down(proc: &Proc) -> bool {
    proc.state == "down"
}

/// CPU since a process's start, seconds.
pub fn cpu_seconds(proc: &Proc) -> f64 {
    seconds_of(proc.cpu_ns)
}

/// Time runnable and not running since a process's start, seconds.
pub fn wait_seconds(proc: &Proc) -> f64 {
    seconds_of(proc.run_queue_ns)
}

/// Proportional set size, bytes.
pub fn memory_bytes(proc: &Proc) -> f64 {
    proc.pss_kib as f64 * KIB
}

/// What a process did in the last [`CPU_NS`], per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// CPU, cores.
    pub cpu: f64,
    /// Runnable and not running, cores.
    pub wait: f64,
    /// Context switches.
    pub switches: f64,
}

/// Processes together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum {
    /// What they did per second; `None` where none was sampled twice.
    pub rates: Option<Rates>,
    /// Proportional set size, KiB.
    pub pss_kib: u64,
    /// Threads.
    pub threads: u64,
    /// Open file descriptors.
    pub fds: u64,
    /// Restarts so far.
    pub restarts: u64,
    /// Bytes of their databases.
    pub db_bytes: u64,
}

impl Sum {
    /// The sum of processes, each with its rates.
    pub fn of<'a>(processes: impl IntoIterator<Item = (&'a Proc, Option<Rates>)>) -> Self {
        processes.into_iter().fold(Self::default(), |sum, (proc, rates)| Self {
            rates: sum.rates.into_iter().chain(rates).reduce(|a, b| Rates {
                cpu: a.cpu + b.cpu,
                wait: a.wait + b.wait,
                switches: a.switches + b.switches,
            }),
            pss_kib: sum.pss_kib + proc.pss_kib,
            threads: sum.threads + u64::from(proc.threads),
            fds: sum.fds + u64::from(proc.fds),
            restarts: sum.restarts + u64::from(proc.restarts),
            db_bytes: sum.db_bytes + proc.db_bytes,
        })
    }
}

impl Run {
    /// Samples of an arm's processes, by instance.
    pub fn processes(&self, arm: char) -> impl Iterator<Item = (&str, &[(u64, Arc<Proc>)])> {
        self.process_histories(arm).map(|((_, instance), samples)| (instance.as_str(), samples.as_slice()))
    }

    /// Whether it is known what its processes hold: of a simulated run only if its calibration knew.
    pub fn knows_memory(&self) -> bool {
        let arms = self.header.arms.iter().map(|arm| arm.letter);
        let histories = arms.flat_map(|arm| self.process_histories(arm));
        let mut newest = histories.filter_map(|(_, samples)| samples.as_slice().last());
        newest.any(|(_, proc)| proc.pss_kib > 0)
    }

    /// Every process of an arm as it stood at `t`.
    pub fn processes_at(&self, arm: char, t: u64) -> impl Iterator<Item = &Proc> {
        let t = self.sampled_until(t);
        self.process_histories(arm).filter_map(move |(_, samples)| newest(samples, t)).map(Arc::as_ref)
    }

    /// A process's rates at `t`; `None` where it was not sampled.
    pub fn rates_at(&self, arm: char, instance: &str, t: u64) -> Option<Rates> {
        let samples = self.processes.get(&(arm, instance.to_owned()))?;
        let t = until(samples, self.sampled_until(t)).last()?.0;
        let range = t.saturating_sub(CPU_NS)..t;
        let rate = |figure: fn(&Proc) -> u64| Some(growth(samples, &range, figure)?.rate());
        Some(Rates {
            cpu: rate(|proc| proc.cpu_ns)? / 1e9,
            wait: rate(|proc| proc.run_queue_ns)? / 1e9,
            switches: rate(|proc| proc.switches)?,
        })
    }

    /// CPU of an arm over the [`CPU_NS`] that end at `t`, cores: the sum of its processes' rates.
    pub fn cpu_cores_at(&self, arm: char, t: u64) -> Option<f64> {
        let range = t.saturating_sub(CPU_NS)..t;
        let used = self.process_histories(arm);
        let used = used.filter_map(|(_, samples)| growth(samples, &range, |proc| proc.cpu_ns));
        used.map(|growth| growth.rate() / 1e9).reduce(|a, b| a + b)
    }

    /// How fast a cumulative figure of a process's copies grew together over the [`CPU_NS`] that end at `t`, per second;
    /// `None` where none was sampled twice.
    pub fn copies_rate_at(
        &self,
        arm: char,
        process: &str,
        t: u64,
        figure: impl Fn(&Proc) -> u64 + Copy,
    ) -> Option<f64> {
        let range = t.saturating_sub(CPU_NS)..t;
        let is_copy = |instance: &str| record::process_of(instance) == process;
        let copies = self.process_histories(arm).filter(|((_, instance), _)| is_copy(instance));
        let growths = copies.filter_map(|(_, samples)| growth(samples, &range, figure));
        growths.map(Growth::rate).reduce(|a, b| a + b)
    }

    /// Proportional set size of an arm's processes together at `t`, bytes; `None` where none was sampled.
    pub fn memory_at(&self, arm: char, t: u64) -> Option<f64> {
        let held = self.processes_at(arm, t).map(|proc| proc.pss_kib).filter(|kib| *kib > 0);
        held.reduce(|a, b| a + b).map(|kib| kib as f64 * KIB)
    }

    /// CPU an arm's processes spent in a range, ns; `None` when they were not sampled in it.
    pub fn cpu_ns(&self, arm: char, range: &TimeRange) -> Option<u64> {
        self.grown(arm, range, |proc| proc.cpu_ns)
    }

    /// CPU an arm's processes spent in load seconds `from..to` of the round it stands in, ns, without what injected delays
    /// cost in them, as far as processes have reported that. Of seconds whose samples are known no longer, those in which a
    /// process ended are left out. `None` when processes were not sampled.
    pub fn own_cpu_ns_between(&self, arm: char, position: Position, from: u32, to: u32) -> Option<u64> {
        if from >= to {
            return None;
        }
        let round = position.round;
        let sampled_from = self.sampled_from(arm, round).clamp(from, to);
        let known = |seconds: Range<u32>| {
            let ranges = self.run_time(arm, &TimeRange { round, seconds });
            let samples = self.cpu_samples.get(&arm)?;
            ranges.iter().filter_map(|range| samples.known(range)).reduce(KnownCpu::plus)
        };
        let recent = match sampled_from < to {
            true => self.cpu_ns(arm, &TimeRange { round, seconds: sampled_from..to })?,
            false => 0,
        };
        let older = if from < sampled_from { known(from..sampled_from)?.total_ns } else { 0 };
        let injected = known(from..to).map_or(0, |cpu| cpu.injected_ns);
        Some((recent + older).saturating_sub(injected))
    }

    /// The first load second of which the samples of processes are there.
    fn sampled_from(&self, arm: char, round: u32) -> u32 {
        match self.segments.reached.get(&(arm, round)) {
            // The second's own samples come as it ends; those as it begins may be gone.
            Some((thinned, _)) if self.retention == Retention::Live && *thinned > 0 => thinned + 1,
            _ => 0,
        }
    }

    /// How much a cumulative figure of an arm's processes grew in a range; `None` when they were not sampled in it.
    pub fn grown(&self, arm: char, range: &TimeRange, figure: impl Fn(&Proc) -> u64 + Copy) -> Option<u64> {
        let ranges = self.run_time(arm, range);
        let mut total = None;
        for (_, samples) in self.process_histories(arm) {
            for growth in ranges.iter().filter_map(|range| growth(samples, range, figure)) {
                *total.get_or_insert(0) += growth.amount as u64;
            }
        }
        total
    }

    /// How much a cumulative figure of each process grew while an arm had its load, by instance: of its own processes, or of
    /// the lab's, whose `owner` is `-`. Those that were not sampled then are left out.
    pub fn grown_by_instance(
        &self,
        owner: char,
        arm: char,
        range: &TimeRange,
        figure: impl Fn(&Proc) -> u64 + Copy,
    ) -> BTreeMap<String, u64> {
        let ranges = self.run_time(arm, range);
        let mut grown = BTreeMap::new();
        for ((_, instance), samples) in self.process_histories(owner) {
            for growth in ranges.iter().filter_map(|range| growth(samples, range, figure)) {
                *grown.entry(instance.clone()).or_default() += growth.amount as u64;
            }
        }
        grown
    }

    /// The same of a figure that processes report of themselves; `None` where one that ran did not report: what it did is not
    /// known then, and is not 0. Records of version 1 do not say whether it did.
    pub fn reported(
        &self,
        arm: char,
        range: &TimeRange,
        figure: impl Fn(&Proc) -> u64 + Copy,
    ) -> Option<u64> {
        let ranges = self.run_time(arm, range);
        let is_missing = |samples: &[(u64, Arc<Proc>)]| {
            ranges.iter().any(|range| pairs(samples, range).any(|((_, a), (_, b))| !has_reported(a, b)))
        };
        let is_known = self.header.schema_version > 1;
        if is_known && self.processes(arm).any(|(_, samples)| is_missing(samples)) {
            return None;
        }
        self.grown(arm, range, figure)
    }

    /// CPU of an arm at rest by part, ns a second; `None` where processes did not report, or were not sampled then.
    pub fn idle_parts_ns_per_s(&self, arm: char, round: u32) -> Option<BTreeMap<String, f64>> {
        let (rest, spent) = self.spent_at_rest(arm, round)?;
        let seconds = seconds_of(rest.end - rest.start);
        Some(spent.parts?.into_iter().map(|(part, ns)| (part.to_owned(), ns as f64 / seconds)).collect())
    }

    fn spent_at_rest(&self, arm: char, round: u32) -> Option<(Range<u64>, Expenditure<'_>)> {
        let start = self.unit_time(arm, round, 0)?.start;
        let rest = start.checked_sub(REST_NS.end)?..start.checked_sub(REST_NS.start)?;
        let spent = self.cpu_samples.get(&arm)?.spent(&rest)?;
        Some((rest, spent))
    }

    /// CPU of an arm at rest, before a round's load: its processes serve, and nothing is asked of them. ns a second; `None`
    /// where they were not sampled then.
    pub fn idle_ns_per_s(&self, arm: char, round: u32) -> Option<f64> {
        let (rest, spent) = self.spent_at_rest(arm, round)?;
        Some(spent.total_ns as f64 / seconds_of(rest.end - rest.start))
    }

    /// Seconds of a window in which a copy that holds a component was not up, as sampled once a second: the worst
    /// copy's; `None` where no process holds it.
    pub fn seconds_not_up(&self, arm: char, component: &str, window: &Window) -> Option<usize> {
        let ranges = self.run_time(arm, &self.whole(window));
        let holds = |samples: &[(u64, Arc<Proc>)]| {
            samples.iter().any(|(_, proc)| proc.components.iter().any(|c| c == component))
        };
        let copies = self.process_histories(arm).filter(|(_, samples)| holds(samples));
        copies.map(|(_, samples)| inside(samples, &ranges).filter(|(_, proc)| !is_up(proc)).count()).max()
    }

    /// Spans of an arm that no collector took, as its processes count them. What a killed process had not sent yet is
    /// not among them: that is lost by nature.
    pub fn spans_lost(&self, arm: char) -> u64 {
        let last =
            |samples: &History<Arc<Proc>>| samples.last().map(|(_, proc)| proc.spans[2] + proc.spans[3]);
        self.process_histories(arm).filter_map(|(_, samples)| last(samples)).sum()
    }

    pub(crate) fn process_histories(
        &self,
        arm: char,
    ) -> impl Iterator<Item = (&(char, String), &History<Arc<Proc>>)> {
        self.processes.range((arm, String::new())..).take_while(move |((a, _), _)| *a == arm)
    }
}

/// How much a cumulative figure grew, and over which time of it samples are known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Growth {
    pub amount: f64,
    covered_ns: u64,
}

impl Growth {
    fn rate(self) -> f64 {
        self.amount / seconds_of(self.covered_ns)
    }
}

/// A process at a moment.
pub(crate) type Sample = (u64, Arc<Proc>);

/// Neighbouring samples whose time overlaps a range.
fn pairs<'a>(
    samples: &'a [(u64, Arc<Proc>)],
    range: &'a Range<u64>,
) -> impl Iterator<Item = (&'a Sample, &'a Sample)> {
    let first = samples.partition_point(|(t, _)| *t <= range.start).saturating_sub(1);
    let pairs = samples[first..].windows(2).map(|pair| (&pair[0], &pair[1]));
    let pairs = pairs.take_while(|((from, _), _)| *from < range.end);
    pairs.filter(|((from, _), (to, _))| range.start.max(*from) < range.end.min(*to))
}

/// Whether what a process reports of itself is known between two samples. One that spent nothing has nothing to report, and
/// one that has begun since counts from 0.
fn has_reported(before: &Proc, now: &Proc) -> bool {
    let is_idle = before.pid == now.pid && before.cpu_ns == now.cpu_ns;
    is_idle || now.scraped && (before.scraped || before.pid != now.pid)
}

/// How much a cumulative figure grew in a range, interpolated at its ends; a figure that fell belongs to a restarted
/// process and counts from 0.
pub(crate) fn growth(
    samples: &[(u64, Arc<Proc>)],
    range: &Range<u64>,
    figure: impl Fn(&Proc) -> u64,
) -> Option<Growth> {
    let mut growth = Growth { amount: 0.0, covered_ns: 0 };
    for ((t0, a), (t1, b)) in pairs(samples, range) {
        let (from, to) = (range.start.max(*t0), range.end.min(*t1));
        let grown = if b.pid == a.pid { figure(b).saturating_sub(figure(a)) } else { figure(b) };
        growth.amount += grown as f64 * (to - from) as f64 / (t1 - t0) as f64;
        growth.covered_ns += to - from;
    }
    (growth.covered_ns > 0).then_some(growth)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::SECOND;

    fn sample(t: u64, pid: u32, cpu_ns: u64) -> (u64, Arc<Proc>) {
        (t, Arc::new(Proc { pid, cpu_ns, ..Proc::default() }))
    }

    #[test]
    fn cpu_of_a_range_is_interpolated_and_survives_a_restart() {
        let samples = [sample(0, 1, 0), sample(100, 1, 50), sample(200, 2, 30), sample(300, 2, 40)];
        let spent = |range| growth(&samples, &range, |p| p.cpu_ns).map(|growth| growth.amount as u64);
        // Half of the first 50.
        assert_eq!(spent(50..100), Some(25));
        // The second process starts from nothing: 30, then 10 more.
        assert_eq!(spent(100..300), Some(40));
        assert_eq!(spent(400..500), None);
    }

    fn add(run: &mut Run, t: u64, proc: Proc) {
        let proc = Proc { arm: 'A', instance: "app#0".into(), ..proc };
        run.add(&record::Line { t, entry: record::Entry::from(proc) });
    }

    /// A run of which one round's load begins at `start_s`, and takes five seconds.
    fn run_from(start_s: u64) -> Run {
        let steady =
            record::PhasePlan { name: "steady".into(), start_ns: 0, length_ns: 5 * SECOND, measure: true };
        let mut run = Run::new(record::Header {
            schema_version: record::SCHEMA_VERSION,
            load_start_ns: start_s * SECOND,
            phases: vec![steady],
            rounds: 1,
            ..record::Header::default()
        });
        let phase = record::Phase { index: 0, name: "steady".into(), round: 1, arms: String::new() };
        run.add(&record::Line { t: start_s * SECOND, entry: record::Entry::Phase(phase) });
        run
    }

    #[test]
    fn a_missed_scrape_is_missing_and_not_0() {
        let mut run = run_from(0);
        for second in 0..=5_u64 {
            let scraped = second != 2;
            let spans = [if scraped { 10 * second } else { 0 }, 0, 0, 0];
            let proc = Proc { pid: 1, cpu_ns: 100 * second, scraped, spans, ..Proc::default() };
            add(&mut run, second * SECOND, proc);
        }
        let of =
            |seconds: Range<u32>| run.reported('A', &TimeRange { round: 1, seconds }, |proc| proc.spans[0]);
        let each: Vec<_> = (0..5).map(|second| of(second..second + 1)).collect();
        assert_eq!(each, [Some(10), None, None, Some(10), Some(10)]);
        assert_eq!(of(0..5), None, "what it did in between is not known");
        let cpu = run.grown('A', &TimeRange { round: 1, seconds: 0..5 }, |proc| proc.cpu_ns);
        assert_eq!(cpu, Some(500), "the kernel was asked all the same");
    }

    #[test]
    fn a_process_that_stands_still_need_not_report_and_a_new_one_counts_from_its_start() {
        let mut run = run_from(0);
        let proc = |pid, cpu_ns, spans, scraped| Proc {
            pid,
            cpu_ns,
            scraped,
            spans: [spans, 0, 0, 0],
            ..Proc::default()
        };
        let samples = [
            proc(1, 100, 10, true),
            proc(1, 100, 0, false),
            proc(1, 0, 0, false),
            proc(1, 0, 0, false),
            proc(2, 50, 7, true),
        ];
        for (second, proc) in (0..).zip(samples) {
            add(&mut run, second * SECOND, proc);
        }
        let of = |second: u32| {
            run.reported('A', &TimeRange { round: 1, seconds: second..second + 1 }, |proc| proc.spans[0])
        };
        // Paused, killed, gone, begun again.
        assert_eq!([0, 1, 2, 3].map(of), [Some(0), None, Some(0), Some(7)]);
    }

    #[test]
    fn at_rest_is_what_was_spent_between_ready_and_load() {
        let mut run = run_from(3);
        // Samples at 0.5, 1.5, .. s: 40 ms a second at rest, 500 ms under load.
        for sample in 0..6_u64 {
            let cpu_ns = SECOND / 25 * sample.min(2) + SECOND / 2 * sample.saturating_sub(2);
            add(&mut run, sample * SECOND + SECOND / 2, Proc { pid: 1, cpu_ns, ..Proc::default() });
        }
        assert_eq!(run.idle_ns_per_s('A', 1), Some(40_000_000.0));
        assert_eq!((run.idle_ns_per_s('A', 2), run.idle_ns_per_s('B', 1)), (None, None));
        let mut late = run_from(1);
        add(&mut late, SECOND / 2, Proc { pid: 1, ..Proc::default() });
        add(&mut late, 3 * SECOND / 2, Proc { pid: 1, cpu_ns: 5, ..Proc::default() });
        assert_eq!(late.idle_ns_per_s('A', 1), None, "the load began at once");
    }

    #[test]
    fn copies_of_a_process_count_together_and_those_of_others_do_not() {
        let mut run = Run::default();
        let mut copy = |instance: &str, second: u64, finished: u64| {
            let work = BTreeMap::from([("photo".to_owned(), [finished, 0])]);
            let proc = Proc { arm: 'A', pid: 1, instance: instance.to_owned(), work, ..Proc::default() };
            run.add(&record::Line { t: second * SECOND, entry: record::Entry::from(proc) });
        };
        for second in 0..4 {
            copy("photo#0", second, 30 * second);
            copy("photos#0", second, 1_000 * second);
        }
        copy("photo#1", 2, 0);
        copy("photo#1", 3, 12);
        let rate =
            |t| run.copies_rate_at('A', "photo", t, |proc| proc.work.get("photo").map_or(0, |work| work[0]));
        assert_eq!(rate(2 * SECOND), Some(30.0));
        assert_eq!(rate(3 * SECOND), Some(42.0), "the second copy for the second that it is known");
        assert_eq!(run.copies_rate_at('B', "photo", 3 * SECOND, |proc| proc.cpu_ns), None);
    }

    #[test]
    fn a_displayed_rate_is_over_two_seconds_and_less_where_less_is_known() {
        let mut run = Run::default();
        for second in 0..=3 {
            let (t, proc) = sample(second * SECOND, 1, second * second * SECOND / 10);
            add(&mut run, t, Arc::unwrap_or_clone(proc));
        }
        let cpu = |s: u64| run.rates_at('A', "app#0", s * SECOND).map(|rates| rates.cpu);
        // 0, 0.1, 0.4, 0.9 s of CPU: in the last two seconds 0.8 s.
        assert_eq!((cpu(0), cpu(1), cpu(3)), (None, Some(0.1), Some(0.4)));
        assert_eq!(run.cpu_cores_at('A', 3 * SECOND), Some(0.4));
    }
}
