//! What one client may have under way, and what becomes of one whose requests keep failing by its own doing.
//!
//! Requests of a client beyond its share wait in a line of their own, one for each route: a flood waits behind its own work,
//! and a client that uploads much still reads at once. Failures that the client causes are counted by the generic cell rate algorithm ([`crate::gcra`]). Once it has caused more than it may, fewer
//! of its requests are served at a time, and the answers to its further failures are held back, so that a loop of them
//! turns at their rate (HAProxy counts `http_err_rate` and has `tarpit`; nginx delays what exceeds `limit_req`). What
//! succeeds is answered as soon as ever, so that an account is not locked by another holder of its token.

use crate::admission::AdmissionDecision;
use crate::gcra::Quota;

/// Limits of each client of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientLimits {
    /// Requests served at once, of each route.
    pub in_flight: u32,
    /// The same while its failures are more than they may be; at least one.
    pub in_flight_failing: u32,
    /// Requests that may wait, of each route.
    pub waiting: u32,
    /// Long answers that it may be reading at once, whatever the route: each is a connection to a component, which is its
    /// reader's for as long as it likes.
    pub streams: u32,
    /// Bytes of long request bodies that it may send at once.
    pub body_bytes: u64,
    /// Failures it may cause.
    pub failures: Quota,
    /// Longest time that an answer is held back, ns.
    pub longest_hold_ns: u64,
}

/// Which clients are limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientOptions {
    /// Each account.
    pub account: Option<ClientLimits>,
    /// Each address.
    pub address: Option<ClientLimits>,
    /// All clients without an account together, where addresses do not set them apart.
    pub anonymous: Option<ClientLimits>,
}

impl ClientLimits {
    /// Requests of a route that are served at once.
    pub fn at_once(&self, is_failing: bool) -> u32 {
        let most = if is_failing { self.in_flight_failing.min(self.in_flight) } else { self.in_flight };
        most.max(1)
    }
}

const SECOND_NS: u64 = 1_000_000_000;
/// A client that waits for its answers is not helped by a server that forgets it; after so long it has left.
const LONGEST_HOLD_NS: u64 = 3 * SECOND_NS;

impl ClientOptions {
    /// The defaults on a machine of so many cores.
    pub fn new(per_account: bool, per_address: bool, cores: usize) -> Self {
        let twice_the_cores = u32::try_from(cores).unwrap_or(u32::MAX).saturating_mul(2);
        // A user at a browser, which has six connections to a host and asks for several things over them.
        let account = ClientLimits {
            in_flight: twice_the_cores.max(4),
            in_flight_failing: 1,
            waiting: 256,
            streams: 32,
            // One of the largest uploads, and as much of the room for all, 48 MiB, as one address has.
            body_bytes: 18 << 20,
            failures: Quota { burst: 20, interval_ns: SECOND_NS / 10 },
            longest_hold_ns: LONGEST_HOLD_NS,
        };
        // An office behind one address: twice as much keeps every core busy, and more would only wait elsewhere.
        let address = ClientLimits {
            in_flight: account.in_flight.saturating_mul(2),
            in_flight_failing: 2,
            waiting: 512,
            // A quarter of what is passed on of one copy of a component.
            streams: 256,
            // What an address sends has a bound of its own, in [`crate::BodyOptions`].
            body_bytes: u64::MAX,
            failures: Quota { burst: 100, interval_ns: SECOND_NS / 20 },
            longest_hold_ns: LONGEST_HOLD_NS,
        };
        // Strangers to each other: none is served less for the failures of another. What they ask of one route takes half of
        // the connections to its component at most, so that others reach it as well; so do three quarters of the long answers.
        let anonymous =
            ClientLimits { in_flight: 32, in_flight_failing: 32, waiting: 1_024, streams: 768, ..address };
        Self {
            account: per_account.then_some(account),
            address: per_address.then_some(address),
            anonymous: (per_account && !per_address).then_some(anonymous),
        }
    }
}

/// Requests of a client for one route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientLine {
    in_flight: u32,
    waiting: u32,
}

impl ClientLine {
    /// One more request has come.
    pub fn on_arrival(&mut self, limits: &ClientLimits, is_failing: bool) -> AdmissionDecision {
        if self.waiting == 0 && self.in_flight < limits.at_once(is_failing) {
            self.in_flight += 1;
            AdmissionDecision::Serve
        } else if self.waiting < limits.waiting {
            self.waiting += 1;
            AdmissionDecision::Wait
        } else {
            AdmissionDecision::Shed
        }
    }

    /// A request that was served is over.
    pub const fn on_done(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// A request waits no longer.
    pub const fn on_abandoned(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// Whether the request that has waited longest is served now.
    pub fn on_turn(&mut self, limits: &ClientLimits, is_failing: bool) -> bool {
        let is_served = self.waiting > 0 && self.in_flight < limits.at_once(is_failing);
        if is_served {
            self.waiting -= 1;
            self.in_flight += 1;
        }
        is_served
    }

    /// Requests being served and requests waiting.
    pub const fn counts(&self) -> (u32, u32) {
        (self.in_flight, self.waiting)
    }
}

/// Failures that a client has caused, whatever the route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientFailures {
    paid_until_ns: u64,
}

impl ClientFailures {
    /// One more. How long the answer to it is held back, ns.
    pub fn on_failure(&mut self, limits: &ClientLimits, now_ns: u64) -> u64 {
        let hold_ns = limits.failures.wait_ns(self.paid_until_ns, now_ns);
        if hold_ns < limits.longest_hold_ns {
            self.paid_until_ns = limits.failures.pay(self.paid_until_ns, now_ns);
        }
        hold_ns.min(limits.longest_hold_ns)
    }

    /// Whether they are more than they may be.
    pub fn are_too_many(&self, limits: &ClientLimits, now_ns: u64) -> bool {
        limits.failures.wait_ns(self.paid_until_ns, now_ns) > 0
    }

    /// Whether they are over and forgotten.
    pub const fn are_forgotten(&self, now_ns: u64) -> bool {
        self.paid_until_ns <= now_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ClientLimits = ClientLimits {
        in_flight: 2,
        in_flight_failing: 1,
        waiting: 2,
        streams: 2,
        body_bytes: 100,
        failures: Quota { burst: 3, interval_ns: SECOND_NS },
        longest_hold_ns: 5 * SECOND_NS,
    };

    #[test]
    fn two_are_served_two_wait_and_the_next_is_refused() {
        use AdmissionDecision::{Serve, Shed, Wait};
        let mut line = ClientLine::default();
        let entries: Vec<_> = (0..5).map(|_| line.on_arrival(&LIMITS, false)).collect();
        assert_eq!(entries, [Serve, Serve, Wait, Wait, Shed]);
        assert!(!line.on_turn(&LIMITS, false), "both places are taken");
        line.on_done();
        assert!(line.on_turn(&LIMITS, false) && !line.on_turn(&LIMITS, false));
        assert_eq!(line.counts(), (2, 1));
    }

    #[test]
    fn a_client_that_keeps_failing_is_served_one_at_a_time() {
        let mut line = ClientLine::default();
        assert_eq!(line.on_arrival(&LIMITS, true), AdmissionDecision::Serve);
        assert_eq!(line.on_arrival(&LIMITS, true), AdmissionDecision::Wait);
        assert!(!line.on_turn(&LIMITS, true) && line.on_turn(&LIMITS, false));
        let none = ClientLimits { in_flight_failing: 0, ..LIMITS };
        assert_eq!(none.at_once(true), 1, "one is always served, or those that wait would wait for ever");
    }

    #[test]
    fn a_few_failures_cost_nothing_and_more_are_answered_at_their_rate() {
        let mut failures = ClientFailures::default();
        let holds: Vec<u64> = (0..10).map(|_| failures.on_failure(&LIMITS, 0) / SECOND_NS).collect();
        assert_eq!(
            holds,
            [0, 0, 0, 1, 2, 3, 4, 5, 5, 5],
            "a burst of three, then one a second, five at most"
        );
        assert!(
            failures.are_too_many(&LIMITS, 4 * SECOND_NS) && !failures.are_too_many(&LIMITS, 5 * SECOND_NS)
        );
        assert!(!failures.are_forgotten(6 * SECOND_NS) && failures.are_forgotten(7 * SECOND_NS));
        assert_eq!(failures.on_failure(&LIMITS, 60 * SECOND_NS), 0, "what is over is forgotten");
    }

    #[test]
    fn strangers_are_not_served_less_for_the_failures_of_others() {
        let anonymous = ClientOptions::new(true, false, 2).anonymous.expect("no address sets them apart");
        assert_eq!(anonymous.at_once(true), anonymous.at_once(false));
        assert_eq!(ClientOptions::new(false, false, 2), ClientOptions::default(), "a run limits none");
        assert_eq!(ClientOptions::new(true, true, 2).anonymous, None);
    }
}
