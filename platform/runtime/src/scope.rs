//! Which component the code that runs now belongs to: what labels its spans, metrics and CPU.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use contract::ComponentName;
use pin_project_lite::pin_project;

use crate::cost;

/// Code outside any component; spans and metrics with it are a defect.
pub const UNSCOPED: ComponentName = ComponentName::of("unscoped");

thread_local! {
    static COMPONENT: Cell<ComponentName> = const { Cell::new(UNSCOPED) };
}

/// The component whose code runs now.
pub fn component() -> ComponentName {
    COMPONENT.get()
}

/// Runs `future` as part of a component.
pub fn within<F: Future>(component: ComponentName, future: F) -> ComponentScope<F> {
    ComponentScope { component, future }
}

/// Runs a function as part of a component.
pub fn enter<R>(component: ComponentName, f: impl FnOnce() -> R) -> R {
    let _restore = Restore::switch(component);
    f()
}

pin_project! {
    /// A future that belongs to a component. Does not cross a bare spawn; ours carries it.
    pub struct ComponentScope<F> {
        component: ComponentName,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for ComponentScope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _restore = Restore::switch(*this.component);
        this.future.poll(cx)
    }
}

/// Puts the previous component back, also when a poll panics.
struct Restore(ComponentName);

impl Restore {
    fn switch(component: ComponentName) -> Self {
        cost::cpu::boundary();
        Self(COMPONENT.replace(component))
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        cost::cpu::boundary();
        COMPONENT.set(self.0);
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
}
