//! A future that is looked at only when it has been woken itself.
//!
//! A task that serves a connection also waits for its server's end. With every byte that comes the task is polled, and with it
//! each of its futures; those that hardly ever have news cost as much as the one that has. A quiet future has a waker of its
//! own: without a wake of its own it is a load of a flag.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Polls `future` now and whenever it has been woken, but not with everything else its task waits for.
pub fn quiet<F: Future>(future: F) -> Quiet<F> {
    let signal = Arc::new(Signal { task: AtomicWaker::new(), is_woken: AtomicBool::new(true) });
    Quiet { future: Box::pin(future), waker: Waker::from(signal.clone()), signal }
}

/// See [`quiet`].
pub struct Quiet<F> {
    future: Pin<Box<F>>,
    signal: Arc<Signal>,
    /// Of the signal.
    waker: Waker,
}

struct Signal {
    task: AtomicWaker,
    is_woken: AtomicBool,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl<F: Future> Future for Quiet<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        // First: a wake between the two finds the task.
        this.signal.task.register(cx.waker());
        if !this.signal.is_woken.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        this.future.as_mut().poll(&mut Context::from_waker(&this.waker))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn it_is_polled_once_and_again_when_it_is_woken() {
        let (sender, mut receiver) = oneshot::channel();
        let polls = Cell::new(0);
        let counted = poll_fn(|cx| {
            polls.set(polls.get() + 1);
            Pin::new(&mut receiver).poll(cx)
        });
        let mut quiet = quiet(counted);
        for _ in 0..5 {
            let polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut quiet).poll(cx))).await;
            assert!(polled.is_pending());
        }
        assert_eq!(polls.get(), 1);
        let task = async {
            tokio::task::yield_now().await;
            sender.send(7).expect("it waits");
        };
        let (received, ()) = tokio::join!(&mut quiet, task);
        assert_eq!((received, polls.get()), (Ok(7), 2));
    }
}
