//! Faults of one call, and where a call is.

use std::time::Duration;

use contract::{ComponentName, Principal};

/// A side of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Below the caller's resilience policies: faults of edges.
    Caller,
    /// Before the callee's work: faults of components.
    Callee,
}

/// Where a call is, and everything the dice depend on.
#[derive(Clone, Copy, Debug)]
pub struct CallSite<'a> {
    /// The calling component.
    pub caller: ComponentName,
    /// The component that is called.
    pub callee: ComponentName,
    /// Which end this is.
    pub side: Side,
    /// The call's name, or method and route template: `GET /v1/feed`.
    pub route: &'a str,
    /// Identifies the user's request; 0 for background work.
    pub request: u64,
    /// 0 for the first try.
    pub attempt: u8,
    /// On whose behalf.
    pub principal: Option<Principal>,
    /// On the caller's side, the copy that is asked: `photo#0`. On the callee's, the
    /// copy that answers.
    pub copy: Option<&'a str>,
}

/// How a call ends without arriving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this status.
    Abort(u16),
    /// Not at all.
    Hang,
    /// The connection is refused: nothing was sent.
    Refuse,
    /// The connection breaks after the call was sent; the callee never saw it.
    Reset,
    /// The code that serves the call panics: its task ends, or the whole process.
    Panic(PanicScope),
}

/// What a panic ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PanicScope {
    /// The task that serves the call.
    Task,
    /// The process.
    Process,
}

impl End {
    /// Its name in metrics and spans: the kind's.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Abort(_) => "abort",
            Self::Hang => "hang",
            Self::Refuse => "refuse",
            Self::Reset => "reset",
            Self::Panic(_) => "panic",
        }
    }
}

/// What is done to an answer on its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corruption {
    /// Bytes are flipped: it cannot be read.
    Bytes,
    /// It can be read, and its numbers are wrong.
    Values,
}

/// What happens to a call: first the delay, then the end, if there is one; the rest is done to a
/// call that goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CallFault {
    /// Sum of all delays.
    pub delay: Duration,
    /// The first end.
    pub end: Option<End>,
    /// How many times longer the work takes: the product of all factors.
    pub slow: f64,
    /// The call is sent twice.
    pub duplicated: bool,
    /// The call arrives and is worked on; its answer does not come back.
    pub answer_lost: bool,
    /// What is done to its answer.
    pub corruption: Option<Corruption>,
    /// Bytes that are never given back.
    pub leaked_bytes: u64,
}

impl Default for CallFault {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            end: None,
            slow: 1.0,
            duplicated: false,
            answer_lost: false,
            corruption: None,
            leaked_bytes: 0,
        }
    }
}

impl CallFault {
    /// Nothing happens.
    pub fn is_clear(&self) -> bool {
        *self == Self::default()
    }

    /// Its name in metrics and spans: that of the worst of it.
    pub fn name(&self) -> &'static str {
        match self {
            Self { end: Some(end), .. } => end.name(),
            Self { answer_lost: true, .. } => "answer_lost",
            Self { corruption: Some(_), .. } => "corrupt",
            Self { duplicated: true, .. } => "duplicate",
            Self { leaked_bytes: 1.., .. } => "leak",
            Self { slow, .. } if *slow > 1.0 => "slow",
            Self { .. } => "delay",
        }
    }
}
