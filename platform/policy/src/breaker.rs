//! The circuit breaker: an edge that mostly fails is left alone for a while.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::units::schema::{patterns, text};
use crate::units::{self, HumanDuration, MAX_LENGTH, Ratio, UnitError};

/// Calls a window may hold.
const MAX_CALLS: u32 = 10_000;

/// How far back a breaker looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The last so many calls: `"20 calls"`.
    Calls(u32),
    /// The calls of this long: `"10s"`.
    Time(HumanDuration),
}

impl FromStr for Window {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let calls = text.trim_matches(' ').strip_suffix("calls").and_then(|n| units::count(n, MAX_CALLS));
        match calls {
            Some(1..) => Ok(Self::Calls(calls.unwrap_or_default())),
            _ => text.parse().map(Self::Time),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calls(calls) => write!(f, "{calls} calls"),
            Self::Time(span) => write!(f, "{span}"),
        }
    }
}

impl JsonSchema for Window {
    fn schema_name() -> Cow<'static, str> {
        "Window".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let calls = format!("0*{} *calls", patterns::integers(MAX_CALLS.into()));
        let pattern = format!("(?:{calls}|{})", patterns::duration());
        text(&pattern, "the last calls, or those of a length of time", &["20 calls", "10s"])
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// `{ errors = "50%", window = "100 calls", open = "5s", probes = 3 }`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerOptions {
    /// Share of failures from which it opens.
    pub errors: Ratio,
    /// How far back it looks.
    pub window: Window,
    /// How long it stays open.
    pub open: HumanDuration,
    /// Calls let through half-open; all must succeed. Without a limit it flaps.
    pub probes: u32,
    /// Calls it needs to have seen.
    pub minimum: u32,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self {
            errors: Ratio::new(0.5),
            window: Window::Time(HumanDuration::from_millis(10_000)),
            open: HumanDuration::from_millis(5_000),
            probes: 3,
            minimum: 20,
        }
    }
}

impl BreakerOptions {
    /// Calls that it has to see before it opens: a window of few calls never holds the minimum.
    pub const fn calls_to_open(&self) -> u32 {
        match self.window {
            Window::Calls(calls) if calls < self.minimum => calls,
            Window::Calls(_) | Window::Time(_) => self.minimum,
        }
    }

    /// What is wrong with them, each sentence with the key of the policy first: what would never open, or never close.
    pub fn diagnostics(&self) -> Vec<String> {
        let mut diagnostics = Vec::new();
        let mut refuse = |wrong: bool, sentence: &str| {
            if wrong {
                diagnostics.push(sentence.to_owned());
            }
        };
        let nothing = HumanDuration::default();
        refuse(
            self.errors.get() <= 0.0,
            "breaker: errors = 0% opens it without a failure; write e.g. errors = \"50%\"",
        );
        refuse(
            self.window == Window::Time(nothing),
            "breaker: its window is 0s; write for example window = \"10s\"",
        );
        refuse(
            matches!(self.window, Window::Time(time) if time > MAX_LENGTH),
            "breaker: its window is out of range; write at most 10m",
        );
        refuse(self.open > MAX_LENGTH, "breaker: open is out of range; write at most 10m");
        refuse(self.open == nothing, "breaker: it opens for 0s; write for example open = \"5s\"");
        refuse(!COUNTS.contains(&self.probes), "breaker: probes are out of range; write 1 to 10000");
        refuse(!COUNTS.contains(&self.minimum), "breaker: minimum is out of range; write 1 to 10000 calls");
        diagnostics
    }
}

/// Calls that a breaker counts to: as many as its window can hold.
const COUNTS: std::ops::RangeInclusive<u32> = 1..=MAX_CALLS;

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// A few probes go through.
    HalfOpen,
    /// None does.
    Open,
}

impl BreakerState {
    /// For the gauge: 0 closed, 1 half-open, 2 open.
    pub const fn gauge(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }
}

/// Whether a call may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// It may; its result is reported with this.
    Granted(Generation),
    /// Not before so many nanoseconds have passed.
    Denied(u64),
}

/// Names the stretch of a breaker's life a call was admitted in: how a call ended
/// that began before the breaker opened teaches nothing about the probes after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation(u32);

/// Slots of a time window.
const SLOTS: usize = 10;

/// The state machine. One per edge.
#[derive(Debug)]
pub struct Breaker {
    options: BreakerOptions,
    state: BreakerState,
    /// Counts its changes of state.
    generation: u32,
    opened_ns: u64,
    probes_out: u32,
    probes_ok: u32,
    seen: CallWindow,
}

#[derive(Debug)]
enum CallWindow {
    /// The last calls, true for failures, and where the next is written.
    Calls { ring: Vec<bool>, next: usize },
    /// Calls and failures by slot of the window, and the number of the slot written last.
    Time { slots: [(u32, u32); SLOTS], current: u64 },
}

impl CallWindow {
    fn new(window: Window) -> Self {
        match window {
            Window::Calls(calls) => Self::Calls { ring: Vec::with_capacity(calls as usize), next: 0 },
            Window::Time(_) => Self::Time { slots: [(0, 0); SLOTS], current: 0 },
        }
    }
}

impl Breaker {
    /// A closed breaker that has seen nothing.
    pub fn new(options: BreakerOptions) -> Self {
        let seen = CallWindow::new(options.window);
        Self {
            options,
            state: BreakerState::Closed,
            generation: 0,
            opened_ns: 0,
            probes_out: 0,
            probes_ok: 0,
            seen,
        }
    }

    /// Where it stands.
    pub const fn state(&self) -> BreakerState {
        self.state
    }

    /// Whether a call may be made now. A call that may must be followed by
    /// [`Breaker::on_result`] or [`Breaker::forget`].
    pub fn admit(&mut self, now_ns: u64) -> Permission {
        if self.state == BreakerState::Open {
            // Times are read before its lock is taken, so that one may be from before it opened.
            let rested_ns = now_ns.saturating_sub(self.opened_ns);
            let left = self.options.open.nanos().saturating_sub(rested_ns);
            if left > 0 {
                return Permission::Denied(left);
            }
            (self.probes_out, self.probes_ok) = (0, 0);
            self.transition(BreakerState::HalfOpen);
        }
        if self.state == BreakerState::HalfOpen {
            if self.probes_out >= self.options.probes.max(1) {
                return Permission::Denied(self.options.open.nanos() / 10);
            }
            self.probes_out += 1;
        }
        Permission::Granted(Generation(self.generation))
    }

    /// How an admitted call ended. Only a failure opens it: a success that fills the window,
    /// or comes as the good calls before it age out, is no reason to (resilience4j evaluates
    /// after every call; Envoy on failures alone).
    pub fn on_result(&mut self, now_ns: u64, generation: Generation, ok: bool) {
        if generation.0 != self.generation {
            return;
        }
        match self.state {
            BreakerState::Closed => {
                self.record(now_ns, !ok);
                if ok {
                    return;
                }
                let (calls, failures) = self.count(now_ns);
                let full = calls >= self.options.calls_to_open();
                if full && f64::from(failures) >= self.options.errors.get() * f64::from(calls) {
                    self.open(now_ns);
                }
            }
            BreakerState::HalfOpen if ok => {
                self.probes_ok += 1;
                if self.probes_ok >= self.options.probes.max(1) {
                    self.transition(BreakerState::Closed);
                    self.seen = CallWindow::new(self.options.window);
                }
            }
            BreakerState::HalfOpen => self.open(now_ns),
            // Nothing is admitted while it is open.
            BreakerState::Open => {}
        }
    }

    /// An admitted call was given up without a result: its probe is free again.
    pub fn release(&mut self, generation: Generation) {
        if generation.0 == self.generation && self.state == BreakerState::HalfOpen {
            self.probes_out = self.probes_out.saturating_sub(1);
        }
    }

    /// Closes it, with nothing seen: a load begins. Results of calls under way are of before.
    pub fn reset(&mut self) {
        self.transition(BreakerState::Closed);
        self.seen = CallWindow::new(self.options.window);
    }

    fn open(&mut self, now_ns: u64) {
        self.transition(BreakerState::Open);
        self.opened_ns = now_ns;
    }

    fn transition(&mut self, state: BreakerState) {
        self.state = state;
        self.generation = self.generation.wrapping_add(1);
    }

    fn record(&mut self, now_ns: u64, failed: bool) {
        let slot = self.slot(now_ns);
        match &mut self.seen {
            CallWindow::Calls { ring, next } => {
                if ring.len() < ring.capacity() {
                    ring.push(failed);
                } else {
                    ring[*next] = failed;
                    *next = (*next + 1) % ring.len();
                }
            }
            CallWindow::Time { slots, current } => {
                for step in 1..=slot.saturating_sub(*current).min(SLOTS as u64) {
                    slots[((*current + step) % SLOTS as u64) as usize] = (0, 0);
                }
                *current = (*current).max(slot);
                let entry = &mut slots[(*current % SLOTS as u64) as usize];
                entry.0 += 1;
                entry.1 += u32::from(failed);
            }
        }
    }

    fn slot(&self, now_ns: u64) -> u64 {
        match self.options.window {
            Window::Time(span) => now_ns / (span.nanos() / SLOTS as u64).max(1),
            Window::Calls(_) => 0,
        }
    }

    fn count(&self, now_ns: u64) -> (u32, u32) {
        match &self.seen {
            CallWindow::Calls { ring, .. } => {
                (ring.len() as u32, ring.iter().map(|failed| u32::from(*failed)).sum())
            }
            CallWindow::Time { slots, current } => {
                debug_assert!(*current >= self.slot(now_ns), "counted right after a note");
                slots.iter().fold((0, 0), |sum, slot| (sum.0 + slot.0, sum.1 + slot.1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn breaker(window: &str) -> Breaker {
        let window = window.parse().expect("a window");
        Breaker::new(BreakerOptions { window, minimum: 20, ..BreakerOptions::default() })
    }

    /// A call that must be admitted.
    fn admitted(breaker: &mut Breaker, now_ns: u64) -> Generation {
        match breaker.admit(now_ns) {
            Permission::Granted(generation) => generation,
            Permission::Denied(left_ns) => panic!("refused for another {left_ns} ns"),
        }
    }

    /// Calls that all end alike.
    fn calls(breaker: &mut Breaker, count: u32, now_ns: u64, ok: bool) {
        for _ in 0..count {
            let generation = admitted(breaker, now_ns);
            breaker.on_result(now_ns, generation, ok);
        }
    }

    #[test]
    fn it_opens_rests_probes_and_closes() {
        let mut breaker = breaker("20 calls");
        for call in 0..20 {
            calls(&mut breaker, 1, 0, call % 2 == 1);
        }
        assert_eq!(breaker.state(), BreakerState::Closed, "the twentieth went well");
        calls(&mut breaker, 1, 0, false);
        assert_eq!(breaker.state(), BreakerState::Open, "ten of the last twenty failed");
        assert_eq!(breaker.admit(SECOND), Permission::Denied(4 * SECOND));
        let later = 5 * SECOND;
        let probes = [0; 3].map(|_| admitted(&mut breaker, later));
        assert!(matches!(breaker.admit(later), Permission::Denied(_)), "three probes, no more");
        probes.into_iter().for_each(|generation| breaker.on_result(later, generation, true));
        assert_eq!(breaker.state(), BreakerState::Closed);
        admitted(&mut breaker, later);
    }

    #[test]
    fn one_bad_probe_opens_it_again() {
        let mut breaker = breaker("10s");
        calls(&mut breaker, 20, 0, false);
        calls(&mut breaker, 1, 5 * SECOND, false);
        assert!(matches!(breaker.admit(6 * SECOND), Permission::Denied(_)));
    }

    #[test]
    fn a_reset_closes_it_and_results_of_before_teach_nothing() {
        for window in ["10s", "20 calls"] {
            let mut breaker = breaker(window);
            let before = admitted(&mut breaker, 0);
            calls(&mut breaker, 20, 0, false);
            assert_eq!(breaker.state(), BreakerState::Open);
            breaker.reset();
            calls(&mut breaker, 19, 0, false);
            breaker.on_result(0, before, false);
            assert_eq!(breaker.state(), BreakerState::Closed, "19 of the 20 that it takes");
            calls(&mut breaker, 1, 0, false);
            assert_eq!(breaker.state(), BreakerState::Open);
        }
    }

    #[test]
    fn a_probe_given_up_is_free_again() {
        let mut breaker = breaker("10s");
        calls(&mut breaker, 20, 0, false);
        for _ in 0..10 {
            let generation = admitted(&mut breaker, 5 * SECOND);
            breaker.release(generation);
        }
    }

    #[test]
    fn a_call_from_before_it_opened_is_no_probe() {
        let mut breaker = breaker("10s");
        let slow = [0; 3].map(|_| admitted(&mut breaker, 0));
        calls(&mut breaker, 20, 0, false);
        let later = 5 * SECOND;
        let probe = admitted(&mut breaker, later);
        slow.into_iter().for_each(|generation| breaker.on_result(later, generation, true));
        assert_eq!(breaker.state(), BreakerState::HalfOpen, "three old answers close nothing");
        breaker.on_result(later, probe, true);
        calls(&mut breaker, 2, later, true);
        assert_eq!(breaker.state(), BreakerState::Closed, "three probes do");
    }

    #[test]
    fn a_success_never_opens_it_however_the_window_turns() {
        let mut breaker = breaker("10s");
        // Good calls for two seconds, failures for two, and good ones again: at 12 s only failures are left.
        calls(&mut breaker, 150, SECOND, true);
        calls(&mut breaker, 120, 4 * SECOND, false);
        for second in 5..14 {
            calls(&mut breaker, 1, second * SECOND, true);
            assert_eq!(breaker.state(), BreakerState::Closed, "second {second}");
        }
        calls(&mut breaker, 1, 15 * SECOND, false);
        assert_eq!(breaker.state(), BreakerState::Closed, "and these have aged as well");
    }

    #[test]
    fn a_call_that_began_before_it_opened_waits_no_longer_than_it_is_open() {
        let mut breaker = breaker("10s");
        calls(&mut breaker, 20, 9 * SECOND, false);
        assert_eq!(breaker.admit(8 * SECOND), Permission::Denied(5 * SECOND));
    }

    #[test]
    fn old_failures_are_forgotten() {
        let mut breaker = breaker("10s");
        calls(&mut breaker, 15, 0, false);
        // Eleven seconds later the window holds only these.
        calls(&mut breaker, 19, 11 * SECOND, false);
        assert_eq!(breaker.state(), BreakerState::Closed, "nineteen are fewer than the minimum");
        calls(&mut breaker, 1, 11 * SECOND, false);
        assert_eq!(breaker.state(), BreakerState::Open);
    }
}
