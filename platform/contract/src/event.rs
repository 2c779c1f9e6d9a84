//! Events: what a component publishes after the fact.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{ComponentName, TraceContext};

/// Something that happened. Published inside the business transaction, delivered
/// at least once, its effect applied exactly once.
pub trait Event: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// `PhotoPosted` and the like; also the outbox topic.
    const TOPIC: &'static str;
    /// The component that publishes it, and the only one that may.
    const COMPONENT: &'static str;
    /// Events with one key are delivered in the order they were published.
    fn key(&self) -> u64;
}

/// A topic, and the only component that publishes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Topic {
    /// [`Event::TOPIC`].
    pub name: &'static str,
    /// [`Event::COMPONENT`].
    pub publisher: ComponentName,
}

impl Topic {
    /// The topic of an event.
    pub const fn of<E: Event>() -> Self {
        Self { name: E::TOPIC, publisher: ComponentName::of(E::COMPONENT) }
    }
}

/// An event on its way: in an outbox row, on the wire, in a subscriber's hands.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Envelope {
    /// Position in the publisher's outbox; 0 while it has none (same database).
    pub seq: i64,
    /// Unique per event, derived from the write that caused it.
    pub id: String,
    /// [`Event::TOPIC`].
    pub topic: Cow<'static, str>,
    /// [`Event::key`].
    pub key: u64,
    /// The event as JSON.
    pub payload: String,
    /// `traceparent` of the publishing span, empty when there is none.
    pub traceparent: String,
    /// When it was published, microseconds since the Unix epoch.
    pub created_us: i64,
}

impl Envelope {
    /// The event inside.
    ///
    /// # Errors
    /// When the payload is not this event's JSON.
    pub fn open<E: Event>(&self) -> Result<E, serde_json::Error> {
        serde_json::from_str(&self.payload)
    }

    /// An envelope for `event`, not yet in any outbox.
    ///
    /// # Panics
    /// If the event cannot be JSON, which its type decides and a test would show.
    pub fn seal<E: Event>(event: &E, id: String, trace: Option<TraceContext>, created_us: i64) -> Self {
        Self {
            seq: 0,
            id,
            topic: Cow::Borrowed(E::TOPIC),
            key: event.key(),
            payload: serde_json::to_string(event).expect("an event is plain data"),
            traceparent: trace.filter(TraceContext::is_valid).map(|trace| trace.header()).unwrap_or_default(),
            created_us,
        }
    }

    /// The producer's span, if it was traced.
    pub fn trace(&self) -> Option<TraceContext> {
        TraceContext::parse(&self.traceparent)
    }
}
