//! Timeouts that are renewed with every message and hardly ever come.
//!
//! The runtime keeps timers behind a lock, and setting one for each message to drop it with the answer cost more than the
//! message's own parsing. An [`Alarm`] is set once and goes off at the first deadline that it was set for; if by then a later one
//! counts, it is set again. A connection wakes once in a timeout for it, and not at every message.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use hyper::rt::{Sleep, Timer};
use tokio::time::sleep_until;

/// A timer whose deadline moves.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    /// `None` before the first wait.
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
    /// It has gone off, and has to be set to go off again.
    is_over: bool,
}

impl Alarm {
    /// Ready once `deadline` has passed.
    pub fn poll_until(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let deadline = deadline.into();
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        loop {
            if self.is_over || sleep.deadline() > deadline {
                sleep.as_mut().reset(deadline);
                self.is_over = false;
            }
            ready!(sleep.as_mut().poll(cx));
            self.is_over = true;
            if sleep.deadline() == deadline {
                return Poll::Ready(());
            }
        }
    }

    /// What comes of `waiting`, or `None` once `deadline` has passed.
    pub async fn before<F: Future>(&mut self, deadline: Instant, waiting: F) -> Option<F::Output> {
        let mut waiting = std::pin::pin!(waiting);
        std::future::poll_fn(|cx| match waiting.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.poll_until(cx, deadline).map(|()| None),
        })
        .await
    }
}

/// The timer of one connection, for hyper: its waits share an [`Alarm`], since there is one of them at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionTimer(Arc<Mutex<Alarm>>);

/// A wait of hyper's.
struct AlarmSleep {
    alarm: ConnectionTimer,
    deadline: Instant,
}

impl ConnectionTimer {
    pub fn new() -> Self {
        Self::default()
    }
}

impl Timer for ConnectionTimer {
    fn sleep(&self, duration: std::time::Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(AlarmSleep { alarm: self.clone(), deadline })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into()
    }
}

impl Future for AlarmSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.alarm.0.lock().expect("no panic while held").poll_until(cx, self.deadline)
    }
}

impl Sleep for AlarmSleep {}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn, ready};
    use std::time::Duration;

    use super::*;

    fn now() -> Instant {
        tokio::time::Instant::now().into()
    }

    async fn wait(alarm: &mut Alarm, deadline: Instant) {
        poll_fn(|cx| alarm.poll_until(cx, deadline)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn it_goes_off_at_the_deadline_that_counts() {
        let (mut alarm, began) = (Alarm::default(), now());
        let at = |ms| began + Duration::from_millis(ms);
        // Later than it is set for, then earlier, then again.
        assert!(poll_fn(|cx| Poll::Ready(alarm.poll_until(cx, at(100)))).await.is_pending());
        wait(&mut alarm, at(500)).await;
        assert_eq!(now(), at(500));
        assert!(poll_fn(|cx| Poll::Ready(alarm.poll_until(cx, at(9_000)))).await.is_pending());
        wait(&mut alarm, at(700)).await;
        assert_eq!(now(), at(700));
        wait(&mut alarm, at(600)).await;
        assert_eq!(now(), at(700), "what has passed has passed");
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_in_time_is_there_and_what_does_not_is_not() {
        let mut alarm = Alarm::default();
        let until = now() + Duration::from_secs(1);
        assert_eq!(alarm.before(until, ready(7)).await, Some(7));
        assert_eq!(alarm.before(until, pending::<()>()).await, None);
        assert_eq!(now(), until);
    }
}
