//! A request at an endpoint, and what the endpoint learns from how it ends.

use std::sync::Arc;
use std::time::Duration;

use contract::Deadline;
use http::header::RETRY_AFTER;
use http::response::Parts;
use http::{HeaderMap, StatusCode};
use runtime::clock;

use crate::attempt_error::{AttemptError, NotSentReason};
use crate::cluster::Endpoint;
use crate::pool::error::PoolError;
use crate::{BodyError, headers};

/// A request at an endpoint. It is in flight until this is dropped, at the end of the body.
pub(crate) struct InFlight {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) started_ns: u64,
    pub(super) measured: bool,
}

impl InFlight {
    /// The response has begun: this is where latency is taken. `deadline` is the try's.
    pub fn on_response(&self, head: &Parts, deadline: Deadline) {
        let (status, now_ns) = (head.status, clock::now_ns());
        let took_ns = now_ns.saturating_sub(self.started_ns);
        if head.headers.contains_key(headers::SHED) {
            let retry_after_ns = retry_after(&head.headers).map(|wait| wait.as_nanos() as u64);
            self.endpoint.load.shed(now_ns, took_ns, retry_after_ns);
        } else if status == StatusCode::TOO_MANY_REQUESTS
            || (status == StatusCode::GATEWAY_TIMEOUT && deadline.is_chosen_by_client())
        {
            // What this client asks for, or how long it waits, says nothing about the endpoint.
        } else if status.is_server_error() {
            self.endpoint.failed(now_ns, took_ns, retry_after(&head.headers), false);
        } else if self.measured {
            self.endpoint.load.succeeded(now_ns, took_ns);
        }
    }

    /// There was none within `deadline`, the try's.
    pub fn on_failure(&self, why: &AttemptError, deadline: Deadline) {
        let client_left = why.is_late() && deadline.is_chosen_by_client();
        // The request's own body broke off, its client waits no longer, or the limit is one of this side.
        if client_left || why.is_of_this_side() || BodyError::behind(why).is_some() {
            return;
        }
        let refused = matches!(why, AttemptError::NotSent(NotSentReason::Pool(PoolError::Connect { .. })));
        let now_ns = clock::now_ns();
        self.endpoint.failed(now_ns, now_ns.saturating_sub(self.started_ns), None, refused);
    }
}

/// `Retry-After` in seconds; dates are not understood.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.measured {
            self.endpoint.load.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use contract::ComponentName;
    use http::HeaderValue;

    use super::*;
    use crate::cluster::{Cluster, Instance};
    use crate::pool;

    fn cluster() -> Cluster {
        let cluster = Cluster::new(ComponentName::of("photo"), pool::Options::default());
        let at = |id: &str, port: u16| Instance::new(id, ([127, 0, 0, 1], port).into());
        cluster.update(vec![at("a", 1), at("b", 2)]);
        cluster
    }

    #[test]
    fn an_endpoint_that_failed_five_times_is_ejected() {
        let cluster = cluster();
        let bad = cluster.endpoints()[0].clone();
        let ours = Deadline::after(clock::now(), Duration::from_secs(1));
        for _ in 0..5 {
            bad.begin_request(clock::now()).on_response(&answered(500, false), ours);
        }
        assert!(bad.load.is_ejected(clock::now_ns()));
        assert_eq!(bad.load.inflight(), 0);
        for _ in 0..50 {
            assert_eq!(cluster.pick(None).expect("the other one").instance.id, "b");
        }
    }

    /// The head of an answer.
    fn answered(status: u16, shed: bool) -> Parts {
        let mut response = http::Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        if shed {
            response.headers_mut().insert(headers::SHED, HeaderValue::from_static("1"));
        }
        response.into_parts().0
    }

    #[test]
    fn what_a_client_caused_ejects_no_endpoint() {
        let cluster = cluster();
        let endpoint = cluster.endpoints()[0].clone();
        let ours = Deadline::after(clock::now(), Duration::from_secs(1));
        let theirs = ours.chosen_by_client();
        for _ in 0..20 {
            endpoint.begin_request(clock::now()).on_response(&answered(503, true), ours);
            endpoint.begin_request(clock::now()).on_response(&answered(429, false), ours);
            endpoint.begin_request(clock::now()).on_response(&answered(504, false), theirs);
            endpoint.begin_request(clock::now()).on_failure(&AttemptError::TimedOut, theirs);
            let descriptors = PoolError::Exhausted(std::io::Error::other("too many open files"));
            for limit in [
                AttemptError::NotSent(PoolError::Full(256).into()),
                AttemptError::NotSent(descriptors.into()),
                AttemptError::StreamsBusy,
            ] {
                endpoint.begin_request(clock::now()).on_failure(&limit, ours);
            }
        }
        assert_eq!((endpoint.load.fail_streak(), endpoint.load.ejections(clock::now_ns())), (0, 0));
        (0..5).for_each(|_| endpoint.begin_request(clock::now()).on_failure(&AttemptError::TimedOut, ours));
        assert!(endpoint.load.is_ejected(clock::now_ns()), "what took longer than the suite waits does");
    }
}
