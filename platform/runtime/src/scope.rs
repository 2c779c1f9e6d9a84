//! Which component the code that runs now belongs to, which of its operations, and until when its caller waits for it: what
//! labels its spans, metrics and CPU, and ends its statements.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use contract::ComponentName;
use pin_project_lite::pin_project;

use crate::cost::{self, Operation};

/// Code outside any component; spans and metrics with it are a defect.
pub const UNSCOPED: ComponentName = ComponentName::of("unscoped");

thread_local! {
    static COMPONENT: Cell<ComponentName> = const { Cell::new(UNSCOPED) };
    /// One of the component's, or none.
    static OPERATION: Cell<Option<&'static Operation>> = const { Cell::new(None) };
    /// Of what runs for a caller.
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The component whose code runs now.
pub fn component() -> ComponentName {
    COMPONENT.get()
}

/// The operation of the component that runs now; `None` where it does what is no caller's.
pub fn operation() -> Option<&'static Operation> {
    OPERATION.get()
}

/// When the caller of what runs now stops waiting; `None` where there is none, as in tasks of their own.
pub fn deadline() -> Option<Instant> {
    DEADLINE.get()
}

/// Runs `future` as part of a component, and of its operation that runs already.
pub fn within<F: Future>(component: ComponentName, future: F) -> ComponentScope<F> {
    carried(component, None, future)
}

/// Runs `future` as an operation, which is counted.
pub fn serving<F: Future>(operation: &'static Operation, future: F) -> ComponentScope<F> {
    operation.count();
    carried(operation.component, Some(operation), future)
}

/// Runs `future` as what ran elsewhere.
pub(crate) fn carried<F: Future>(
    component: ComponentName,
    operation: Option<&'static Operation>,
    future: F,
) -> ComponentScope<F> {
    ComponentScope { component, operation, deadline: None, future }
}

/// Runs a function as part of a component, and of its operation that runs already.
pub fn enter<R>(component: ComponentName, f: impl FnOnce() -> R) -> R {
    let _restore = Restore::switch(component, None, None);
    f()
}

/// Runs a function as what ran elsewhere.
pub(crate) fn enter_carried<R>(
    component: ComponentName,
    operation: Option<&'static Operation>,
    f: impl FnOnce() -> R,
) -> R {
    let _restore = Restore::switch(component, operation, None);
    f()
}

pin_project! {
    /// A future that belongs to a component. Does not cross a bare spawn; ours carries it.
    pub struct ComponentScope<F> {
        component: ComponentName,
        operation: Option<&'static Operation>,
        deadline: Option<Instant>,
        #[pin]
        future: F,
    }
}

impl<F> ComponentScope<F> {
    /// Its caller waits until then.
    #[must_use]
    pub fn until(self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self }
    }
}

impl<F: Future> Future for ComponentScope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _restore = Restore::switch(*this.component, *this.operation, *this.deadline);
        this.future.poll(cx)
    }
}

/// Puts the previous component, operation and deadline back, also when a poll panics.
struct Restore(ComponentName, Option<&'static Operation>, Option<Instant>);

impl Restore {
    /// Without an operation or a deadline, those go on which run, if they are the component's.
    fn switch(
        component: ComponentName,
        operation: Option<&'static Operation>,
        deadline: Option<Instant>,
    ) -> Self {
        cost::cpu::boundary();
        let running = || OPERATION.get().filter(|running| running.component == component);
        let operation = operation.or_else(running);
        let deadline = deadline.or_else(|| DEADLINE.get().filter(|_| COMPONENT.get() == component));
        Self(COMPONENT.replace(component), OPERATION.replace(operation), DEADLINE.replace(deadline))
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        cost::cpu::boundary();
        COMPONENT.set(self.0);
        OPERATION.set(self.1);
        DEADLINE.set(self.2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_scope_ends_where_its_future_does() {
        let feed = ComponentName::of("feed");
        let photo = ComponentName::of("photo");
        let seen = within(feed, async {
            let inner = within(photo, async {
                tokio::task::yield_now().await;
                component()
            });
            (component(), inner.await, component())
        });
        assert_eq!(seen.await, (feed, photo, feed));
        assert_eq!(component(), UNSCOPED);
    }

    fn name() -> Option<&'static str> {
        operation().map(|operation| operation.name)
    }

    #[tokio::test]
    async fn an_operation_ends_where_another_component_begins() {
        let (feed, photo) = (ComponentName::of("feed"), ComponentName::of("photo"));
        let seen = serving(Operation::of(feed, "GET /v1/feed"), async {
            let callee = within(photo, async { name() }).await;
            let own = within(feed, async { name() }).await;
            let tasks = crate::Tasks::new();
            let policy = crate::ShutdownPolicy::Drain;
            let spawned = tasks.spawn("test.operation", policy, async { name() }).await.expect("no panic");
            let shared =
                tasks.spawn_unspanned("test.shared", policy, async { name() }).await.expect("no panic");
            (callee, own, spawned.flatten(), shared.flatten(), crate::blocking(name).await)
        });
        let of_feed = Some("GET /v1/feed");
        assert_eq!(seen.await, (None, of_feed, of_feed, None, of_feed));
        assert_eq!(name(), None);
    }

    #[tokio::test]
    async fn a_deadline_is_that_of_the_component_whose_caller_waits() {
        let (feed, photo) = (ComponentName::of("feed"), ComponentName::of("photo"));
        let (soon, sooner) = (crate::clock::now(), crate::clock::now());
        let seen = within(feed, async {
            let own = serving(Operation::of(feed, "GET /v1/feed"), async { deadline() }).await;
            let callee = within(photo, async { deadline() }).await;
            let called = within(photo, async { deadline() }).until(sooner).await;
            let tasks = crate::Tasks::new();
            let spawned = tasks.spawn("test.deadline", crate::ShutdownPolicy::Drain, async { deadline() });
            (own, callee, called, spawned.await.expect("no panic").flatten(), deadline())
        });
        assert_eq!(seen.until(soon).await, (Some(soon), None, Some(sooner), None, Some(soon)));
        assert_eq!(deadline(), None);
    }
}
