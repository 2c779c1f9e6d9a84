//! What travels down with a call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{ComponentName, Principal};

/// The moment after which no caller waits for the answer. It travels as *remaining*
/// milliseconds (`x-deadline-ms`), so clocks are never compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    at: Instant,
    chooser: Chooser,
}

/// Who set a deadline: of two at one instant, the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Chooser {
    /// A route, or a policy of ours.
    Suite,
    /// The client, who waits for less than the route allows.
    Client,
}

impl Deadline {
    /// A deadline `budget` from `now`.
    pub fn after(now: Instant, budget: Duration) -> Self {
        Self { at: now + budget, chooser: Chooser::Suite }
    }

    /// The same instant, chosen by the client: that it passes says nothing about any callee.
    #[must_use]
    pub fn chosen_by_client(self) -> Self {
        Self { chooser: Chooser::Client, ..self }
    }

    /// Whether the client waits for less than the suite would let it.
    pub fn is_chosen_by_client(self) -> bool {
        self.chooser == Chooser::Client
    }

    /// Time left, or `None` once it has passed.
    pub fn remaining(self, now: Instant) -> Option<Duration> {
        self.at.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// The earlier of the two.
    pub fn earlier(self, other: Self) -> Self {
        self.min(other)
    }

    /// The instant itself.
    pub fn instant(self) -> Instant {
        self.at
    }
}

/// W3C trace context (<https://www.w3.org/TR/trace-context/>), version 00.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceContext {
    /// 16 bytes; 0 means no trace.
    pub trace_id: u128,
    /// Span of the caller; 0 means none.
    pub span_id: u64,
    /// The head-sampling decision, made once where the trace starts.
    pub sampled: bool,
}

impl TraceContext {
    /// Reads a `traceparent` header. `None` for anything malformed, which the
    /// standard asks to treat as absent.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.trim().split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let lengths_fit = version.len() == 2 && trace.len() == 32 && span.len() == 16 && flags.len() == 2;
        if !lengths_fit || version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if ![version, trace, span, flags].into_iter().all(hex) {
            return None;
        }
        let context = Self {
            trace_id: u128::from_str_radix(trace, 16).ok()?,
            span_id: u64::from_str_radix(span, 16).ok()?,
            sampled: u8::from_str_radix(flags, 16).ok()? & 1 == 1,
        };
        (context.trace_id != 0 && context.span_id != 0).then_some(context)
    }

    /// The `traceparent` header.
    pub fn header(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }

    /// Whether there is a trace at all.
    pub fn is_valid(&self) -> bool {
        self.trace_id != 0 && self.span_id != 0
    }
}

/// Everything a callee may know about the call besides its fields.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// When the answer stops being useful.
    pub deadline: Deadline,
    /// The trace the call belongs to.
    pub trace: TraceContext,
    /// The calling component; `client` for the outside world.
    pub from: ComponentName,
    /// The user on whose behalf, once the door has checked the token.
    pub principal: Option<Principal>,
    /// Identifies the user's request across all hops and attempts; the key by
    /// which faults and sampled work draw their dice.
    pub request: u64,
    /// The write's `Idempotency-Key`, as the client sent it.
    pub key: Option<Arc<str>>,
    /// 0 for the first try. A callee never retries on behalf of a retry.
    pub attempt: u8,
}

impl CallContext {
    /// A context for work that starts here: no user, no trace, no key.
    pub fn background(from: ComponentName, deadline: Deadline) -> Self {
        Self {
            deadline,
            trace: TraceContext::default(),
            from,
            principal: None,
            request: 0,
            key: None,
            attempt: 0,
        }
    }

    /// The same request, passed on by another component.
    pub fn called_by(&self, from: ComponentName) -> Self {
        Self { from, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traceparent_round_trips() {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = TraceContext::parse(header).expect("the standard's own example");
        assert!(context.sampled);
        assert_eq!(context.header(), header);
    }

    #[test]
    fn malformed_traceparent_counts_as_absent() {
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_deadline_is_over_at_its_own_instant() {
        // An arbitrary origin stands in for the run's clock.
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
        let now = Instant::now();
        let deadline = Deadline::after(now, Duration::from_millis(5));
        assert_eq!(deadline.remaining(now), Some(Duration::from_millis(5)));
        assert_eq!(deadline.remaining(now + Duration::from_millis(5)), None);
        let theirs = Deadline::after(now, Duration::from_millis(3)).chosen_by_client();
        assert!(deadline.earlier(theirs).is_chosen_by_client(), "the earlier of two is the one that counts");
        let ours = Deadline::after(now, Duration::from_millis(2));
        assert!(!theirs.earlier(ours).is_chosen_by_client());
    }
}
