//! The laws of a breaker, over any history of calls.
//!
//! Compared with resilience4j (`CircuitBreakerStateMachine`, docs "CircuitBreaker"): a window of calls or of
//! time, a share of failures from a minimum of calls on, a rest, a number of probes. Stricter in two things:
//! only a failure opens, and one failed probe opens again. Times may go backwards: they are read before its lock is taken.

use std::collections::VecDeque;

use policy::breaker::{Breaker, BreakerOptions, BreakerState, Generation, Permission, Window};
use policy::units::HumanDuration;
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;
/// Slots of a window of time: it forgets a tenth at a time.
const SLOTS: u64 = 10;

/// What happens next: after so many nanoseconds a call is made, or the oldest one under way ends.
#[derive(Clone, Copy, Debug)]
enum Step {
    Call,
    Succeed,
    Fail,
    /// Its client left, or was the cause: it teaches nothing.
    GiveUp,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Call), 1 => Just(Step::Succeed), 2 => Just(Step::Fail), 1 => Just(Step::GiveUp)
    ]
}

fn history() -> impl Strategy<Value = Vec<(u64, Step)>> {
    proptest::collection::vec((0..SECOND, any_step()), 0..300)
}

fn windows() -> impl Strategy<Value = Window> {
    prop_oneof![(1_u32..40).prop_map(Window::Calls), (1_u64..20).prop_map(|s| Window::Time(seconds(s)))]
}

fn seconds(seconds: u64) -> HumanDuration {
    HumanDuration::from_millis(seconds * 1_000)
}

/// A breaker, its calls under way, and what it may remember.
struct Watched {
    breaker: Breaker,
    options: BreakerOptions,
    now: u64,
    /// With the number of the state they were made in.
    out: VecDeque<(Generation, u32)>,
    /// Changes of state so far.
    changes: u32,
    /// When calls that were made and ended in its present closed state did, and whether they failed.
    ended: Vec<(u64, bool)>,
}

impl Watched {
    fn new(options: BreakerOptions) -> Self {
        let (out, ended) = Default::default();
        Self { breaker: Breaker::new(options), options, now: SECOND, out, changes: 0, ended }
    }

    fn step(&mut self, step: Step) {
        let before = self.breaker.state();
        match (step, self.out.front().copied()) {
            (Step::Call, _) => {
                if let Permission::Granted(generation) = self.breaker.admit(self.now) {
                    let change = u32::from(self.breaker.state() != before);
                    self.out.push_back((generation, self.changes + change));
                }
            }
            (_, None) => {}
            (Step::GiveUp, Some((generation, _))) => {
                self.out.pop_front();
                self.breaker.release(generation);
            }
            (Step::Succeed | Step::Fail, Some((generation, made_in))) => {
                self.out.pop_front();
                let failed = matches!(step, Step::Fail);
                if before == BreakerState::Closed && made_in == self.changes {
                    self.ended.push((self.now, failed));
                }
                self.breaker.on_result(self.now, generation, !failed);
            }
        }
        self.changes += u32::from(self.breaker.state() != before);
    }

    /// Calls that are still in the window, and failures among them.
    fn window(&self) -> (usize, usize) {
        let kept: Vec<bool> = match self.options.window {
            Window::Calls(calls) => {
                self.ended.iter().rev().take(calls as usize).map(|(_, failed)| *failed).collect()
            }
            Window::Time(length) => {
                let slot = |at: u64| at / (length.nanos() / SLOTS);
                let young = |at: &u64| slot(*at) + SLOTS > slot(self.now);
                self.ended.iter().filter(|(at, _)| young(at)).map(|(_, failed)| *failed).collect()
            }
        };
        (kept.len(), kept.iter().filter(|failed| **failed).count())
    }
}

proptest! {
    #[test]
    fn only_a_failure_opens_it_and_only_with_a_window_to_show_for_it(steps in history(), window in windows(), minimum in 1_u32..30) {
        let options = BreakerOptions { window, minimum, ..BreakerOptions::default() };
        let mut watched = Watched::new(options);
        for (gap, step) in steps {
            watched.now += gap;
            let before = watched.breaker.state();
            watched.step(step);
            let after = watched.breaker.state();
            let (calls, failures) = watched.window();
            let enough = match window {
                Window::Calls(length) => minimum.min(length),
                Window::Time(_) => minimum,
            };
            let mostly_failed = calls >= enough as usize && failures * 2 >= calls;
            if before == BreakerState::Closed && after == BreakerState::Open {
                prop_assert!(matches!(step, Step::Fail), "{step:?} opened it");
                prop_assert!(mostly_failed, "{failures} of {calls} failed");
            }
            if before == BreakerState::Closed && after == BreakerState::Closed && matches!(step, Step::Fail) {
                prop_assert!(!mostly_failed || watched.ended.last() != Some(&(watched.now, true)), "{failures} of {calls} failed, and it is closed");
            }
            if after != BreakerState::Closed {
                watched.ended.clear();
            }
        }
    }

    #[test]
    fn a_window_that_has_passed_is_forgotten(failures in 1_u32..100, length in 1_u64..60, minimum in 2_u32..40) {
        let window = Window::Time(seconds(length));
        let mut watched = Watched::new(BreakerOptions { window, minimum, ..BreakerOptions::default() });
        // Fewer failures than it takes, then silence for a window, then as many again.
        let few = failures.min(minimum - 1);
        for _ in 0..2 {
            for _ in 0..few {
                watched.step(Step::Call);
                watched.step(Step::Fail);
                prop_assert_eq!(watched.breaker.state(), BreakerState::Closed);
            }
            watched.now += length * SECOND;
        }
    }

    #[test]
    fn it_never_closes_but_by_its_probes_and_never_opens_without_a_rest(
        steps in history(), window in windows(), probes in 1_u32..5,
    ) {
        let options = BreakerOptions { probes, window, minimum: 5, ..BreakerOptions::default() };
        let mut watched = Watched::new(options);
        let (mut opened, mut good_probes) = (0, 0);
        for (gap, step) in steps {
            watched.now += gap;
            let before = watched.breaker.state();
            watched.step(step);
            match (before, watched.breaker.state()) {
                (BreakerState::Open, BreakerState::Closed) => prop_assert!(false, "a probe comes between"),
                (BreakerState::Closed | BreakerState::HalfOpen, BreakerState::Open) => opened = watched.now,
                (BreakerState::Open, BreakerState::HalfOpen) => {
                    prop_assert!(watched.now - opened >= options.open.nanos(), "it rests");
                    good_probes = 0;
                }
                (BreakerState::HalfOpen, BreakerState::HalfOpen) => good_probes += u32::from(matches!(step, Step::Succeed)),
                (BreakerState::HalfOpen, BreakerState::Closed) => prop_assert!(good_probes + 1 >= probes),
                _ => {}
            }
        }
    }

    #[test]
    fn a_callee_that_is_well_gets_its_calls_back_after_one_rest(
        steps in history(), window in windows(), probes in 1_u32..5,
    ) {
        let mut watched = Watched::new(BreakerOptions { probes, window, minimum: 5, ..BreakerOptions::default() });
        for (gap, step) in steps {
            watched.now += gap;
            watched.step(step);
        }
        // What was under way has come to its end, one way or another.
        while !watched.out.is_empty() {
            watched.step(Step::Fail);
        }
        watched.now += 60 * SECOND;
        for _ in 0..probes {
            let admitted = watched.breaker.admit(watched.now);
            let Permission::Granted(generation) = admitted else { panic!("a rested breaker refuses: {admitted:?}") };
            watched.breaker.on_result(watched.now, generation, true);
        }
        prop_assert_eq!(watched.breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn it_heals_whatever_its_clock_did(
        steps in proptest::collection::vec((any::<bool>(), 0..30 * SECOND, any_step()), 0..300),
        window in windows(), probes in 1_u32..5,
    ) {
        let options = BreakerOptions { probes, window, minimum: 5, ..BreakerOptions::default() };
        let (mut breaker, mut out) = (Breaker::new(options), VecDeque::<Generation>::new());
        let mut now = 100 * SECOND;
        let mut latest = now;
        for (is_back, gap, step) in steps {
            now = if is_back { now.saturating_sub(gap) } else { now + gap };
            latest = latest.max(now);
            let before = breaker.state();
            match step {
                Step::Call => match breaker.admit(now) {
                    Permission::Granted(generation) => out.push_back(generation),
                    Permission::Denied(left) => prop_assert!(left <= options.open.nanos(), "{left} ns"),
                },
                Step::GiveUp => out.pop_front().into_iter().for_each(|generation| breaker.release(generation)),
                Step::Succeed | Step::Fail => {
                    if let Some(generation) = out.pop_front() {
                        breaker.on_result(now, generation, matches!(step, Step::Succeed));
                    }
                }
            }
            let opened = before != BreakerState::Open && breaker.state() == BreakerState::Open;
            prop_assert!(!opened || matches!(step, Step::Fail), "{step:?} opened it");
        }
        // What was under way has come to its end, and then it rests.
        out.into_iter().for_each(|generation| breaker.on_result(latest, generation, false));
        let rested = latest + options.open.nanos();
        for _ in 0..probes {
            if breaker.state() == BreakerState::Closed {
                break;
            }
            let admitted = breaker.admit(rested);
            let Permission::Granted(generation) = admitted else { panic!("a rested breaker refuses: {admitted:?}") };
            breaker.on_result(rested, generation, true);
        }
        prop_assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn no_more_probes_are_out_than_may_be_and_one_given_up_is_free_again(probes in 1_u32..6, asked in 1_u32..50) {
        let mut watched = Watched::new(BreakerOptions { probes, ..BreakerOptions::default() });
        for _ in 0..20 {
            watched.step(Step::Call);
            watched.step(Step::Fail);
        }
        prop_assert_eq!(watched.breaker.state(), BreakerState::Open);
        watched.now += 5 * SECOND;
        (0..asked).for_each(|_| watched.step(Step::Call));
        prop_assert_eq!(watched.out.len() as u32, asked.min(probes));
        watched.step(Step::GiveUp);
        watched.step(Step::Call);
        prop_assert_eq!(watched.out.len() as u32, asked.min(probes), "its place was free");
        prop_assert_eq!(watched.breaker.state(), BreakerState::HalfOpen, "and nothing was learned");
    }
}
