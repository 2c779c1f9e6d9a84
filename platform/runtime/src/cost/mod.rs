//! What requests cost, part by part: CPU by sampled polls. Their time by part comes from traces.
//!
//! - [`cpu`]: a poll every few milliseconds is measured with the thread's CPU clock, nested parts exclusively.

pub mod cpu;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

pub use cpu::{Operation, OperationCost, cost_by_operation, cpu_by_component, cpu_totals};
use pin_project_lite::pin_project;

/// Where CPU goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Making and reading JSON, postcard and the like.
    Encoding,
    /// Sockets, HTTP, the kernel, waking up.
    Transport,
    /// Waiting for a place: a slot, a connection, the writer.
    Queueing,
    /// The database.
    Database,
    /// The work itself.
    Business,
    /// Watching.
    Telemetry,
    /// Injected by a fault: never mistaken for work.
    Injected,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Encoding,
        Self::Transport,
        Self::Queueing,
        Self::Database,
        Self::Business,
        Self::Telemetry,
        Self::Injected,
    ];

    /// Its name in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Encoding => "encoding",
            Self::Transport => "transport",
            Self::Queueing => "queueing",
            Self::Database => "database",
            Self::Business => "business",
            Self::Telemetry => "telemetry",
            Self::Injected => "injected",
        }
    }
}

/// The top of a task or a connection: decides, poll by poll, which are measured.
pub fn root<F: Future>(part: Part, future: F) -> RootFuture<F> {
    RootFuture { part, future }
}

/// A part of a request: its CPU where the poll is sampled, without what nested parts take.
pub fn part<F: Future>(part: Part, future: F) -> PartFuture<F> {
    PartFuture { part, future }
}

pin_project! {
    /// See [`root`].
    pub struct RootFuture<F> {
        part: Part,
        #[pin]
        future: F,
    }
}

pin_project! {
    /// See [`part`].
    pub struct PartFuture<F> {
        part: Part,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for RootFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _sampled = cpu::begin_root(*this.part);
        this.future.poll(cx)
    }
}

impl<F: Future> Future for PartFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _charged = cpu::enter(*this.part);
        this.future.poll(cx)
    }
}

/// The same for work that does not wait.
pub fn run<R>(part: Part, work: impl FnOnce() -> R) -> R {
    let _charged = cpu::enter(part);
    work()
}
