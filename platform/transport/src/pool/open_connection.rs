//! A connection as such: the side to speak into, and what moves the bytes.
//!
//! hyper's two sides speak over channels, and each message wakes the task that waits at the other end. Here both sides are one
//! task's, which looks at one right after it has moved the other: woken by itself, it would look at everything once more,
//! and by a request on a kept connection the task that used it last. So a [`Gate`] stands between the connection and its
//! task, and lets only those wakes through that come while the task is not at it.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;
use hyper::client::conn::http1::{Connection, SendRequest};

use crate::Body;
use crate::alarm::Alarm;
use crate::probe::{Probe, ProbedStream};

/// Rounds in one poll, each for a wake that came in the one before. Where a connection wakes itself for good, because it
/// has had its share of the thread, the task comes back to it.
const MAX_ROUNDS: u32 = 3;

/// An open connection.
pub(super) struct OpenConnection {
    pub sender: SendRequest<Body>,
    pub probe: Probe,
    /// Ends waits for answers.
    pub alarm: Alarm,
    /// Where it was made to: the endpoint, or a proxy before it.
    pub via: SocketAddr,
    pub driver: Driver,
}

/// What moves the bytes of a connection.
pub(super) struct Driver {
    connection: Connection<ProbedStream, Body>,
    pub is_ended: bool,
    gate: Arc<Gate>,
    /// Of the gate.
    waker: Waker,
}

/// Where wakes of a connection pass on their way to the task that uses it.
#[derive(Default)]
struct Gate {
    task: AtomicWaker,
    state: AtomicU8,
    /// A wake has come since bytes were moved last.
    has_news: AtomicBool,
}

/// The task waits: it is woken.
const OPEN: u8 = 0;
/// The task is at it: it need not be woken.
const SHUT: u8 = 1;
/// The same, and a wake has come.
const WOKEN: u8 = 2;

impl Gate {
    fn open(&self) {
        self.state.store(OPEN, Ordering::Release);
    }

    fn shut(&self) {
        self.state.store(SHUT, Ordering::Release);
    }

    /// Opens it unless a wake has come since it was shut.
    fn open_if_quiet(&self) -> bool {
        self.state.compare_exchange(SHUT, OPEN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_news.store(true, Ordering::Release);
        if self.state.compare_exchange(SHUT, WOKEN, Ordering::AcqRel, Ordering::Acquire) == Err(OPEN) {
            self.task.wake();
        }
    }
}

impl Driver {
    pub fn new(connection: Connection<ProbedStream, Body>) -> Self {
        let gate = Arc::new(Gate::default());
        Self { connection, is_ended: false, waker: Waker::from(gate.clone()), gate }
    }

    /// The task is at it from here on, until it polls or drives: what it hands the connection wakes no task.
    pub fn begin(&self) {
        self.gate.shut();
    }

    /// Polls what waits for this connection, and moves its bytes until one or the other has to wait for the network.
    pub fn poll_with<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut waiting: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        // Nothing else completes what waits: it is looked at after every move.
        let mut quiet = Context::from_waker(Waker::noop());
        self.gate.shut();
        self.gate.task.register(cx.waker());
        let mut polled = waiting(&mut quiet);
        for _ in 0..MAX_ROUNDS {
            if polled.is_ready() {
                break;
            }
            self.gate.shut();
            self.move_bytes();
            polled = waiting(&mut quiet);
            if polled.is_pending() && self.gate.open_if_quiet() {
                return polled;
            }
        }
        self.gate.open();
        if polled.is_pending() {
            cx.waker().wake_by_ref();
        }
        polled
    }

    /// Whether there is anything to move: a connection that has not been woken since it was driven is as it was.
    pub fn has_news(&self) -> bool {
        self.gate.has_news.load(Ordering::Acquire)
    }

    /// Moves bytes, both ways.
    pub fn drive(&mut self, cx: &mut Context<'_>) {
        self.gate.shut();
        self.gate.task.register(cx.waker());
        self.move_bytes();
        // A wake that came meanwhile is found by the next that uses the connection.
        self.gate.open();
    }

    fn move_bytes(&mut self) {
        if !self.is_ended {
            self.gate.has_news.store(false, Ordering::Release);
            // An error shows as an error of the request itself.
            let mut cx = Context::from_waker(&self.waker);
            self.is_ended = Pin::new(&mut self.connection).poll(&mut cx).is_ready();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_wake_passes_while_the_gate_is_open_and_is_kept_while_it_is_shut() {
        let (gate, woken) = (Arc::new(Gate::default()), Arc::new(Woken::default()));
        gate.task.register(&Waker::from(woken.clone()));
        let count = || woken.0.load(Ordering::Relaxed);
        gate.shut();
        assert!(gate.open_if_quiet());
        gate.shut();
        gate.wake_by_ref();
        assert_eq!((count(), gate.open_if_quiet()), (0, false));
        gate.open();
        gate.wake_by_ref();
        assert_eq!((count(), gate.has_news.load(Ordering::Acquire)), (1, true));
    }
}
