//! Traces: requests that were kept, and where the time of all of them went.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a piece of a request's time was spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Between a caller and its callee: encoding, sockets, the accept queue.
    Network,
    /// Waiting for a place, a connection or a database's writer.
    Queue,
    /// A component's own work, declared work included.
    Work,
    /// Inside the database.
    Database,
    /// Put there by a fault.
    Injected,
    /// Waiting for an answer that never came: a timeout, a dead peer, a span that was lost.
    Unanswered,
    /// Between the requests of a journey, in the load generator: scheduling, parsing, waiting until it looks again. No
    /// arm's doing.
    Client,
}

impl Class {
    /// All of them, in the order views show them.
    pub const ALL: [Self; 7] = [
        Self::Network,
        Self::Queue,
        Self::Work,
        Self::Database,
        Self::Injected,
        Self::Unanswered,
        Self::Client,
    ];

    /// Its name, as records and ids have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Queue => "queue",
            Self::Work => "work",
            Self::Database => "database",
            Self::Injected => "injected",
            Self::Unanswered => "unanswered",
            Self::Client => "client",
        }
    }

    /// Its words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Network => "network and encoding",
            Self::Queue => "queue",
            Self::Work => "business work",
            Self::Database => "database",
            Self::Injected => "injected delay",
            Self::Unanswered => "unanswered",
            Self::Client => "client's own",
        }
    }

    /// What it means, for help and glossary.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Network => {
                "on the critical path between a caller's span and the span that serves it: encoding, \
                 sockets, the accept queue"
            }
            Self::Queue => "on the critical path waiting for a place, a connection or the database's writer",
            Self::Work => "on the critical path in a component's own spans, declared work included",
            Self::Database => "on the critical path inside the database",
            Self::Injected => "on the critical path, put there by a fault of the scenario",
            Self::Unanswered => "on the critical path waiting for a call that was not answered",
            Self::Client => {
                "between the requests of a journey, in the load generator: scheduling, parsing, waiting until it \
                 looks again"
            }
        }
    }
}

/// One operation of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// Index of the span it belongs to; `None` for the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<u32>,
    /// Component that did it; `client` for the root, which is the user's side.
    pub of: String,
    /// The copy it happened in: `feed#0`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub at: String,
    /// `GET /v1/feed`, `SELECT photo_photos`, `queue.wait`.
    pub name: String,
    /// Where its time belongs: a component, or an edge such as `feed->follower`.
    pub place: String,
    /// Begin, ns since the root's.
    pub start: u64,
    /// Length, ns; clipped to its parent's.
    pub length: u64,
    /// What its own time is spent on.
    pub class: Class,
    /// Why it failed; empty if it did not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
}

/// A piece of the critical path: consecutive ones fill the root from begin to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Segment {
    /// Index of the span it belongs to.
    pub span: u32,
    /// Begin, ns since the root's.
    pub start: u64,
    /// Length, ns.
    pub length: u64,
}

/// Why a request's trace was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeepReason {
    /// It failed.
    Error,
    /// Among the slowest of its journey, arm and phase so far.
    Slow,
    /// The same request was kept in another arm.
    Pair,
}

/// One request, followed through the components.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trace {
    /// Arm letter.
    pub arm: char,
    /// Round, from 1.
    pub round: u32,
    /// Index of the phase it was due in.
    pub phase: u32,
    /// Journey name.
    pub journey: String,
    /// Number of its arrival: the same request has the same number in every arm.
    pub request: u64,
    /// 32 hex digits, as every collector knows it.
    pub trace_id: String,
    /// Why it was kept.
    pub kept: KeepReason,
    /// Why it failed; empty if it did not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// When it was due, ns since the run's start.
    pub due: u64,
    /// From then to its end, ns: the latency its user had.
    #[serde(alias = "felt")]
    pub user_latency: u64,
    /// When it was sent, ns since the run's start: the root's begin.
    pub start: u64,
    /// The spans; the root, which is the client's, first, parents before children.
    pub spans: Vec<Span>,
    /// The critical path in order of time; the lengths add up to the root's.
    pub path: Vec<Segment>,
    /// What spans reached beyond their parents, ns, cut off here: detached work.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub clipped: u64,
    /// Spans whose parent never arrived; they hang from the root.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub orphans: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
pub(crate) const fn is_false(value: &bool) -> bool {
    !*value
}

pub(crate) fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Trace {
    /// Length of the root, ns.
    pub fn length(&self) -> u64 {
        self.spans.first().map_or(0, |root| root.length)
    }

    /// The root's time by class, ns; the values add up to [`Trace::length`].
    pub fn by_class(&self) -> BTreeMap<Class, u64> {
        self.sum(|span| span.class)
    }

    /// The root's time by place and class, ns; the values add up to [`Trace::length`].
    pub fn by_place(&self) -> BTreeMap<(&str, Class), u64> {
        self.sum(|span| (span.place.as_str(), span.class))
    }

    fn sum<'a, K: Ord>(&'a self, key: impl Fn(&'a Span) -> K) -> BTreeMap<K, u64> {
        let mut sums = BTreeMap::new();
        for segment in &self.path {
            if let Some(span) = self.spans.get(segment.span as usize) {
                *sums.entry(key(span)).or_default() += segment.length;
            }
        }
        sums
    }

    /// Components it went through, the client left out.
    pub fn components(&self) -> std::collections::BTreeSet<&str> {
        self.spans.iter().map(|span| span.of.as_str()).filter(|of| *of != crate::CLIENT).collect()
    }
}

impl AsRef<Self> for Trace {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// What one place and class took of a journey's traces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// Component, or edge such as `feed->follower`.
    pub place: String,
    /// What on.
    pub class: Class,
    /// Mean over all traces, ns on the critical path.
    pub mean: f64,
    /// Sample variance over the traces, ns².
    pub variance: f64,
    /// Mean over the slowest hundredth of the traces (at least one), ns.
    pub slowest: f64,
}

/// Where the time of one journey's traces went, in one arm and phase: all traces that came in, not only those kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Split {
    /// Arm letter.
    pub arm: char,
    /// Round, from 1.
    pub round: u32,
    /// Index of the phase.
    pub phase: u32,
    /// Journey name.
    pub journey: String,
    /// Traces behind it.
    pub n: u64,
    /// Mean length of their roots, ns; the parts' means add up to it.
    pub mean: f64,
    /// Of the slowest hundredth.
    pub slowest: f64,
    /// The parts, largest mean first.
    pub parts: Vec<Part>,
}

/// What one place and class took of some traces, all together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PartSum {
    /// Component, or edge such as `feed->follower`.
    pub place: String,
    /// What on.
    pub class: Class,
    /// On the critical path, ns.
    pub ns: u64,
}

/// Where the time of one journey's traced requests went in one arm and load second: of those requests whose traces are
/// complete in every arm that traces, so that arms are compared on the same requests. Written once its second is decided,
/// which with arms in turns is when the last arm of the round has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TraceSecond {
    /// Arm letter.
    pub arm: char,
    /// Round, from 1.
    pub round: u32,
    /// The second in which the requests were due, since the load's start.
    pub second: u32,
    /// Journey name.
    pub journey: String,
    /// Requests whose traces are complete in all arms.
    pub pairs: u64,
    /// Requests whose traces are complete here and not in all arms; they are left out of the parts.
    pub unpaired: u64,
    /// The pairs' time by place and class; the parts add up to the length of their roots.
    pub parts: Vec<PartSum>,
}

/// What became of the spans that reached the lab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tracing {
    /// Spans received.
    pub spans: u64,
    /// Requests they were put together to.
    pub requests: u64,
    /// Requests that were written to the record.
    pub kept: u64,
    /// Failed requests that were not, since there were too many.
    pub errors_beyond: u64,
    /// Spans of requests the lab did not ask for, or that came too late.
    pub strays: u64,
    /// Spans left out since more requests were open than are held at once.
    pub overflow: u64,
    /// Spans passed on to the collector of the user.
    pub forwarded: u64,
    /// Spans it did not take.
    pub not_forwarded: u64,
}
