//! What came of a simulation: requests by second, and what stations did. Equal plans and seeds give equal reports.

use std::collections::{BTreeMap, VecDeque};

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
    pub diverged: Option<Divergence>,
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
pub struct Divergence {
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

/// What the requests came to that were due in a second, whenever they ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DueWindow {
    /// How they ended.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Answers that came soon enough to be good.
    pub good: u64,
    /// Latencies of the answers, from when their requests were due; at least 1 us each, as in a record.
    pub answered: Latencies,
    /// How long the others took.
    pub failed: Latencies,
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
    /// By second in which they were due, where the plan says what is good.
    pub due: Vec<DueWindow>,
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

/// Values that are being recorded. The histogram is dense, and made when it is needed: most operations are never asked for.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    histogram: Option<Histogram<u64>>,
    sum_ns: u128,
    count: u64,
}

impl Recorder {
    pub fn record(&mut self, ns: u64) {
        self.sum_ns += u128::from(ns);
        self.count += 1;
        // Rounded to the nearest: a histogram of microseconds has no more to give.
        let histogram = self.histogram.get_or_insert_with(record::histogram::recorder);
        histogram.saturating_record((ns + 500) / 1_000);
    }

    /// The values so far, of which none are left.
    fn take(&mut self) -> Latencies {
        self.count = 0;
        let Some(histogram) = &mut self.histogram else { return Latencies::default() };
        let values = Latencies::of(histogram);
        histogram.reset();
        values
    }

    /// Values so far.
    pub const fn count(&self) -> u64 {
        self.count
    }

    pub fn finish(&self) -> Latency {
        let values = self.histogram.as_ref().map(Latencies::of).unwrap_or_default();
        Latency { sum_ns: self.sum_ns, count: self.count, values }
    }
}

/// A second of which requests may still be under way. Its histograms are dense, and made when they are needed.
#[derive(Debug, Default)]
struct OpenWindow {
    window: DueWindow,
    answered: Option<Histogram<u64>>,
    failed: Option<Histogram<u64>>,
    /// Requests that were due in it and have not ended.
    under_way: u64,
}

impl OpenWindow {
    fn ended(&mut self, took_ns: u64, outcome: Outcome, good_within_ns: u64) {
        self.under_way -= 1;
        *self.window.outcomes.entry(outcome).or_default() += 1;
        let is_done = outcome == Outcome::Done;
        self.window.good += u64::from(is_done && took_ns <= good_within_ns);
        let histogram = if is_done { &mut self.answered } else { &mut self.failed };
        let histogram = histogram.get_or_insert_with(record::histogram::recorder);
        histogram.saturating_record(((took_ns + 500) / 1_000).max(1));
    }

    fn finish(&self) -> DueWindow {
        let latencies = |of: &Option<Histogram<u64>>| of.as_ref().map(Latencies::of).unwrap_or_default();
        DueWindow {
            answered: latencies(&self.answered),
            failed: latencies(&self.failed),
            ..self.window.clone()
        }
    }
}

/// Requests by the second in which they were due. Only seconds of which a request is under way have histograms to record
/// into, so that memory does not grow with the requests.
#[derive(Debug)]
struct DueRecorder {
    good_within_ns: u64,
    closed: Vec<DueWindow>,
    /// The seconds after those.
    open: VecDeque<OpenWindow>,
}

impl DueRecorder {
    fn at(&mut self, due_ns: u64) -> &mut OpenWindow {
        let at = (due_ns / SECOND_NS) as usize - self.closed.len();
        if self.open.len() <= at {
            self.open.resize_with(at + 1, OpenWindow::default);
        }
        &mut self.open[at]
    }

    fn due(&mut self, due_ns: u64) {
        self.at(due_ns).under_way += 1;
        // Requests come in the order in which they are due: what is behind the last second gets no more of them.
        while self.open.len() > 1
            && let Some(window) = self.open.pop_front_if(|window| window.under_way == 0)
        {
            self.closed.push(window.finish());
        }
    }

    fn ended(&mut self, due_ns: u64, now_ns: u64, outcome: Outcome) {
        let good_within_ns = self.good_within_ns;
        self.at(due_ns).ended(now_ns - due_ns, outcome, good_within_ns);
    }

    fn finish(&self) -> Vec<DueWindow> {
        self.closed.iter().cloned().chain(self.open.iter().map(OpenWindow::finish)).collect()
    }
}

/// Requests that are being recorded.
#[derive(Debug, Default)]
pub(super) struct RequestRecorder {
    requests: Requests,
    total: Recorder,
    current: Recorder,
    second: u64,
    by_due: Option<DueRecorder>,
    /// Whether how long they took is of no interest.
    is_count: bool,
}

impl RequestRecorder {
    /// One that counts requests and keeps nothing else of them.
    pub fn counting() -> Self {
        Self { is_count: true, ..Self::default() }
    }

    /// One that keeps what came of those that were due in a second, where it is known within how many ns an answer is good.
    pub fn new(good_within_ns: Option<u64>) -> Self {
        let by_due =
            |good_within_ns| DueRecorder { good_within_ns, closed: Vec::new(), open: VecDeque::new() };
        Self { by_due: good_within_ns.map(by_due), ..Self::default() }
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
            self.requests.windows[self.second as usize].latencies = self.current.take();
        }
    }

    pub fn due(&mut self, now_ns: u64) {
        self.requests.sent += 1;
        self.window(now_ns).sent += 1;
        if let Some(by_due) = &mut self.by_due {
            by_due.due(now_ns);
        }
    }

    pub fn ended(&mut self, due_ns: u64, now_ns: u64, outcome: Outcome, warm_up_ns: u64) {
        let is_done = outcome == Outcome::Done;
        let window = self.window(now_ns);
        window.done += u64::from(is_done);
        window.failed += u64::from(!is_done);
        let is_timed = is_done && !self.is_count;
        if is_timed {
            self.current.record(now_ns - due_ns);
        }
        if let Some(by_due) = &mut self.by_due {
            by_due.ended(due_ns, now_ns, outcome);
        }
        if due_ns >= warm_up_ns {
            *self.requests.outcomes.entry(outcome.name()).or_default() += 1;
            if is_timed {
                self.total.record(now_ns - due_ns);
            }
        }
    }

    /// What came of those that have ended so far: the others are not there. Without latencies of seconds and of all.
    pub fn so_far(&self) -> Requests {
        let due = self.by_due.as_ref().map(DueRecorder::finish).unwrap_or_default();
        let mut requests = self.requests.clone();
        for (window, due) in requests.windows.iter_mut().zip(&due) {
            window.sent = due.outcomes.values().sum();
        }
        Requests { due, ..requests }
    }

    pub fn finish(&mut self) -> Requests {
        self.close();
        let due = self.by_due.as_ref().map(DueRecorder::finish).unwrap_or_default();
        Requests { latency: self.total.finish(), due, ..self.requests.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_request_counts_for_the_second_in_which_it_was_due_and_a_second_is_kept_open_only_that_long() {
        let mut recorder = RequestRecorder::new(Some(20 * MS));
        let open = |recorder: &RequestRecorder| recorder.by_due.as_ref().map(|by_due| by_due.open.len());
        for second in 0..100 {
            let due_ns = second * SECOND_NS + 990 * MS;
            recorder.due(due_ns);
            recorder.due(due_ns);
            // One is answered in its second, and well; the other late, in the next.
            recorder.ended(due_ns, due_ns + 5 * MS, Outcome::Done, 0);
            assert_eq!(open(&recorder), Some(1));
            let outcome = if second == 50 { Outcome::TimedOut } else { Outcome::Done };
            recorder.ended(due_ns, due_ns + 30 * MS, outcome, 0);
        }
        let requests = recorder.finish();
        assert_eq!(requests.due.len(), 100);
        let of = |second: usize| {
            let DueWindow { outcomes, good, answered, failed } = &requests.due[second];
            (outcomes.clone(), *good, answered.len(), failed.len())
        };
        assert_eq!(of(0), ([(Outcome::Done, 2)].into(), 1, 2, 0));
        assert_eq!(of(50), ([(Outcome::Done, 1), (Outcome::TimedOut, 1)].into(), 1, 1, 1));
    }

    #[test]
    fn what_has_not_ended_keeps_its_second_open() {
        let mut recorder = RequestRecorder::new(Some(20 * MS));
        recorder.due(0);
        recorder.due(5 * SECOND_NS);
        recorder.ended(5 * SECOND_NS, 5 * SECOND_NS + MS, Outcome::Done, 0);
        recorder.ended(0, 6 * SECOND_NS, Outcome::Done, 0);
        let counts: Vec<u64> = recorder.finish().due.iter().map(|window| window.answered.len()).collect();
        assert_eq!(counts, [1, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn what_is_only_counted_has_no_histograms() {
        let mut recorder = RequestRecorder::counting();
        recorder.due(0);
        recorder.ended(0, 3 * SECOND_NS, Outcome::Done, 0);
        assert!(recorder.total.histogram.is_none() && recorder.current.histogram.is_none());
        let requests = recorder.finish();
        assert_eq!((requests.sent, requests.ended(Outcome::Done), requests.windows[3].done), (1, 1, 1));
        assert_eq!((requests.latency, requests.due.len()), (Latency::default(), 0));
    }
}
