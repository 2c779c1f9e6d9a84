//! Every task has an owner and a declared shutdown policy.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::cost::Operation;
use crate::{clock, cost, quiet, scope};

/// What happens to a task at shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownPolicy {
    /// It is dropped where it stands.
    Cancel,
    /// It is waited for, up to the grace period.
    Drain,
}

/// Owner of tasks. Cheap to clone; all clones own the same tasks.
#[derive(Clone)]
pub struct Tasks {
    shared: Arc<Shared>,
}

struct Shared {
    closing: watch::Sender<bool>,
    unfinished: AtomicUsize,
    finished: Notify,
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

/// Counts a task out, also when it panics or is dropped.
struct TaskGuard(Arc<Shared>);

impl Drop for TaskGuard {
    fn drop(&mut self) {
        if self.0.unfinished.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.finished.notify_waiters();
        }
    }
}

impl Tasks {
    /// An owner without tasks.
    pub fn new() -> Self {
        let shared = Shared {
            closing: watch::Sender::new(false),
            unfinished: AtomicUsize::new(0),
            finished: Notify::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Starts a task. The component, the operation, the span and the accounting of the caller
    /// go along; a bare spawn would lose them.
    pub fn spawn<F>(
        &self,
        name: &'static str,
        policy: ShutdownPolicy,
        future: F,
    ) -> JoinHandle<Option<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.start(name, policy, scope::operation(), future.in_current_span())
    }

    /// The same without the caller's span and operation: for what serves more than the request that happens to start it, and
    /// would keep its span open.
    pub fn spawn_unspanned<F>(
        &self,
        name: &'static str,
        policy: ShutdownPolicy,
        future: F,
    ) -> JoinHandle<Option<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.start(name, policy, None, future)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the spawn with an owner")]
    fn start<F>(
        &self,
        name: &'static str,
        policy: ShutdownPolicy,
        operation: Option<&'static Operation>,
        future: F,
    ) -> JoinHandle<Option<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let component = scope::component();
        let closing = (policy == ShutdownPolicy::Cancel).then(|| quiet(self.closing()));
        let guard = (policy == ShutdownPolicy::Drain).then(|| {
            self.shared.unfinished.fetch_add(1, Ordering::AcqRel);
            TaskGuard(self.shared.clone())
        });
        let task = async move {
            let _guard = guard;
            match closing {
                None => Some(future.await),
                Some(closing) => tokio::select! {
                    biased;
                    () = closing => {
                        tracing::trace!(task = name, "dropped at shutdown");
                        None
                    }
                    output = future => Some(output),
                },
            }
        };
        tokio::spawn(cost::root(cost::Part::Transport, scope::carried(component, operation, task)))
    }

    /// Begins the shutdown: tasks that shut down are dropped, the others are
    /// expected to notice [`Tasks::closing`].
    pub fn close(&self) {
        self.shared.closing.send_replace(true);
    }

    /// Resolves when the shutdown begins.
    pub fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut closing = self.shared.closing.subscribe();
        async move {
            // An owner that is gone closes as well.
            let _ = closing.wait_for(|closing| *closing).await;
        }
    }

    /// Closes, then waits for the tasks that finish. Answers how many were
    /// still at work after `grace`.
    pub async fn finish(&self, grace: Duration) -> usize {
        self.close();
        let until = clock::now() + grace;
        loop {
            let finished = self.shared.finished.notified();
            let left = self.shared.unfinished.load(Ordering::Acquire);
            if left == 0 || tokio::time::timeout_at(until.into(), finished).await.is_err() {
                return self.shared.unfinished.load(Ordering::Acquire);
            }
        }
    }
}

/// Runs work that blocks on a thread that may block, with the caller's
/// component, span and accounting.
///
/// # Panics
/// As `work` does: its panic goes on here.
#[expect(clippy::disallowed_methods, reason = "this is the blocking spawn with an owner")]
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(carried(work)).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that is shutting down cancels blocking work.
            Err(_) => std::future::pending().await,
        },
    }
}

/// The work on another thread, with the caller's component, operation, span and accounting.
pub(crate) fn carried<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let (component, operation) = (scope::component(), scope::operation());
    let part = cost::cpu::current();
    let span = tracing::Span::current();
    move || {
        let _entered = span.enter();
        scope::enter_carried(component, operation, || cost::cpu::measure_blocking(part, work))
    }
}

#[cfg(test)]
mod tests {
    use contract::ComponentName;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_task_that_shuts_down_is_dropped_and_one_that_finishes_is_waited_for() {
        let tasks = Tasks::new();
        let (sender, receiver) = oneshot::channel::<()>();
        let dropped = tasks.spawn("test.endless", ShutdownPolicy::Cancel, std::future::pending::<()>());
        let finishing =
            tasks.spawn("test.finish", ShutdownPolicy::Drain, async move { receiver.await.is_ok() });
        tasks.close();
        assert_eq!(dropped.await.expect("no panic"), None);
        sender.send(()).expect("it waits");
        assert_eq!(tasks.finish(Duration::from_secs(5)).await, 0);
        assert_eq!(finishing.await.expect("no panic"), Some(true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_straggler_is_counted() {
        let tasks = Tasks::new();
        tasks.spawn("test.straggler", ShutdownPolicy::Drain, std::future::pending::<()>());
        assert_eq!(tasks.finish(Duration::from_millis(10)).await, 1);
    }

    #[tokio::test]
    async fn the_component_goes_along() {
        let feed = ComponentName::of("feed");
        let tasks = Tasks::new();
        let (spawned, blocked) = scope::within(feed, async {
            let task = tasks.spawn("test.scope", ShutdownPolicy::Drain, async { scope::component() });
            (task.await.expect("no panic"), blocking(scope::component).await)
        })
        .await;
        assert_eq!((spawned, blocked), (Some(feed), feed));
    }
}
