//! Whose doing it is that a request fails.

use std::time::{Duration, Instant};

use contract::Deadline;
use http::StatusCode;
use telemetry::ServerOutcome;

/// Whose doing it is where a request is not answered in time (504). Of any other answer its status shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureSource {
    /// The suite's: it had as long as the route gives it.
    Suite,
    /// The client's: it left the component less time than the route does.
    Client,
    /// Neither's: the client has asked for a kept answer and for no other, and there is none (RFC 9111, section 5.2.1.7).
    #[cfg(feature = "response-cache")]
    Condition,
}

impl FailureSource {
    /// That of a deadline, should it pass.
    pub fn of(deadline: Deadline) -> Self {
        if deadline.is_chosen_by_client() { Self::Client } else { Self::Suite }
    }

    /// Whether an answer with this status is to a failure that the client causes: a body that does not come, is too long or means
    /// nothing, asking too often, and a deadline of its own that passes. A wrong name or token is no waste.
    pub fn is_clients_failure(self, status: StatusCode) -> bool {
        match status.as_u16() {
            400 | 408 | 413 | 415 | 422 | 429 => true,
            504 => self == Self::Client,
            _ => false,
        }
    }

    /// What metrics and traces have of an answer with this status: what is not the suite's doing is no failure of it.
    pub fn outcome(self, status: StatusCode) -> ServerOutcome {
        ServerOutcome::of(status.as_u16()).excused_if_late(|| self != Self::Suite)
    }
}

/// A deadline as it counts for the component: the client's choice where that has used up half of the time of the route. What it
/// takes for its body, and waits behind requests of its own, it does not leave to the component. What it has `waited` for the
/// answer to another request is not its doing.
pub(crate) fn attributed(
    deadline: Deadline,
    route_time: Duration,
    waited: Duration,
    now: Instant,
) -> Deadline {
    let is_late = deadline.remaining(now).unwrap_or_default() + waited < route_time / 2;
    if is_late { deadline.chosen_by_client() } else { deadline }
}

#[cfg(test)]
mod tests {
    use runtime::clock;

    use super::*;

    #[test]
    fn time_that_a_client_uses_up_is_its_own_and_time_that_it_waits_for_another_is_not() {
        let (arrived, time) = (clock::now(), Duration::from_secs(4));
        let source = |used_s: u64, waited_s: u64| {
            let (used, waited) = (Duration::from_secs(used_s), Duration::from_secs(waited_s));
            FailureSource::of(attributed(Deadline::after(arrived, time), time, waited, arrived + used))
        };
        assert_eq!((source(1, 0), source(3, 0)), (FailureSource::Suite, FailureSource::Client));
        assert_eq!((source(3, 2), source(3, 1)), (FailureSource::Suite, FailureSource::Suite));
        assert_eq!(source(4, 1), FailureSource::Client, "most of it went elsewhere");
        let own = Deadline::after(arrived, time).chosen_by_client();
        let attributed = attributed(own, time, time, arrived);
        assert_eq!(FailureSource::of(attributed), FailureSource::Client, "who chose it stays");
    }

    /// Whether an answer is a failure of the suite, and whether it is one of the client.
    #[track_caller]
    fn check(source: FailureSource, status: StatusCode, expected: (bool, bool)) {
        let outcome = source.outcome(status);
        assert_eq!(outcome.status, status.as_u16(), "whatever it counts as");
        assert_eq!((outcome.is_failure, source.is_clients_failure(status)), expected, "{source:?} {status}");
    }

    #[test]
    fn what_is_late_is_the_failure_of_one_side_and_a_condition_that_is_not_met_of_none() {
        let late = StatusCode::GATEWAY_TIMEOUT;
        check(FailureSource::Suite, late, (true, false));
        check(FailureSource::Client, late, (false, true));
        #[cfg(feature = "response-cache")]
        check(FailureSource::Condition, late, (false, false));
        for source in [FailureSource::Suite, FailureSource::Client] {
            check(source, StatusCode::OK, (false, false));
            check(source, StatusCode::NOT_FOUND, (false, false));
            check(source, StatusCode::UNPROCESSABLE_ENTITY, (false, true));
            check(source, StatusCode::INTERNAL_SERVER_ERROR, (true, false));
            check(source, StatusCode::SERVICE_UNAVAILABLE, (true, false));
        }
    }
}
