//! Waits that end when they should: injected delays, declared work, waits before a retry.
//!
//! The timer of the async runtime has a grain of a millisecond: a delay of 300 us took 1.4 ms. One thread a process sleeps
//! until the earliest deadline, with a timer slack of 1 ns (prctl(2), PR_SET_TIMERSLACK; by default the kernel may be 50 us
//! late), and wakes the tasks that are due. The first wait starts it: a process without waits has no such thread.
//!
//! From there to the task it is some 50 us more: two threads have to wake. So a wait is called that much earlier, by as much
//! as makes half of the waits end late and half early.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use nix::sys::prctl;

use crate::clock;

/// Name of the thread, by which its CPU is accounted apart. The kernel keeps 15 bytes of a name.
pub const THREAD_NAME: &str = "precise-timer";
/// Its stack: waking a task calls into the runtime.
const STACK_BYTES: usize = 256 * 1024;
/// The smallest slack; 0 would mean the default.
const TIMER_SLACK_NS: u64 = 1;

/// A wait is called earlier by at most this, ns: on a machine that is busy with something else no lead makes up for that.
const MAX_LEAD_NS: u64 = 80_000;
/// By how much one wait that ended late or early moves the lead, ns.
const LEAD_STEP_NS: u64 = 1_000;

/// `None` where the kernel starts no thread any more: then waits end when the runtime's timer sees to it.
static TIMER: LazyLock<Option<&'static Timer>> = LazyLock::new(Timer::start);

/// Waits so long: at the median, where the machine has room; never less by more than 80 us, nor by more than half.
pub async fn sleep(length: Duration) {
    if length.is_zero() {
        return;
    }
    let end = clock::now() + length;
    match *TIMER {
        Some(timer) if !is_paused() => {
            let lead = Duration::from_nanos(timer.lead_ns.load(Ordering::Relaxed)).min(length / 2);
            let is_woken = Wait { timer, deadline: end - lead, number: None }.await;
            if is_woken {
                timer.adjust(clock::now() > end);
            }
        }
        _ => tokio::time::sleep(length).await,
    }
}

/// Whether a test has stopped the runtime's clock, and moves it by hand: waits are its then.
fn is_paused() -> bool {
    let before = clock::now();
    let runtime = tokio::time::Instant::now().into_std();
    !(before..=clock::now()).contains(&runtime)
}

/// The waits of a process, and the thread that ends them.
#[derive(Default)]
struct Timer {
    waits: Mutex<Waits>,
    /// A wait was added that ends before all others.
    earlier: Condvar,
    /// How much earlier than it ends a wait is called, ns.
    lead_ns: AtomicU64,
}

#[derive(Default)]
struct Waits {
    /// Who is woken, by deadline and number: two waits may have one deadline.
    wakers: BTreeMap<(Instant, u64), Waker>,
    /// Number of the next wait.
    next: u64,
}

impl Timer {
    fn start() -> Option<&'static Self> {
        // One, and for as long as the process lives.
        let timer: &'static Self = Box::leak(Box::new(Self::default()));
        let thread = std::thread::Builder::new().name(THREAD_NAME.into()).stack_size(STACK_BYTES);
        thread.spawn(move || timer.run()).is_ok().then_some(timer)
    }

    /// Moves the lead towards the median of what it takes to wake a task.
    fn adjust(&self, is_late: bool) {
        let lead = self.lead_ns.load(Ordering::Relaxed);
        // Two waits that end at once may move it once: it has time.
        self.lead_ns.store(next_lead(lead, is_late), Ordering::Relaxed);
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().expect("no panic while held")
    }

    fn run(&self) {
        // Without it waits end 50 us later.
        let _ = prctl::set_timerslack(TIMER_SLACK_NS);
        let mut waits = self.waits();
        loop {
            let now = clock::now();
            let due = waits.take_due(now);
            if !due.is_empty() {
                drop(waits);
                due.into_iter().for_each(Waker::wake);
                waits = self.waits();
                continue;
            }
            waits = match waits.earliest() {
                Some(deadline) => {
                    self.earlier.wait_timeout(waits, deadline - now).expect("no panic while held").0
                }
                None => self.earlier.wait(waits).expect("no panic while held"),
            };
        }
    }
}

const fn next_lead(lead_ns: u64, is_late: bool) -> u64 {
    match (is_late, lead_ns + LEAD_STEP_NS) {
        (true, more) if more > MAX_LEAD_NS => MAX_LEAD_NS,
        (true, more) => more,
        (false, _) => lead_ns.saturating_sub(LEAD_STEP_NS),
    }
}

impl Waits {
    fn earliest(&self) -> Option<Instant> {
        self.wakers.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// The wakers of waits that have ended by `now`.
    fn take_due(&mut self, now: Instant) -> Vec<Waker> {
        let mut due = Vec::new();
        while let Some(first) = self.wakers.first_entry().filter(|first| first.key().0 <= now) {
            due.push(first.remove());
        }
        due
    }

    /// Adds a wait, or renews its waker. Returns whether it now ends before all others, and the waker it had: to be
    /// dropped outside the lock, for with it a task may go that has waits of its own.
    fn add(&mut self, deadline: Instant, number: &mut Option<u64>, waker: Waker) -> (bool, Option<Waker>) {
        let number = *number.get_or_insert_with(|| {
            self.next += 1;
            self.next
        });
        let is_earliest = self.earliest().is_none_or(|earliest| deadline < earliest);
        (is_earliest, self.wakers.insert((deadline, number), waker))
    }
}

/// One wait. Dropped, it is forgotten.
struct Wait {
    timer: &'static Timer,
    deadline: Instant,
    /// Its number, once it has been polled.
    number: Option<u64>,
}

impl Future for Wait {
    /// Whether it had to be woken.
    type Output = bool;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        let wait = self.get_mut();
        if clock::now() >= wait.deadline {
            return Poll::Ready(wait.number.is_some());
        }
        let waker = cx.waker().clone();
        let mut waits = wait.timer.waits();
        let (is_earliest, previous) = waits.add(wait.deadline, &mut wait.number, waker);
        drop(waits);
        drop(previous);
        if is_earliest {
            wait.timer.earlier.notify_one();
        }
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let mut waits = self.timer.waits();
            let waker = waits.wakers.remove(&(self.deadline, number));
            drop(waits);
            drop(waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;
    use std::task::Wake;

    use super::*;
    use crate::{ShutdownPolicy, Tasks};

    const MS: Duration = Duration::from_millis(1);

    struct Counter(AtomicU32);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn waits_end_in_the_order_of_their_deadlines_and_one_that_is_dropped_is_forgotten() {
        let counter = Arc::new(Counter(AtomicU32::new(0)));
        let start = clock::now();
        let mut waits = Waits::default();
        let add = |waits: &mut Waits, ms: u32| {
            let mut number = None;
            waits.add(start + ms * MS, &mut number, counter.clone().into()).0
        };
        assert!(add(&mut waits, 5), "the first is the earliest");
        assert!(!add(&mut waits, 9));
        assert!(add(&mut waits, 2));
        assert!(!add(&mut waits, 5), "two end at once");
        assert!(waits.take_due(start + MS).is_empty());
        waits.take_due(start + 5 * MS).into_iter().for_each(Waker::wake);
        assert_eq!(counter.0.load(Ordering::Relaxed), 3);
        assert_eq!(waits.earliest(), Some(start + 9 * MS));
    }

    #[test]
    fn a_wait_that_is_polled_again_is_there_once() {
        let waker = Waker::noop();
        let (mut waits, mut number) = (Waits::default(), None);
        let deadline = clock::now() + MS;
        assert!(waits.add(deadline, &mut number, waker.clone()).0);
        let (is_earliest, previous) = waits.add(deadline, &mut number, waker.clone());
        assert!(!is_earliest && previous.is_some(), "the thread knows of it");
        assert_eq!(waits.wakers.len(), 1);
    }

    #[tokio::test]
    async fn no_wait_is_too_short_by_more_than_its_lead() {
        let tasks = Tasks::new();
        // Twenty at once, the longest first.
        let waits = (1..=20_u32).rev().map(|n| async move {
            let began = clock::now();
            sleep(n * MS / 10).await;
            let lead = Duration::from_nanos(MAX_LEAD_NS).min(n * MS / 20);
            assert!(clock::now() - began >= n * MS / 10 - lead);
        });
        let waits: Vec<_> = waits.map(|wait| tasks.spawn("test.wait", ShutdownPolicy::Drain, wait)).collect();
        for wait in waits {
            assert_eq!(wait.await.expect("long enough"), Some(()));
        }
    }

    #[test]
    fn the_lead_is_what_half_of_the_wakings_take() {
        // 30 to 69 us, in another order each time.
        let mut lead = 0;
        for n in 0..1_000_u64 {
            lead = next_lead(lead, 30_000 + n * 7 % 40 * 1_000 > lead);
        }
        assert!((45_000..=55_000).contains(&lead), "{lead}");
        for _ in 0..100 {
            lead = next_lead(lead, true);
        }
        assert_eq!(lead, MAX_LEAD_NS, "of a machine that is busy");
    }

    #[tokio::test]
    async fn a_dropped_wait_leaves_nothing_behind() {
        let hour = Duration::from_secs(3_600);
        let waiting = tokio::time::timeout(MS, sleep(hour)).await;
        assert!(waiting.is_err(), "an hour is longer");
        let far = clock::now() + hour / 2;
        let timer = TIMER.expect("a thread");
        assert!(timer.waits().wakers.keys().all(|(deadline, _)| *deadline < far));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stopped_clock_is_moved_by_its_test() {
        let began = tokio::time::Instant::now();
        sleep(Duration::from_secs(3_600)).await;
        assert_eq!(began.elapsed().as_secs(), 3_600, "at once, by the runtime's clock");
    }
}
