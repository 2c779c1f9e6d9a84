//! The two halves of the client's connection, polled by the task that asks.
//!
//! `tokio_postgres` has a client, which is asked, and a driver, which reads and writes its socket and is meant for a task
//! of its own. Here the task that waits for an answer polls both: no other task has to be woken, and the work of the
//! driver is accounted to the request it is done for.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{Connection, Socket};

/// The half that has the socket.
pub(super) struct Driver {
    /// Gone when it has ended.
    connection: Option<Box<Connection<Socket, NoTlsStream>>>,
    news: Arc<News>,
    /// Of the news.
    waker: Waker,
}

/// Whether the client's half has been woken: an answer has come, or the connection has ended.
#[derive(Default)]
struct News(AtomicBool);

impl News {
    /// Whether it has been since this was asked last.
    fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

impl Wake for News {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl Driver {
    pub fn new(connection: Connection<Socket, NoTlsStream>) -> Self {
        let news = Arc::new(News::default());
        Self { connection: Some(Box::new(connection)), waker: Waker::from(news.clone()), news }
    }

    /// Whether the connection has not ended.
    pub const fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    /// Reads and writes what can be without waiting: answers that are not waited for any more are read away, and a
    /// connection that the server has closed is noticed.
    pub fn turn(&mut self) {
        // Wakes of the last task that waited here are of no use to it any more.
        self.poll(&mut Context::from_waker(Waker::noop()));
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && let Poll::Ready(end) = Pin::new(&mut **connection).poll(cx)
        {
            if let Err(error) = end {
                tracing::debug!(%error, "a connection to the database has ended");
            }
            // With it go the senders of the answers that are still waited for: those waits end with an error.
            self.connection = None;
        }
    }

    /// Completes `work` of the client's half, which waits for nothing but answers. It is pinned by the caller: each function
    /// that it is handed to by value would hold it twice and move it.
    pub async fn drive<T>(&mut self, mut work: Pin<&mut impl Future<Output = T>>) -> T {
        // Answers come from the driver, which is polled here: nothing else wakes the work, and without news it waits for more.
        let waker = self.waker.clone();
        let mut is_sent = false;
        poll_fn(|cx| {
            let mut alone = Context::from_waker(&waker);
            if !std::mem::replace(&mut is_sent, true)
                && let Poll::Ready(value) = work.as_mut().poll(&mut alone)
            {
                return Poll::Ready(value);
            }
            self.poll(cx);
            if self.news.take() { work.as_mut().poll(&mut alone) } else { Poll::Pending }
        })
        .await
    }
}
