//! What came of a simulation: requests by second, and what stations did. Equal plans and seeds give equal reports.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use record::Latencies;

use super::edge::{EdgeCounts, Outcome};

const SECOND_NS: u64 = 1_000_000_000;

/// What came of a simulation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Virtual time at its end, ns.
    pub end_ns: u64,
    /// Events that happened.
    pub events: u64,
    /// Where and when it had to be broken off, if it had.
    pub diverged: Option<Diverged>,
    /// By source and operation, `clients/home-feed`.
    pub requests: BTreeMap<String, Requests>,
    /// Calls that were served, by component and operation: how long, in the callee.
    pub served: BTreeMap<String, Latency>,
    /// CPU used, ns, by process.
    pub cpu_ns: BTreeMap<String, u64>,
    /// By caller and callee, all copies together.
    pub edges: BTreeMap<String, EdgeCounts>,
    /// By component with slots, all copies together.
    pub slots: BTreeMap<String, Slots>,
    /// By database.
    pub databases: BTreeMap<String, Syncs>,
}

/// More was under way than a simulation can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diverged {
    /// When, ns.
    pub at_ns: u64,
    /// The component at which most of it was.
    pub station: String,
}

/// What a component's slots turned away, and how long calls waited for one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slots {
    /// Calls that were refused or dropped.
    pub refused: u64,
    /// Calls that waited, and went on.
    pub waited: u64,
    /// How long these waited, ns, all together.
    pub wait_ns: f64,
}

/// Commits of a database, and what made them durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Syncs {
    /// Commits made durable.
    pub commits: u64,
    /// The syncs that took.
    pub syncs: u64,
}

/// Latencies, with their exact sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Sum, ns.
    pub sum_ns: u128,
    /// How many.
    pub count: u64,
    /// The values, in microseconds.
    pub values: Latencies,
}

impl Latency {
    /// Mean, ns; 0 of none.
    pub fn mean_ns(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum_ns as f64 / self.count as f64 }
    }

    /// A quantile, microseconds; 0 of none.
    pub fn quantile_us(&self, q: f64) -> u64 {
        self.values.quantile(q).unwrap_or(0)
    }

    /// Adds those of another run.
    pub fn merge(&mut self, other: &Self) {
        self.sum_ns += other.sum_ns;
        self.count += other.count;
        self.values.merge(&other.values);
    }
}

/// A request that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When it was due, ns.
    pub due_ns: u64,
    /// When it ended, ns.
    pub end_ns: u64,
    /// How.
    pub outcome: Outcome,
}

/// Requests of an operation of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Requests that were due.
    pub sent: u64,
    /// How those ended that were due after the warm-up.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// How long those took that were due after the warm-up and got an answer, from when they were due.
    pub latency: Latency,
    /// By second of completion.
    pub windows: Vec<Window>,
    /// Each of them, in the order in which they ended, where the plan asks for it.
    pub log: Vec<Ended>,
}

impl Requests {
    /// Requests that ended so.
    pub fn ended(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(outcome.name()).copied().unwrap_or(0)
    }

    /// Requests that ended, after the warm-up.
    pub fn all(&self) -> u64 {
        self.outcomes.values().sum()
    }
}

/// One second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Requests that were due in it.
    pub sent: u64,
    /// Answers that came in it.
    pub done: u64,
    /// Requests that ended in it without an answer.
    pub failed: u64,
    /// Latencies of the answers, from when their requests were due.
    pub latencies: Latencies,
}

/// Values that are being recorded.
#[derive(Debug)]
pub(super) struct Recorder {
    histogram: Histogram<u64>,
    sum_ns: u128,
    count: u64,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { histogram: record::histogram::recorder(), sum_ns: 0, count: 0 }
    }
}

impl Recorder {
    pub fn record(&mut self, ns: u64) {
        self.sum_ns += u128::from(ns);
        self.count += 1;
        // Rounded to the nearest: a histogram of microseconds has no more to give.
        self.histogram.saturating_record((ns + 500) / 1_000);
    }

    /// Values so far.
    pub const fn count(&self) -> u64 {
        self.count
    }

    pub fn finish(&self) -> Latency {
        Latency { sum_ns: self.sum_ns, count: self.count, values: Latencies::of(&self.histogram) }
    }
}

/// Requests that are being recorded.
#[derive(Debug, Default)]
pub(super) struct RequestRecorder {
    requests: Requests,
    total: Recorder,
    current: Recorder,
    second: u64,
    keeps_requests: bool,
}

impl RequestRecorder {
    /// One that lists every request, or does not.
    pub fn new(keeps_requests: bool) -> Self {
        Self { keeps_requests, ..Self::default() }
    }

    fn window(&mut self, now_ns: u64) -> &mut Window {
        let second = now_ns / SECOND_NS;
        if second > self.second {
            self.close();
            self.second = second;
        }
        let windows = &mut self.requests.windows;
        if windows.len() <= second as usize {
            windows.resize(second as usize + 1, Window::default());
        }
        &mut windows[second as usize]
    }

    /// The present window is over.
    fn close(&mut self) {
        if self.current.count > 0 {
            self.requests.windows[self.second as usize].latencies = Latencies::of(&self.current.histogram);
            self.current.histogram.reset();
            self.current.count = 0;
        }
    }

    pub fn due(&mut self, now_ns: u64) {
        self.requests.sent += 1;
        self.window(now_ns).sent += 1;
    }

    pub fn ended(&mut self, due_ns: u64, now_ns: u64, outcome: Outcome, warm_up_ns: u64) {
        let is_done = outcome == Outcome::Done;
        let window = self.window(now_ns);
        window.done += u64::from(is_done);
        window.failed += u64::from(!is_done);
        if is_done {
            self.current.record(now_ns - due_ns);
        }
        if self.keeps_requests {
            self.requests.log.push(Ended { due_ns, end_ns: now_ns, outcome });
        }
        if due_ns >= warm_up_ns {
            *self.requests.outcomes.entry(outcome.name()).or_default() += 1;
            if is_done {
                self.total.record(now_ns - due_ns);
            }
        }
    }

    pub fn finish(&mut self) -> Requests {
        self.close();
        Requests { latency: self.total.finish(), ..self.requests.clone() }
    }
}
