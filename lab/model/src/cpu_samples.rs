//! CPU and requests of an arm between one sample of its processes and the next, by part, folded as samples come.
//!
//! Everything is whole and adds up: the parts of an interval are its total, to the nanosecond. An interval in which a
//! process ended, was not there to be asked, or was not sampled for longer than [`MAX_GAP_NS`] is missing, not 0.
//!
//! What tasks spend comes from sampled polls that are scaled up, and may therefore come out above what the workers that
//! run them spent. The excess is booked to the next interval: sums over a phase are right, and no part is negative.

mod join;
mod spent;

use std::collections::BTreeMap;

use record::Proc;

use crate::SECOND;

pub(crate) use spent::{Expenditure, KnownCpu};

/// Samples come once a second; further apart than this, a second had no sample of its own.
const MAX_GAP_NS: u64 = 2 * SECOND;

/// Threads of the database, and what tasks spend on it.
const DATABASE: usize = 0;
/// Threads of the telemetry exporter, and what tasks spend on it.
const TELEMETRY: usize = 1;
/// Workers outside of tasks: waking up, polling sockets, going to sleep.
const WAKING: usize = 2;
/// Threads that are none of the above.
const OTHER: usize = 3;
/// What tasks spend on injected delays; the thread that ends these belongs to it.
pub const INJECTED: &str = "injected";
/// The parts that do not come from tasks alone.
const FIXED: [&str; 4] = ["database", "telemetry", "waking", "other"];

/// Samples of one arm.
#[derive(Clone, Debug)]
pub(crate) struct CpuSamples {
    /// Parts by their place in [`SelfReport::parts`].
    names: Vec<String>,
    processes: BTreeMap<String, LastSample>,
    /// Of tasks, what is still to be booked.
    carried: Vec<u64>,
    intervals: Vec<Interval>,
    /// The newest sample, whose interval ends with it.
    newest: Option<Sample>,
}

/// What is known of a process.
#[derive(Clone, Debug)]
struct LastSample {
    pid: u32,
    kernel: Kernel,
    own: Option<SelfReport>,
    /// When it was sampled last.
    t: u64,
}

/// What the kernel accounts to a process, or to some, ns.
#[derive(Clone, Copy, Debug, Default)]
struct Kernel {
    total: u64,
    workers: u64,
    database: u64,
    telemetry: u64,
}

/// What a process, or some, report of themselves.
#[derive(Clone, Debug, Default)]
struct SelfReport {
    /// CPU by part, ns.
    parts: Vec<u64>,
    /// Requests on the wire.
    requests: u64,
}

/// Growth since the sample before, as far as its lines have come.
#[derive(Clone, Debug)]
struct Sample {
    /// The sample before; `None` of the first.
    from: Option<u64>,
    t: u64,
    kernel: Option<Kernel>,
    own: Option<SelfReport>,
}

/// What an arm's processes spent between two samples.
#[derive(Clone, Debug)]
struct Interval {
    from: u64,
    to: u64,
    total: u64,
    own: Option<SelfReport>,
}

impl Default for CpuSamples {
    fn default() -> Self {
        Self {
            names: FIXED.map(str::to_owned).to_vec(),
            processes: BTreeMap::new(),
            carried: Vec::new(),
            intervals: Vec::new(),
            newest: None,
        }
    }
}

impl CpuSamples {
    /// Takes a process of a sample in; those of one sample have one moment.
    pub fn add(&mut self, t: u64, proc: &Proc) {
        if self.newest.as_ref().is_none_or(|newest| newest.t != t) {
            self.begin(t);
        }
        let own = proc.scraped.then(|| self.own(proc));
        let kernel = Kernel {
            total: proc.cpu_ns,
            // The thread of the timer does a part of the injected work, as the workers do.
            workers: proc.cpu_workers_ns + proc.cpu_timer_ns,
            database: proc.cpu_db_ns,
            telemetry: proc.cpu_telemetry_ns,
        };
        let now = LastSample { pid: proc.pid, kernel, own, t };
        let before = self.processes.get(&proc.instance);
        let (grown, own, now) = now.since(before);
        self.processes.insert(proc.instance.clone(), now);
        if let Some(newest) = &mut self.newest {
            newest.kernel = newest.kernel.zip(grown).map(|(sum, more)| sum.plus(more));
            newest.own = newest.own.take().zip(own).map(|(sum, more)| sum.plus(&more));
        }
    }

    /// The lines of the newest sample are complete: another begins.
    fn begin(&mut self, t: u64) {
        if let Some((interval, carried)) = self.interval() {
            self.intervals.push(interval);
            self.carried = carried;
        }
        let from = self.newest.as_ref().map(|newest| newest.t);
        // What was not sampled any more is gone: if it comes back it is another process.
        self.processes.retain(|_, known| Some(known.t) == from);
        self.newest =
            Some(Sample { from, t, kernel: Some(Kernel::default()), own: Some(SelfReport::default()) });
    }

    /// The interval that ends with the newest sample, and what of tasks is booked to the next; `None` where it is missing.
    fn interval(&self) -> Option<(Interval, Vec<u64>)> {
        let newest = self.newest.as_ref()?;
        let (from, to, kernel) = (newest.from?, newest.t, newest.kernel?);
        let is_there = |known: &LastSample| known.t == to || known.kernel.total == 0;
        if to <= from || to - from > MAX_GAP_NS || !self.processes.values().all(is_there) {
            return None;
        }
        let (own, carried) = match &newest.own {
            Some(own) => {
                let (parts, carried) = kernel.split(&own.parts, &self.carried);
                (Some(SelfReport { parts, requests: own.requests }), carried)
            }
            None => (None, self.carried.clone()),
        };
        Some((Interval { from, to, total: kernel.total, own }, carried))
    }

    fn own(&mut self, proc: &Proc) -> SelfReport {
        let mut own = SelfReport { parts: vec![0; self.names.len()], requests: proc.requests };
        let of_tasks = proc.parts.iter().map(|(part, ns)| (part.as_str(), *ns));
        let of_timer = (proc.cpu_timer_ns > 0).then_some((INJECTED, proc.cpu_timer_ns));
        for (part, ns) in of_tasks.chain(of_timer) {
            let at = self.names.iter().position(|name| name == part).unwrap_or_else(|| {
                self.names.push(part.to_owned());
                own.parts.push(0);
                self.names.len() - 1
            });
            own.parts[at] += ns;
        }
        own
    }
}

impl LastSample {
    /// What grew since a process was sampled before, and what is known of it now. One that was not there began since.
    fn since(self, before: Option<&Self>) -> (Option<Kernel>, Option<SelfReport>, Self) {
        let begun = Self { pid: self.pid, kernel: Kernel::default(), own: Some(SelfReport::default()), t: 0 };
        let before = match before {
            None => &begun,
            Some(before) if before.pid != self.pid && before.kernel.total == 0 => &begun,
            // What the one before spent until it ended is not known.
            Some(before) if before.pid != self.pid => return (None, None, self),
            Some(before) => before,
        };
        if self.kernel.total < before.kernel.total {
            return (
                None,
                None,
                Self { kernel: Kernel::default(), own: Some(SelfReport::default()), ..self },
            );
        }
        let kernel = self.kernel.minus(before.kernel);
        let idle = kernel.total == 0;
        let grown = match (&self.own, &before.own) {
            (Some(now), Some(before)) => Some(now.minus(before)),
            _ => idle.then(SelfReport::default),
        };
        // A process that has spent nothing, since it stands still, has nothing to report either.
        let own = self.own.or_else(|| before.own.clone().filter(|_| idle));
        (Some(kernel), grown, Self { own, ..self })
    }
}

impl Kernel {
    fn plus(self, more: Self) -> Self {
        Self {
            total: self.total + more.total,
            workers: self.workers + more.workers,
            database: self.database + more.database,
            telemetry: self.telemetry + more.telemetry,
        }
    }

    fn minus(self, before: Self) -> Self {
        Self {
            total: self.total.saturating_sub(before.total),
            workers: self.workers.saturating_sub(before.workers),
            database: self.database.saturating_sub(before.database),
            telemetry: self.telemetry.saturating_sub(before.telemetry),
        }
    }

    /// The total by part, ns, and what of tasks is beyond what their workers spent.
    fn split(self, tasks: &[u64], carried: &[u64]) -> (Vec<u64>, Vec<u64>) {
        let length = tasks.len().max(carried.len()).max(FIXED.len());
        let at = |list: &[u64], index: usize| list.get(index).copied().unwrap_or(0);
        let tasks: Vec<u64> = (0..length).map(|i| at(tasks, i) + at(carried, i)).collect();
        let in_tasks: u64 = tasks.iter().sum();
        // Each is a part of the total; never more of it than is left.
        let database = self.database.min(self.total);
        let telemetry = self.telemetry.min(self.total - database);
        let workers = self.workers.min(self.total - database - telemetry);
        let mut parts = tasks.clone();
        if in_tasks > workers {
            let mut sum = 0;
            for part in &mut parts {
                let before = scaled(sum, workers, in_tasks);
                sum += *part;
                *part = scaled(sum, workers, in_tasks) - before;
            }
        }
        let left = tasks.iter().zip(&parts).map(|(all, booked)| all - booked).collect();
        parts[WAKING] += workers.saturating_sub(in_tasks);
        parts[DATABASE] += database;
        parts[TELEMETRY] += telemetry;
        parts[OTHER] += self.total - database - telemetry - workers;
        (parts, left)
    }
}

impl SelfReport {
    fn plus(mut self, more: &Self) -> Self {
        self.parts.resize(self.parts.len().max(more.parts.len()), 0);
        self.parts.iter_mut().zip(&more.parts).for_each(|(sum, ns)| *sum += ns);
        self.requests += more.requests;
        self
    }

    fn minus(&self, before: &Self) -> Self {
        let before_of = |index: usize| before.parts.get(index).copied().unwrap_or(0);
        let parts = self.parts.iter().enumerate();
        Self {
            parts: parts.map(|(index, ns)| ns.saturating_sub(before_of(index))).collect(),
            requests: self.requests.saturating_sub(before.requests),
        }
    }
}

/// `amount * part / whole`, rounded down.
fn scaled(amount: u64, part: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(amount) * u128::from(part) / u128::from(whole.max(1))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that reports tasks' CPU as `(part, ns)` and a hundredth of its CPU as requests.
    fn proc(instance: &str, pid: u32, cpu_ns: u64, workers: u64, parts: &[(&str, u64)]) -> Proc {
        Proc {
            instance: instance.into(),
            pid,
            cpu_ns,
            cpu_workers_ns: workers,
            scraped: true,
            parts: parts.iter().map(|(part, ns)| ((*part).to_owned(), *ns)).collect(),
            requests: cpu_ns / 100,
            ..Proc::default()
        }
    }

    fn samples(procs: &[(u64, Proc)]) -> CpuSamples {
        let mut samples = CpuSamples::default();
        procs.iter().for_each(|(t, proc)| samples.add(t * SECOND, proc));
        samples
    }

    fn spent(samples: &CpuSamples, from: u64, to: u64) -> Option<Expenditure<'_>> {
        samples.spent(&(from * SECOND..to * SECOND))
    }

    fn total(samples: &CpuSamples, from: u64, to: u64) -> Option<u64> {
        spent(samples, from, to).map(|spent| spent.total_ns)
    }

    #[test]
    fn parts_are_the_total_to_the_nanosecond() {
        let database = Proc {
            cpu_db_ns: 200,
            cpu_telemetry_ns: 50,
            ..proc("a", 1, 1_000, 700, &[("business", 400), ("database", 7)])
        };
        let samples = samples(&[(0, proc("a", 1, 0, 0, &[])), (1, database)]);
        let all = spent(&samples, 0, 1).expect("two samples");
        let parts = all.parts.expect("reported");
        // 700 of workers, 407 of them in tasks; 200 + 50 of threads of their own; 50 of unknown threads.
        let expected =
            [("business", 400), ("database", 207), ("other", 50), ("telemetry", 50), ("waking", 293)];
        assert_eq!(parts, expected.into_iter().collect());
        assert_eq!((all.total_ns, all.requests), (1_000, Some(10)));
        for (from, to) in [(0, 333_333_333), (333_333_333, 999_999_999), (1, SECOND)] {
            let some = samples.spent(&(from..to)).expect("between the samples");
            assert_eq!(some.parts.expect("reported").values().sum::<u64>(), some.total_ns, "{from}..{to}");
        }
        let requests =
            |from, to| samples.spent(&(from..to)).and_then(|spent| spent.requests).expect("reported");
        assert_eq!(requests(0, 333_333_333) + requests(333_333_333, SECOND), 10, "none is lost in between");
    }

    #[test]
    fn the_thread_that_ends_injected_waits_is_a_part_of_what_is_injected() {
        let timed = Proc { cpu_timer_ns: 60, ..proc("a", 1, 200, 100, &[("business", 30), (INJECTED, 10)]) };
        let samples = samples(&[(0, proc("a", 1, 0, 0, &[])), (1, timed)]);
        let parts = spent(&samples, 0, 1).and_then(|spent| spent.parts).expect("reported");
        // 10 of tasks and 60 of the thread; 60 of the workers outside of tasks; 40 of unknown threads.
        assert_eq!((parts[INJECTED], parts["waking"], parts["other"]), (70, 60, 40));
    }

    #[test]
    fn what_polls_count_beyond_their_workers_is_booked_to_the_next_second() {
        let samples = samples(&[
            (0, proc("a", 1, 0, 0, &[])),
            (1, proc("a", 1, 100, 100, &[("business", 120), ("encoding", 40)])),
            (2, proc("a", 1, 300, 300, &[("business", 150), ("encoding", 50)])),
        ]);
        let part =
            |from, to, name| spent(&samples, from, to).and_then(|spent| spent.parts?.get(name).copied());
        // 160 of tasks in 100 of workers: three quarters are business.
        assert_eq!((part(0, 1, "business"), part(0, 1, "encoding")), (Some(75), Some(25)));
        assert_eq!(part(0, 1, "waking"), Some(0));
        // Over both seconds nothing is lost: 150 and 50 of 300.
        assert_eq!(
            (part(0, 2, "business"), part(0, 2, "encoding"), part(0, 2, "waking")),
            (Some(150), Some(50), Some(100))
        );
    }

    #[test]
    fn a_second_without_a_scrape_has_a_total_and_no_parts() {
        let unanswered = Proc { scraped: false, ..proc("a", 1, 200, 200, &[]) };
        let samples = samples(&[
            (0, proc("a", 1, 0, 0, &[])),
            (1, proc("a", 1, 100, 100, &[("business", 60)])),
            (2, unanswered),
            (3, proc("a", 1, 300, 300, &[("business", 90)])),
            (4, proc("a", 1, 400, 400, &[("business", 120)])),
        ]);
        let parts = |from, to| spent(&samples, from, to).map(|spent| (spent.parts.is_some(), spent.requests));
        assert_eq!(parts(0, 1), Some((true, Some(1))));
        assert_eq!(parts(1, 2), Some((false, None)), "not asked at its end");
        assert_eq!(parts(2, 3), Some((false, None)), "not asked at its begin");
        assert_eq!(parts(3, 4), Some((true, Some(1))));
        assert_eq!(total(&samples, 1, 3), Some(200), "the kernel knows");
    }

    #[test]
    fn a_process_that_stands_still_has_spent_nothing_and_need_not_be_asked() {
        let paused = Proc { scraped: false, ..proc("a", 1, 100, 100, &[]) };
        let samples = samples(&[
            (0, proc("a", 1, 100, 100, &[("business", 60)])),
            (1, paused.clone()),
            (2, paused),
            (3, proc("a", 1, 150, 150, &[("business", 70)])),
        ]);
        let business =
            |from, to| spent(&samples, from, to).and_then(|spent| spent.parts?.get("business").copied());
        assert_eq!((total(&samples, 0, 2), business(2, 3)), (Some(0), Some(10)));
    }

    #[test]
    fn the_second_in_which_a_process_ended_is_missing_and_a_new_one_counts_from_its_start() {
        let gone = |pid| Proc { pid, instance: "a".into(), ..Proc::default() };
        let samples = samples(&[
            (0, proc("a", 1, 0, 0, &[])),
            (1, proc("a", 1, 100, 100, &[])),
            (2, gone(1)),
            (3, gone(1)),
            (4, proc("a", 2, 30, 30, &[])),
            (5, proc("a", 3, 40, 40, &[])),
            (6, proc("a", 3, 45, 40, &[])),
        ]);
        let each: Vec<_> = (0..6).map(|second| total(&samples, second, second + 1)).collect();
        assert_eq!(each, [Some(100), None, Some(0), Some(30), None, Some(5)]);
    }

    #[test]
    fn copies_come_and_go_and_are_added() {
        let samples = samples(&[
            (0, proc("a", 1, 0, 0, &[])),
            (1, proc("a", 1, 100, 100, &[])),
            (2, proc("a", 1, 200, 200, &[])),
            (2, proc("b", 2, 30, 30, &[("business", 5)])),
            (3, proc("a", 1, 300, 300, &[])),
            (4, proc("a", 1, 400, 400, &[])),
        ]);
        assert_eq!(total(&samples, 1, 2), Some(130), "one that was not there before has begun since");
        assert_eq!(total(&samples, 2, 3), None, "what the other spent until it ended is not known");
        assert_eq!(total(&samples, 3, 4), Some(100));
    }

    #[test]
    fn a_gap_in_the_samples_is_missing_and_so_is_what_has_not_come_yet() {
        let samples = samples(&[
            (0, proc("a", 1, 0, 0, &[])),
            (3, proc("a", 1, 300, 300, &[])),
            (4, proc("a", 1, 400, 400, &[])),
        ]);
        assert_eq!((total(&samples, 0, 1), total(&samples, 2, 4), total(&samples, 4, 5)), (None, None, None));
        assert_eq!(total(&samples, 3, 4), Some(100));
        assert_eq!(total(&samples, 6, 7), None, "long after the last sample");
        assert_eq!(CpuSamples::default().spent(&(0..SECOND)), None);
    }

    #[test]
    fn a_record_of_version_1_has_totals_only() {
        let old = |cpu_ns| Proc { instance: "a".into(), pid: 1, cpu_ns, ..Proc::default() };
        let samples = samples(&[(0, old(5)), (1, old(9))]);
        assert_eq!(spent(&samples, 0, 1), Some(Expenditure { total_ns: 4, parts: None, requests: None }));
    }
}
