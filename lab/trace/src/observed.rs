//! What arrives: spans from the nodes, journeys from the load generator.

use std::ops::Range;
use std::sync::Arc;

/// Which end of what a span is (OpenTelemetry's `SpanKind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Answers a request.
    Server,
    /// Makes one.
    Client,
    /// Happens inside.
    Internal,
    /// Reports that something happened.
    Producer,
    /// Takes it in, in a trace of its own.
    Consumer,
}

/// A span as a collector gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedSpan {
    /// The trace it belongs to.
    pub trace: u128,
    /// Its id.
    pub id: u64,
    /// Its parent's; 0 without one.
    pub parent: u64,
    /// Component.
    pub service: Arc<str>,
    /// Copy of it: `feed#0`.
    pub instance: Arc<str>,
    /// `GET /v1/feed`.
    pub name: String,
    /// Which end.
    pub kind: Kind,
    /// Begin, ns since the Unix epoch.
    pub start: u64,
    /// End, ns since the Unix epoch.
    pub end: u64,
    /// Why it failed; empty if it did not.
    pub error: String,
    /// The component a client calls; empty for others.
    pub peer: String,
    /// `caller->callee` of a call; empty for others.
    pub edge: String,
    /// Whether that call stays in the process.
    pub local: bool,
    /// Whether it is the database's time.
    pub database: bool,
}

/// A journey as its user saw it. Its trace begins here.
#[derive(Clone, Debug, PartialEq)]
pub struct Journey {
    /// Arm letter.
    pub arm: char,
    /// Round, from 1.
    pub round: u32,
    /// Index of the phase it was due in.
    pub phase: u32,
    /// The load second it was due in.
    pub second: u32,
    /// Its name.
    pub name: String,
    /// Number of its arrival, the same in every arm.
    pub request: u64,
    /// Its trace.
    pub trace: u128,
    /// Its own span, whose children are the door's.
    pub span: u64,
    /// When it was due, ns since the run's start.
    pub due: u64,
    /// When it was sent, ns since the run's start.
    pub sent: u64,
    /// When it was over, ns since the run's start.
    pub done: u64,
    /// The wall clock when it was sent, ns since the Unix epoch.
    pub sent_wall: u64,
    /// Its requests, one after another, each from sent to its response read, ns since `sent`.
    pub exchanges: Vec<Range<u64>>,
    /// Why it failed; empty if it did not.
    pub error: String,
}
