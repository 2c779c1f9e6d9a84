//! Work that goes on to its end, also where its caller gives up.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use runtime::{ShutdownPolicy, Tasks};

/// Polled by its caller, who loses no time to a task that is woken; dropped before its end, it ends on a task of its own.
pub(crate) struct Completion<T: Send + 'static>(Option<BoxFuture<'static, T>>);

impl<T: Send + 'static> Completion<T> {
    /// Completes `work`, also where it is dropped before its first poll.
    pub fn of(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Some(work.boxed()))
    }
}

impl<T: Send + 'static> Future for Completion<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(work) = &mut self.0 else { return Poll::Pending };
        let polled = work.poll_unpin(cx);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Completion<T> {
    fn drop(&mut self) {
        // Outside of a runtime there is nothing to end it on: the process is about to go.
        if let Some(rest) = self.0.take()
            && tokio::runtime::Handle::try_current().is_ok()
        {
            // A task that drains needs no owner that waits for it.
            drop(Tasks::new().spawn("storage.commit", ShutdownPolicy::Drain, rest));
        }
    }
}
