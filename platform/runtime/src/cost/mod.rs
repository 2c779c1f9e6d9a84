//! What a request costs, part by part: CPU by sampled polls, time by a ledger per billed request.
//!
//! - [`cpu`]: one poll in sixteen is measured with the thread's CPU clock, nested parts exclusively.
//! - [`ledger`]: a request's spans, and the critical path through them.
//! - [`CostBreakdown`]: the time of a request by part, as it travels back to the caller.

pub mod breakdown;
pub mod cpu;
pub mod ledger;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

pub use breakdown::CostBreakdown;
pub use cpu::{cpu_by_component, cpu_totals};
pub use ledger::{has_ledger, record_remote, with_ledger};

/// Where CPU and time go.
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
    /// All of them, in the order of a breakdown.
    pub const ALL: [Self; 7] = [
        Self::Encoding,
        Self::Transport,
        Self::Queueing,
        Self::Database,
        Self::Business,
        Self::Telemetry,
        Self::Injected,
    ];

    /// Its name in labels and headers.
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
    RootFuture { part, future: Box::pin(future) }
}

/// See [`root`].
pub struct RootFuture<F> {
    part: Part,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for RootFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _sampled = cpu::begin_root(self.part);
        self.future.as_mut().poll(cx)
    }
}

/// A part of a request: its CPU where the poll is sampled, its time where the
/// request is billed, each without what nested parts take.
pub fn part<F: Future>(part: Part, future: F) -> PartFuture<F> {
    PartFuture { part, span: None, future: Box::pin(future) }
}

/// See [`part`].
pub struct PartFuture<F> {
    part: Part,
    span: Option<ledger::OpenSpan>,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for PartFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let _charged = cpu::enter(this.part);
        if this.span.is_none() {
            this.span = ledger::open(this.part);
        }
        let _current = this.span.as_ref().map(ledger::OpenSpan::enter);
        let poll = this.future.as_mut().poll(cx);
        if poll.is_ready() {
            drop(_current);
            this.span = None;
        }
        poll
    }
}

/// The same for work that does not wait.
pub fn run<R>(part: Part, work: impl FnOnce() -> R) -> R {
    let _charged = cpu::enter(part);
    let span = ledger::open(part);
    let _current = span.as_ref().map(ledger::OpenSpan::enter);
    work()
}
