//! Figures of offered arrivals and their outcomes, by arm, journey and the second an arrival was due; and how many
//! journeys ended in each second.
//!
//! Once a second the windows that are complete are closed and sent to the lab.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use hdrhistogram::Histogram;
use load_protocol::{LoadTotals, TracedJourney};
use record::{Errors, Latencies, Window};
use traffic::Journey;

/// Cause of a failed journey. A closed set: error texts would be unbounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The connection could not be opened.
    Connect,
    /// The timeout expired.
    Timeout,
    /// The connection broke.
    Reset,
    /// The arm responded with a server error.
    Status5xx,
    /// The arm responded with a client error.
    Status4xx,
    /// The response could not be read.
    Body,
    /// A check of the response failed.
    Check,
}

impl Cause {
    /// Its name in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Status5xx => "status_5xx",
            Self::Status4xx => "status_4xx",
            Self::Body => "body",
            Self::Check => "check",
        }
    }
}

/// The five instants of a journey, microseconds since the load's start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Instants {
    /// When it should have begun.
    pub due: u64,
    /// When the pacer dispatched it.
    pub dispatched: u64,
    /// When its first request was sent.
    pub sent: u64,
    /// When its last response was read.
    pub done: u64,
}

/// Outcome of a journey.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// `None` means ok.
    pub cause: Option<Cause>,
    /// Pages requested.
    pub pages: u64,
    /// Empty ones among them.
    pub empty_pages: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Reads that should have seen an acknowledged write.
    pub probes: u64,
    /// Number of those that did not.
    pub stale: u64,
    /// Time from acknowledged to visible elsewhere, microseconds; `None` if not probed.
    pub staleness_us: Option<u64>,
    /// Whether a write was acknowledged and not seen elsewhere as long as was looked for it.
    pub is_unseen: bool,
    /// When each request was sent and its response read, microseconds since the load's start.
    pub exchanges: Vec<(u64, u64)>,
}

/// The window of one second, one journey and one arm while it is open.
struct OpenWindow {
    window: Window,
    intended: Histogram<u64>,
    service: Histogram<u64>,
    failed: Histogram<u64>,
    pace_lag: Histogram<u64>,
    own_wait: Histogram<u64>,
    slot_wait: Histogram<u64>,
    staleness: Histogram<u64>,
}

/// A histogram that grows with what it holds: a second of one journey is small.
fn growing_histogram() -> Histogram<u64> {
    Histogram::new(record::histogram::DIGITS).expect("three digits are allowed")
}

impl OpenWindow {
    fn new(arm: char, round: u32, journey: Journey, second: u32) -> Self {
        Self {
            window: Window {
                arm,
                round,
                journey: journey.name().to_owned(),
                second,
                finished: Some(0),
                ..Window::default()
            },
            intended: growing_histogram(),
            service: growing_histogram(),
            failed: growing_histogram(),
            pace_lag: growing_histogram(),
            own_wait: growing_histogram(),
            slot_wait: growing_histogram(),
            staleness: growing_histogram(),
        }
    }

    fn close(&self) -> Window {
        Window {
            intended: Latencies::of(&self.intended),
            service: Latencies::of(&self.service),
            failed: Latencies::of(&self.failed),
            pace_lag: Latencies::of(&self.pace_lag),
            own_wait: Latencies::of(&self.own_wait),
            slot_wait: Latencies::of(&self.slot_wait),
            staleness: Latencies::of(&self.staleness),
            ..self.window.clone()
        }
    }
}

fn record(histogram: &mut Histogram<u64>, us: u64) {
    // Resizes as needed; the clamp limits values to a minute.
    histogram
        .record(us.clamp(1, record::histogram::MAX_US))
        .expect("a histogram that resizes takes any value");
}

/// Under overload most journeys are refused: the name of a cause is made once.
fn count_error(errors: &mut Errors, cause: Cause) {
    match errors.get_mut(cause.as_str()) {
        Some(count) => *count += 1,
        None => {
            errors.insert(cause.as_str().to_owned(), 1);
        }
    }
}

type WindowKey = (u32, Journey);

/// Records the figures of one arm.
pub struct Recorder {
    arm: char,
    round: u32,
    good_within_us: u64,
    /// Length of the load: what ends later belongs to no second of it.
    load_seconds: u32,
    open_windows: Mutex<BTreeMap<WindowKey, OpenWindow>>,
    totals: Mutex<Totals>,
    traced: Mutex<Vec<TracedJourney>>,
}

/// Over the whole load. Latencies are packed when they are asked for.
struct Totals {
    counts: LoadTotals,
    intended: Histogram<u64>,
}

impl Recorder {
    /// A recorder for an arm, of a load of so many seconds.
    pub fn new(arm: char, round: u32, good_within_us: u64, load_seconds: u32) -> Self {
        let totals = Totals { counts: LoadTotals::default(), intended: record::histogram::recorder() };
        Self {
            arm,
            round,
            good_within_us,
            load_seconds,
            open_windows: Mutex::default(),
            totals: Mutex::new(totals),
            traced: Mutex::default(),
        }
    }

    /// Its arm.
    pub fn arm(&self) -> char {
        self.arm
    }

    /// Records a traced journey.
    pub fn traced(&self, traced: TracedJourney) {
        self.traced.lock().expect("no panic while held").push(traced);
    }

    /// Takes the traced journeys since the last call.
    pub fn take_traced_journeys(&self) -> Vec<TracedJourney> {
        std::mem::take(&mut *self.traced.lock().expect("no panic while held"))
    }

    /// Records that an arrival came due.
    pub fn offered(&self, journey: Journey, due_us: u64) {
        self.update_window(journey, due_us, |open| open.window.offered += 1);
        self.open_totals().counts.offered += 1;
    }

    /// Records that an arrival found no slot.
    pub fn dropped(&self, journey: Journey, due_us: u64) {
        self.update_window(journey, due_us, |open| open.window.dropped += 1);
        self.open_totals().counts.dropped += 1;
    }

    /// Records that an arrival was abandoned.
    pub fn abandoned(&self, journey: Journey, due_us: u64) {
        self.update_window(journey, due_us, |open| open.window.abandoned += 1);
        self.open_totals().counts.abandoned += 1;
    }

    /// Records a completed journey. `idle` is whether a slot was idle when it was dispatched: then the
    /// wait was caused by the generator.
    pub fn finished(&self, journey: Journey, at: Instants, idle: bool, outcome: &Outcome) {
        let user_latency = at.done.saturating_sub(at.due);
        let wait = at.sent.saturating_sub(at.dispatched);
        self.update_window(journey, at.due, |open| {
            let window = &mut open.window;
            window.sent += 1;
            window.pages += outcome.pages;
            window.empty_pages += outcome.empty_pages;
            window.bytes += outcome.bytes;
            window.probes += outcome.probes;
            window.stale += outcome.stale;
            window.unseen += u64::from(outcome.is_unseen);
            match outcome.cause {
                None => {
                    window.ok += 1;
                    window.good += u64::from(user_latency <= self.good_within_us);
                    record(&mut open.intended, user_latency);
                    record(&mut open.service, at.done.saturating_sub(at.sent));
                }
                Some(cause) => {
                    count_error(&mut window.errors, cause);
                    record(&mut open.failed, user_latency);
                }
            }
            record(&mut open.pace_lag, at.dispatched.saturating_sub(at.due));
            record(if idle { &mut open.own_wait } else { &mut open.slot_wait }, wait);
            if let Some(us) = outcome.staleness_us {
                record(&mut open.staleness, us);
            }
        });
        if second_of(at.done) < self.load_seconds {
            self.update_window(journey, at.done, |open| {
                *open.window.finished.get_or_insert(0) += 1;
            });
        }
        let mut totals = self.open_totals();
        totals.counts.sent += 1;
        match outcome.cause {
            None => totals.counts.ok += 1,
            Some(cause) => count_error(&mut totals.counts.errors, cause),
        }
        record(&mut totals.intended, user_latency);
    }

    /// Closes and returns the windows before second `open_from` whose arrivals have all ended, and
    /// returns a preview of the open ones. With [`u32::MAX`], at the end, all windows are closed.
    pub fn windows(&self, open_from: u32, now: u32) -> Vec<Window> {
        let mut open_windows = self.open_windows.lock().expect("no panic while held");
        let is_final = |(second, _): &(u32, Journey), open: &mut OpenWindow| {
            open_from == u32::MAX || (*second < open_from && open.window.is_accounted_for())
        };
        let closed: BTreeMap<_, _> = open_windows.extract_if(.., is_final).collect();
        let mut windows: Vec<Window> =
            closed.values().map(|open| Window { closed: true, ..open.close() }).collect();
        // Only recent open windows are previewed; older ones wait for stragglers.
        let recent = now.saturating_sub(2);
        windows.extend(
            open_windows
                .iter()
                .filter(|((second, _), _)| *second >= recent && *second < now)
                .map(|(_, open)| open.close()),
        );
        windows
    }

    /// The totals so far, without what goose counts.
    pub fn totals(&self) -> LoadTotals {
        let totals = self.open_totals();
        LoadTotals { intended: Latencies::of(&totals.intended), ..totals.counts.clone() }
    }

    fn open_totals(&self) -> MutexGuard<'_, Totals> {
        self.totals.lock().expect("no panic while held")
    }

    fn update_window(&self, journey: Journey, at_us: u64, change: impl FnOnce(&mut OpenWindow)) {
        let second = second_of(at_us);
        let mut open_windows = self.open_windows.lock().expect("no panic while held");
        change(
            open_windows
                .entry((second, journey))
                .or_insert_with(|| OpenWindow::new(self.arm, self.round, journey, second)),
        );
    }
}

/// The load second of a moment.
fn second_of(us: u64) -> u32 {
    u32::try_from(us / 1_000_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of load in these tests.
    const LENGTH: u32 = 60;
    const JOURNEY: Journey = Journey::HomeFeed;

    #[test]
    fn a_sample_belongs_to_the_second_it_was_due() {
        let recorder = Recorder::new('A', 1, 100_000, LENGTH);
        // Due in second 1, done in second 3: 1.5 s of user latency, of which 0.5 s service.
        let at = Instants { due: 1_500_000, dispatched: 1_500_010, sent: 2_500_000, done: 3_000_000 };
        recorder.offered(JOURNEY, at.due);
        recorder.finished(JOURNEY, at, false, &Outcome::default());
        let windows = recorder.windows(5, 5);
        let ends: Vec<_> = windows.iter().map(|window| (window.second, window.finished)).collect();
        assert_eq!(ends, [(1, Some(0)), (3, Some(1))], "it ended in the second in which CPU was spent on it");
        assert!(windows[1].closed && windows[1].offered == 0 && windows[1].intended.is_empty());
        let window = &windows[0];
        assert_eq!((window.second, window.offered, window.ok, window.good), (1, 1, 1, 0));
        assert!(window.closed);
        let near =
            |us: Option<u64>, expected: u64| us.is_some_and(|us| us.abs_diff(expected) <= expected / 500);
        assert!(near(window.intended.max(), 1_500_000) && near(window.service.max(), 500_000));
        assert!(window.own_wait.is_empty() && near(window.slot_wait.max(), 999_990));
    }

    #[test]
    fn a_window_closes_once_and_conserves() {
        let recorder = Recorder::new('A', 1, 100_000, LENGTH);
        for due in [100, 200, 300, 400] {
            recorder.offered(JOURNEY, due);
        }
        let at = Instants { due: 100, dispatched: 110, sent: 120, done: 500 };
        recorder.finished(JOURNEY, at, true, &Outcome::default());
        recorder.finished(JOURNEY, at, true, &Outcome { cause: Some(Cause::Timeout), ..Outcome::default() });
        recorder.dropped(JOURNEY, 300);
        recorder.abandoned(JOURNEY, 400);
        assert!(recorder.windows(0, 1).iter().all(|window| !window.closed), "second 0 is open");
        let window = recorder.windows(1, 1).pop().expect("second 0 closes");
        let failed: u64 = window.errors.values().sum();
        assert_eq!(window.offered, window.ok + failed + window.dropped + window.abandoned);
        assert!(recorder.windows(2, 2).is_empty(), "and never comes again");
    }

    #[test]
    fn what_ends_after_the_load_belongs_to_no_second_of_it() {
        let recorder = Recorder::new('A', 1, 100_000, 2);
        for done in [1_999_999, 2_000_000] {
            recorder.offered(JOURNEY, 1_500_000);
            let at = Instants { due: 1_500_000, dispatched: 1_500_000, sent: 1_500_000, done };
            recorder.finished(
                JOURNEY,
                at,
                true,
                &Outcome { cause: Some(Cause::Timeout), ..Outcome::default() },
            );
        }
        let windows = recorder.windows(u32::MAX, 0);
        assert_eq!(windows.len(), 1, "no window beyond the load");
        assert_eq!(
            (windows[0].offered, windows[0].finished),
            (2, Some(1)),
            "a failed journey has ended, too"
        );
    }

    #[test]
    fn a_second_stays_open_until_its_last_arrival_has_come_to_an_end() {
        let recorder = Recorder::new('A', 1, 100_000, LENGTH);
        recorder.offered(JOURNEY, 1_500_000);
        recorder.offered(JOURNEY, 2_500_000);
        recorder.dropped(JOURNEY, 2_500_000);
        let seconds = |open_from| {
            let windows = recorder.windows(open_from, 0);
            windows.iter().filter(|window| window.closed).map(|window| window.second).collect::<Vec<_>>()
        };
        assert_eq!(seconds(60), [2], "a response of second 1 is still outstanding");
        let at = Instants { due: 1_500_000, dispatched: 1_500_000, sent: 50_000_000, done: 61_000_000 };
        recorder.finished(JOURNEY, at, false, &Outcome::default());
        assert_eq!(seconds(60), [1]);
        recorder.offered(JOURNEY, 5_000_000);
        assert_eq!(seconds(u32::MAX), [5], "at the end all are reported");
    }
}
