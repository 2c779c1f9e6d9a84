//! Which thread of a process waits for messages, as in tokio's runtime of several threads.
//!
//! One thread at a time waits at the driver, which is epoll; others that have nothing to do sleep. The one that waits works off
//! what has come. Of one message it does so without waking another: until it has to wait again the driver is unattended, and what
//! comes meanwhile stays unread, beside threads and cores that are idle. Of several it wakes another thread, which takes one
//! of them and wakes the next; the last that is woken finds nothing and waits at the driver. So it does where work comes from
//! another thread: a commit that is durable, a password that is hashed. Where a request is one long poll, as in a process that
//! has every component, the next one waits for its end.
//!
//! Source: tokio 1.54, `runtime/scheduler/multi_thread`. `worker.rs`: `transition_from_parked` (what the driver brings makes no
//! thread search), `should_notify_others` (more than one task), `transition_worker_from_searching` (a thread that was woken and
//! finds work wakes another). `park.rs`: `Inner::park` (a thread without work takes the driver if it can). Every 61st poll looks
//! at the driver as well, which is left out.

use std::collections::VecDeque;

use super::cpu::Burst;

/// The driver of a process.
#[derive(Debug)]
pub struct Driver {
    unread: VecDeque<Burst>,
    /// Whether a thread waits for messages.
    is_attended: bool,
    /// Whether a thread was woken, and has yet to look for work.
    is_woken: bool,
    /// When the thread that waited took a message, ns.
    taken_ns: u64,
}

impl Default for Driver {
    /// At rest.
    fn default() -> Self {
        Self { unread: VecDeque::new(), is_attended: true, is_woken: false, taken_ns: 0 }
    }
}

impl Driver {
    /// A message comes. Returns whether the thread that waits for one takes it: the driver is unattended from then on.
    pub const fn wakes_reader(&mut self, now_ns: u64) -> bool {
        let is_taken = std::mem::replace(&mut self.is_attended, false);
        if is_taken {
            self.taken_ns = now_ns;
        }
        is_taken
    }

    /// No thread waits for a message that comes: it stays unread, unless one was taken at this very moment. Both are read then, and
    /// it is `ready`.
    pub fn keep(&mut self, burst: Burst, now_ns: u64, ready: &mut VecDeque<Burst>) {
        if self.taken_ns == now_ns && now_ns > 0 {
            self.is_woken = true;
            ready.push_back(burst);
        } else {
            self.unread.push_back(burst);
        }
    }

    /// Messages that no thread has read, the oldest first.
    pub fn unread(&self) -> impl Iterator<Item = &Burst> {
        self.unread.iter()
    }

    /// A thread without work looks for messages, unless another waits for them, and waits for them itself where there are none.
    /// Returns whether it has read any; they are `ready` then.
    pub fn read(&mut self, ready: &mut VecDeque<Burst>) -> bool {
        if self.is_attended {
            return false;
        }
        if self.unread.is_empty() {
            self.is_attended = true;
            return false;
        }
        self.is_woken = self.unread.len() > 1;
        ready.append(&mut self.unread);
        true
    }

    /// A thread was woken for what another has done, and wakes the next, if any is `left`.
    pub const fn wakes_another(&mut self, is_any_left: bool) {
        self.is_woken = true;
        self.is_attended &= is_any_left;
    }

    /// Whether a thread was woken and has yet to look for work.
    pub const fn is_woken(&self) -> bool {
        self.is_woken
    }

    /// It has looked in vain, or there is none.
    pub const fn nothing_found(&mut self) {
        self.is_woken = false;
    }

    /// The process goes on after a pause: what has come meanwhile is looked at.
    pub const fn look_again(&mut self) {
        self.is_attended = false;
    }

    /// The process dies. Returns the messages that no thread has read.
    pub fn reset(&mut self) -> VecDeque<Burst> {
        std::mem::take(self).unread
    }
}

#[cfg(test)]
mod tests {
    use super::super::cpu::Owner;
    use super::super::plan::{HopCosts, ProcessPlan};
    use super::super::process::Process;
    use super::*;
    use crate::dist::Distribution;
    use crate::engine::{Handle, Slab};

    /// Numbers of bursts.
    fn numbers(bursts: Vec<Burst>) -> Vec<usize> {
        let number = |burst: Burst| match burst.owner {
            Owner::Frame(handle) => handle.index as usize,
            other => panic!("{other:?}"),
        };
        bursts.into_iter().map(number).collect()
    }

    /// A process of so many threads, and its bursts by number.
    struct Fixture {
        process: Process,
        handles: Vec<Handle>,
    }

    impl Fixture {
        fn new(workers: u32) -> Self {
            let plan = ProcessPlan {
                name: "app".into(),
                host: "host".into(),
                workers,
                blocking: 1,
                has_driver: true,
                components: Vec::new(),
                costs: HopCosts::default(),
                wake: Distribution::ZERO,
            };
            let mut slab = Slab::default();
            let handles = (0..9).map(|_| slab.insert(())).collect();
            Self { process: Process::new(&plan, 0), handles }
        }

        fn burst(&self, number: usize) -> Burst {
            let owner = Owner::Frame(self.handles[number]);
            Burst { process: 0, owner, demand_ns: 100, since_ns: 0 }
        }

        fn with_woken(&mut self, first: Option<Burst>, now_ns: u64) -> Vec<usize> {
            let mut begun: Vec<Burst> = first.into_iter().collect();
            while let Some(burst) = self.process.woken_thread(now_ns, |_| true) {
                begun.push(burst);
            }
            numbers(begun)
        }

        /// What begins to run when this message comes, or this comes from another thread.
        fn comes(&mut self, number: usize, is_message: bool, now_ns: u64) -> Vec<usize> {
            let burst = self.burst(number);
            let first = self.process.submit(burst, is_message, now_ns);
            self.with_woken(first, now_ns)
        }

        /// What begins to run when this one's thread has nothing to go on with.
        fn ends(&mut self, number: usize, now_ns: u64) -> Vec<usize> {
            let burst = self.burst(number);
            let first = self.process.finish(&burst, now_ns, |_| true);
            self.with_woken(first, now_ns)
        }
    }

    #[test]
    fn a_message_waits_for_the_thread_that_reads_though_others_are_idle() {
        let mut app = Fixture::new(7);
        assert_eq!(app.comes(0, true, 0), [0]);
        assert_eq!(app.comes(1, true, 10), [0; 0], "six threads sleep, none at the driver");
        assert_eq!(app.ends(0, 100), [1], "one message wakes no other");
        assert_eq!(app.comes(2, true, 110), [0; 0]);
        assert_eq!(app.comes(3, true, 120), [0; 0]);
        assert_eq!(app.ends(1, 200), [2, 3], "two do, and a third thread waits at the driver");
        assert_eq!(app.comes(4, true, 210), [4], "it takes what comes next");
        assert_eq!(app.comes(5, true, 220), [0; 0]);
        assert!(app.process.workers.is_balanced(), "Little's law");
        assert_eq!(app.process.workers.waiting(), 1);
    }

    #[test]
    fn messages_of_one_moment_are_read_together() {
        let mut app = Fixture::new(3);
        assert_eq!(app.comes(0, true, 10), [0]);
        assert_eq!(app.comes(1, true, 10), [1]);
        assert_eq!(app.comes(2, true, 20), [2], "the third thread was woken, and waits");
        assert_eq!(app.comes(3, true, 20), [0; 0], "all are busy");
        assert!(app.process.workers.is_balanced() && app.process.workers.waiting() == 1);
        assert_eq!(app.ends(0, 30), [3]);
    }

    #[test]
    fn what_another_thread_has_done_wakes_one_that_then_waits_at_the_driver() {
        let mut app = Fixture::new(3);
        assert_eq!(app.comes(0, true, 0), [0]);
        assert_eq!(app.comes(1, true, 10), [0; 0]);
        // A commit is durable: one thread goes on with it, the next that is woken reads the message.
        assert_eq!(app.comes(2, false, 20), [2, 1]);
        assert_eq!(app.comes(3, true, 30), [0; 0], "all three are busy");
        assert_eq!(app.comes(4, false, 40), [0; 0]);
        assert_eq!(app.ends(2, 50), [4], "what is ready comes before what is to be read");
        assert_eq!(app.ends(0, 60), [3]);
        assert_eq!((app.ends(1, 70), app.ends(3, 80), app.ends(4, 90)), (vec![], vec![], vec![]));
        assert!(app.process.workers.is_balanced() && app.process.workers.is_idle());
        assert_eq!(app.comes(5, true, 100), [5], "the first that had nothing to do waits at the driver");
    }

    #[test]
    fn one_thread_serves_in_order_and_nothing_is_left_unread() {
        let mut app = Fixture::new(1);
        assert_eq!(app.comes(0, true, 0), [0]);
        for number in 1..4 {
            assert_eq!(app.comes(number, true, 10), [0; 0]);
        }
        let order: Vec<Vec<usize>> = [0, 1, 2, 3].map(|number| app.ends(number, 100)).into();
        assert_eq!(order, [vec![1], vec![2], vec![3], vec![]]);
        assert!(app.process.workers.is_idle() && app.process.workers.is_balanced());
    }

    #[test]
    fn what_comes_to_a_process_that_is_paused_is_read_when_it_goes_on_and_gone_when_it_dies() {
        let mut app = Fixture::new(2);
        app.process.pause(Vec::new());
        assert_eq!(app.comes(0, true, 10), [0; 0]);
        assert_eq!(app.comes(1, true, 20), [0; 0]);
        let going_on = app.process.resume(30, |_| true);
        assert_eq!(numbers(going_on), [0, 1]);
        assert_eq!(app.comes(2, true, 40), [0; 0]);
        app.process.kill(50);
        assert!(app.process.workers.is_idle() && app.process.workers.is_balanced());
        assert_eq!(app.process.workers.waiting(), 0);
        app.process.is_up = true;
        assert_eq!(app.comes(3, true, 60), [3]);
    }
}
