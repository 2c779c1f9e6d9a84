//! Adaptive concurrency: how many calls an edge may have under way follows from how long they take.
//!
//! The algorithm is Gradient2 of Netflix's concurrency-limits (`Gradient2Limit` within a `WindowedLimit`,
//! <https://github.com/Netflix/concurrency-limits>), with its constants: at the end of a window the limit is multiplied with the
//! quotient of a long average of latencies and the window's own, and as many calls as may wait are added. Calls that take
//! longer than they did wait somewhere, and the limit falls until they do not. An average is not led astray by one fast
//! call as a minimum is, and no calls are refused to measure what latency is without load, as Envoy's filter does. The price:
//! what lasts as long as the average looks back is taken for normal, and `max` is what bounds it.

use std::sync::{Arc, Mutex, MutexGuard};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bulkhead::{Bulkhead, BulkheadPermit};
use crate::service::QUEUE_CAP;
use crate::units::{HumanDuration, MAX_LENGTH};

/// `{ initial = 20, min = 1, max = 200, queue = 4, tolerance = 1.5, window = "100ms" }`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdaptiveConcurrencyOptions {
    /// Calls that may be under way before anything is known.
    pub initial: u32,
    /// The limit never falls below it.
    pub min: u32,
    /// The limit never rises above it.
    pub max: u32,
    /// Calls that may wait at the callee: by as many the limit grows while calls do not get slower, a fifth of them a window.
    pub queue: u32,
    /// How many times as long as their long average calls may take before the limit falls.
    pub tolerance: f64,
    /// Latencies are averaged for so long before the limit moves, and until there are ten.
    pub window: HumanDuration,
}

/// Netflix's, but for two: 100 ms as Envoy's filter, in place of 1 s, since phases of a run last seconds; and a
/// lower end of 1 in place of 20, since components here have a handful of slots.
impl Default for AdaptiveConcurrencyOptions {
    fn default() -> Self {
        Self {
            initial: 20,
            min: 1,
            max: 200,
            queue: 4,
            tolerance: 1.5,
            window: HumanDuration::from_millis(100),
        }
    }
}

impl AdaptiveConcurrencyOptions {
    /// What is wrong with them, each sentence with the key of the policy first.
    pub fn diagnostics(&self) -> Vec<String> {
        let Self { initial, min, max, queue, tolerance, window } = *self;
        let mut diagnostics = Vec::new();
        let mut refuse = |wrong: bool, sentence: String| {
            if wrong {
                diagnostics.push(format!("adaptive_concurrency: {sentence}"));
            }
        };
        refuse(min == 0, "min = 0 lets no call through; write e.g. min = 1".into());
        refuse(
            max > QUEUE_CAP,
            format!("max = {max} is no limit; write at most {QUEUE_CAP}, e.g. max = 200"),
        );
        refuse(min > max, format!("min = {min} is above max = {max}; write e.g. min = 1"));
        refuse(
            min <= max && !(min..=max).contains(&initial),
            format!("initial = {initial} is out of range; write {min} to {max}, as `min` and `max` are"),
        );
        refuse(queue == 0, "queue = 0 never lets the limit grow; write e.g. queue = 4".into());
        refuse(queue > max && max > 0, format!("queue = {queue} is above max = {max}; write e.g. queue = 4"));
        // Below 1 the limit falls although no call got slower. Negated, so that NaN is refused as well.
        refuse(
            !(1.0..=MAX_TOLERANCE).contains(&tolerance),
            format!(
                "tolerance = {tolerance} is out of range; write 1 to {MAX_TOLERANCE}, e.g. tolerance = 1.5"
            ),
        );
        refuse(
            window == HumanDuration::default(),
            "its window is 0s; write for example window = \"100ms\"".into(),
        );
        refuse(
            window > MAX_LENGTH,
            format!("a window of {window} is out of range; write at most {MAX_LENGTH}"),
        );
        diagnostics
    }
}

/// From here on a callee may get as slow as it likes.
const MAX_TOLERANCE: f64 = 100.0;
/// Latencies that a window has at least (`WindowedLimit`).
const MIN_SAMPLES: u32 = 10;
/// Share of the way to its new value that the limit goes at the end of a window (`Gradient2Limit`).
const SMOOTHING: f64 = 0.2;
/// A window takes no more than half of the limit, before smoothing: one slow call is no overload (`Gradient2Limit`).
const MIN_GRADIENT: f64 = 0.5;
/// Windows that the long average looks back: a minute of windows of 100 ms (`Gradient2Limit`).
const LONG_WINDOWS: f64 = 600.0;
/// Windows of which the long average is the plain mean, before it moves slowly (`ExpAvgMeasurement`).
const WARM_UP_WINDOWS: u32 = 10;
/// Above so many times the latency of a window the long average is of an overload that has passed, and falls faster.
const STALE_RATIO: f64 = 2.0;
/// What it is then multiplied with at the end of each window (`Gradient2Limit`).
const STALE_DECAY: f64 = 0.95;

/// How latencies move a limit. It counts no calls: [`AdaptiveConcurrency`] does.
#[derive(Debug)]
pub struct GradientLimit {
    options: AdaptiveConcurrencyOptions,
    /// Calls; the limit is its whole part.
    estimate: f64,
    long: LongAverage,
    window: SampleWindow,
}

/// What calls take over a long time.
#[derive(Debug, Default)]
struct LongAverage {
    ns: f64,
    /// Windows so far, as long as they count alike.
    windows: u32,
}

impl LongAverage {
    /// Takes the mean of a window in. The average, ns.
    fn add(&mut self, ns: f64) -> f64 {
        let share = if self.windows < WARM_UP_WINDOWS {
            self.windows += 1;
            1.0 / f64::from(self.windows)
        } else {
            2.0 / (LONG_WINDOWS + 1.0)
        };
        self.ns += (ns - self.ns) * share;
        self.ns
    }
}

/// Calls that ended since the limit was looked at.
#[derive(Debug, Default)]
struct SampleWindow {
    /// When the first of them ended, ns.
    began_ns: u64,
    samples: u32,
    sum_ns: u64,
    /// Calls under way, at most, when one of them began.
    in_flight: u32,
}

impl GradientLimit {
    /// A limit that has seen no call. Options that contradict each other are bent: `min` counts before `max`, both before
    /// `initial`, and a tolerance is 1 at least.
    pub fn new(options: AdaptiveConcurrencyOptions) -> Self {
        let min = options.min.max(1);
        let max = options.max.max(min);
        let tolerance = options.tolerance.max(1.0);
        let options = AdaptiveConcurrencyOptions { min, max, tolerance, ..options };
        let estimate = f64::from(options.initial.clamp(min, max));
        Self { options, estimate, long: LongAverage::default(), window: SampleWindow::default() }
    }

    /// Calls that may be under way.
    pub const fn limit(&self) -> u32 {
        self.estimate as u32
    }

    /// A call has taken `took_ns`; `in_flight` were under way when it began, itself among them. The limit where a window
    /// has ended, moved or not.
    pub fn observe(&mut self, now_ns: u64, took_ns: u64, in_flight: u32) -> Option<u32> {
        let window = &mut self.window;
        if window.samples == 0 {
            window.began_ns = now_ns;
        }
        window.samples = window.samples.saturating_add(1);
        window.sum_ns = window.sum_ns.saturating_add(took_ns);
        window.in_flight = window.in_flight.max(in_flight);
        // Times are read before its lock is taken, so that one may be from before the window began.
        let lasted_ns = now_ns.saturating_sub(window.began_ns);
        if window.samples < MIN_SAMPLES || lasted_ns < self.options.window.nanos() {
            return None;
        }
        let ended = std::mem::take(window);
        // A nanosecond at least: nothing is divided by 0.
        self.end_window((ended.sum_ns as f64 / f64::from(ended.samples)).max(1.0), ended.in_flight);
        Some(self.limit())
    }

    fn end_window(&mut self, short_ns: f64, in_flight: u32) {
        let long_ns = self.long.add(short_ns);
        if long_ns > STALE_RATIO * short_ns {
            self.long.ns *= STALE_DECAY;
        }
        // Fewer calls than half the limit show nothing of it: an idle edge does not raise it.
        if f64::from(in_flight) < self.estimate / 2.0 {
            return;
        }
        let gradient = (self.options.tolerance * long_ns / short_ns).clamp(MIN_GRADIENT, 1.0);
        let target = self.estimate * gradient + f64::from(self.options.queue);
        let moved = self.estimate + (target - self.estimate) * SMOOTHING;
        self.estimate = moved.clamp(f64::from(self.options.min), f64::from(self.options.max));
    }
}

/// Calls under way, at most as many as a [`GradientLimit`] allows, without waiting.
#[derive(Debug)]
pub struct AdaptiveConcurrency {
    options: AdaptiveConcurrencyOptions,
    places: Arc<Bulkhead>,
    gradient: Mutex<GradientLimit>,
}

/// A call under way; its place is free again when this is dropped.
#[derive(Debug)]
pub struct ConcurrencyPermit {
    _place: BulkheadPermit,
    /// Calls under way when it began, itself among them.
    in_flight: u32,
}

impl AdaptiveConcurrency {
    /// Nothing under way, nothing known.
    pub fn new(options: AdaptiveConcurrencyOptions) -> Self {
        let gradient = GradientLimit::new(options);
        Self { options, places: Arc::new(Bulkhead::new(gradient.limit())), gradient: Mutex::new(gradient) }
    }

    /// Calls that may be under way now.
    pub fn limit(&self) -> u32 {
        self.places.limit()
    }

    /// A place, or none.
    pub fn try_acquire(&self) -> Option<ConcurrencyPermit> {
        let place = self.places.try_acquire()?;
        Some(ConcurrencyPermit { _place: place, in_flight: self.places.taken() })
    }

    /// A call was answered after `took_ns`, or its time was over. The limit where a window has ended with it. Calls that ended
    /// otherwise are left out: what is refused at once would make the callee look fast.
    pub fn observe(&self, permit: &ConcurrencyPermit, now_ns: u64, took_ns: u64) -> Option<u32> {
        let mut gradient = self.gradient();
        let limit = gradient.observe(now_ns, took_ns, permit.in_flight)?;
        self.places.set_limit(limit);
        Some(limit)
    }

    /// Forgets all latencies: the limit is as it was at first. Calls under way keep their places.
    pub fn reset(&self) {
        let mut gradient = self.gradient();
        *gradient = GradientLimit::new(self.options);
        self.places.set_limit(gradient.limit());
    }

    fn gradient(&self) -> MutexGuard<'_, GradientLimit> {
        self.gradient.lock().expect("no panic while held")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Ends windows of ten calls that take so long, with so many under way. The last limit.
    fn windows(limit: &mut GradientLimit, now_ns: &mut u64, count: u32, took_ns: u64, in_flight: u32) -> u32 {
        for _ in 0..count * MIN_SAMPLES {
            *now_ns += 12 * MS;
            limit.observe(*now_ns, took_ns, in_flight);
        }
        limit.limit()
    }

    #[test]
    fn the_limit_moves_as_netflix_has_it() {
        let (mut limit, mut now) = (GradientLimit::new(AdaptiveConcurrencyOptions::default()), 0);
        // Ten windows alike: the average is known, and each adds a fifth of the queue of 4.
        assert_eq!(windows(&mut limit, &mut now, 10, 10 * MS, 20), 28);
        // Four times as slow: the average becomes 10 + 30 x 2/601 ms, so that 1.5 x 10.1 / 40 is cut to a half, and
        // 28 x 0.8 + (28 x 0.5 + 4) x 0.2 = 26.
        assert_eq!(windows(&mut limit, &mut now, 1, 40 * MS, 28), 26);
        // It goes on to 4 / (1 - 0.5).
        assert_eq!(windows(&mut limit, &mut now, 40, 40 * MS, 28), 8);
    }

    #[test]
    fn a_window_has_its_length_and_ten_calls() {
        let mut limit = GradientLimit::new(AdaptiveConcurrencyOptions::default());
        // A thousand calls within 99 ms, and the first after 100.
        assert!((0..1_000).all(|call| limit.observe(call * 99_000, MS, 20).is_none()));
        assert_eq!(limit.observe(100 * MS, MS, 20), Some(20), "20.8");
        // Nine calls, a second apart, and the tenth.
        assert!((1..10).all(|second| limit.observe(second * 1_000 * MS, MS, 20).is_none()));
        assert_eq!(limit.observe(10_000 * MS, MS, 20), Some(21), "21.6");
    }

    #[test]
    fn places_follow_the_limit_and_a_reset_forgets_what_was_seen() {
        let options = AdaptiveConcurrencyOptions { initial: 2, max: 3, ..Default::default() };
        let concurrency = AdaptiveConcurrency::new(options);
        let (one, two) = (concurrency.try_acquire(), concurrency.try_acquire());
        assert!(concurrency.try_acquire().is_none(), "two are under way");
        let (one, two) = (one.expect("the first"), two.expect("the second"));
        let moved =
            (0..20).filter_map(|call| concurrency.observe(&two, call * 12 * MS, MS)).collect::<Vec<_>>();
        assert_eq!(moved, [2, 3], "2.8 after ten calls, and no more than max");
        let three = concurrency.try_acquire();
        assert!(three.is_some() && concurrency.try_acquire().is_none());
        concurrency.reset();
        drop(three);
        assert_eq!(concurrency.limit(), 2);
        assert!(concurrency.try_acquire().is_none(), "two are under way still");
        drop((one, two));
        assert!(concurrency.try_acquire().is_some());
    }

    #[test]
    fn what_would_never_let_a_call_through_or_never_hold_one_back_is_refused() {
        let refused = |options: AdaptiveConcurrencyOptions| {
            let diagnostics = options.diagnostics();
            assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
            diagnostics[0].strip_prefix("adaptive_concurrency: ").expect("the key").to_owned()
        };
        let options = AdaptiveConcurrencyOptions::default();
        assert!(options.diagnostics().is_empty());
        for (bad, expected) in [
            (AdaptiveConcurrencyOptions { min: 0, ..options }, "min = 0 lets no call"),
            (AdaptiveConcurrencyOptions { max: 50_001, ..options }, "max = 50001 is no limit"),
            (AdaptiveConcurrencyOptions { min: 201, ..options }, "min = 201 is above max = 200"),
            (
                AdaptiveConcurrencyOptions { initial: 201, ..options },
                "initial = 201 is out of range; write 1 to 200",
            ),
            (AdaptiveConcurrencyOptions { queue: 0, ..options }, "queue = 0 never lets"),
            (AdaptiveConcurrencyOptions { queue: 201, ..options }, "queue = 201 is above max"),
            (AdaptiveConcurrencyOptions { tolerance: 0.9, ..options }, "tolerance = 0.9 is out of range"),
            (
                AdaptiveConcurrencyOptions { tolerance: f64::NAN, ..options },
                "tolerance = NaN is out of range",
            ),
            (AdaptiveConcurrencyOptions { window: HumanDuration::default(), ..options }, "its window is 0s"),
            (
                AdaptiveConcurrencyOptions { window: HumanDuration::from_millis(3_600_000), ..options },
                "a window of 60m is out of range; write at most 10m",
            ),
        ] {
            let sentence = refused(bad);
            assert!(sentence.starts_with(expected), "{sentence}");
        }
    }
}
