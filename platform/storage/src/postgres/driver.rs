//! The two halves of the client's connection, polled by the task that asks.
//!
//! `tokio_postgres` has a client, which is asked, and a driver, which reads and writes its socket and is meant for a task
//! of its own. Here the task that waits for an answer polls both: no other task has to be woken, and the work of the
//! driver is accounted to the request it is done for.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{Connection, Socket};

/// The half that has the socket. Gone when the connection has ended.
pub(super) struct Driver(Option<Box<Connection<Socket, NoTlsStream>>>);

impl Driver {
    pub fn new(connection: Connection<Socket, NoTlsStream>) -> Self {
        Self(Some(Box::new(connection)))
    }

    /// Whether the connection has not ended.
    pub const fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// Reads and writes what can be without waiting: answers that are not waited for any more are read away, and a
    /// connection that the server has closed is noticed.
    pub fn turn(&mut self) {
        // Wakes of the last task that waited here are of no use to it any more.
        self.poll(&mut Context::from_waker(Waker::noop()));
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.0
            && let Poll::Ready(end) = Pin::new(&mut **connection).poll(cx)
        {
            if let Err(error) = end {
                tracing::debug!(%error, "a connection to the database has ended");
            }
            // With it go the senders of the answers that are still waited for: those waits end with an error.
            self.0 = None;
        }
    }

    /// Completes `work` of the client's half, which waits for nothing but answers.
    pub async fn drive<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        self.turn();
        let mut is_sent = false;
        poll_fn(|cx| {
            // Answers come from the driver, which is polled here: nothing else would wake the work.
            let mut alone = Context::from_waker(Waker::noop());
            if !std::mem::replace(&mut is_sent, true)
                && let Poll::Ready(value) = work.as_mut().poll(&mut alone)
            {
                return Poll::Ready(value);
            }
            self.poll(cx);
            work.as_mut().poll(&mut alone)
        })
        .await
    }
}
