//! What a call must suffer.

use std::time::Duration;

use contract::{ComponentName, Principal};

/// Which end of a call asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Below the caller's resilience policies: faults of edges.
    Caller,
    /// Before the callee's work: faults of components.
    Callee,
}

/// Where a call is, and everything the dice depend on.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// Who asks.
    pub caller: ComponentName,
    /// Who answers.
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
}

/// How a call ends without arriving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this status.
    Abort(u16),
    /// Not at all.
    Hang,
}

impl End {
    /// Its name in metrics and spans: the kind's.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Abort(_) => "abort",
            Self::Hang => "hang",
        }
    }
}

/// What a call must suffer: first the delay, then the end, if there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Sum of all delays.
    pub delay: Duration,
    /// The first abort or hang.
    pub end: Option<End>,
    /// How many times longer the work takes: the product of all factors.
    pub slow: f64,
}

impl Default for Verdict {
    fn default() -> Self {
        Self { delay: Duration::ZERO, end: None, slow: 1.0 }
    }
}

impl Verdict {
    /// Nothing happens.
    pub fn is_clear(&self) -> bool {
        *self == Self::default()
    }

    /// Its name in metrics and spans: that of the worst of it.
    pub fn name(&self) -> &'static str {
        match self.end {
            Some(end) => end.name(),
            None if self.slow > 1.0 => "slow",
            None => "delay",
        }
    }
}
