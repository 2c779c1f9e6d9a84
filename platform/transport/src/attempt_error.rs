//! How a try fails.

use std::time::Duration;

use contract::{Refusal, RefusalKind};
use policy::retry::AttemptOutcome;

use crate::pool::error::PoolError;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How a try failed before there was a response. A status is a response.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// The endpoint has seen nothing of it: any request may be tried elsewhere.
    #[error("the request was not sent")]
    NotSent(#[source] NotSentReason),
    /// It may have happened: only what may be repeated may be tried again.
    #[error("the connection broke after the request was sent")]
    ConnectionLost(#[source] BoxError),
    /// It was answered with something whose end is not certain.
    #[error("the answer is malformed: {0}")]
    Malformed(&'static str),
    /// It was answered at length, and as many long answers are passed on as may be.
    #[error("as many long answers are under way as may be")]
    StreamsBusy,
    /// Sent, and no head of a response in time.
    #[error("no answer in time")]
    TimedOut,
}

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum NotSentReason {
    /// No connection.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The connection closed before the request was taken.
    #[error("the connection closed")]
    Closed(#[source] BoxError),
    /// The other side reports that it has not acted on the stream and will not (RFC 9113, section 8.7).
    #[error("the stream was refused")]
    Refused(#[source] h2::Error),
    /// The cluster has no endpoint that can be asked.
    #[error("`{0}` has no endpoint")]
    NoEndpoint(contract::ComponentName),
}

impl AttemptError {
    /// For the decision whether to try again.
    pub const fn outcome(&self) -> AttemptOutcome {
        match self {
            // Only what may be repeated is dropped.
            Self::NotSent(_) | Self::StreamsBusy => AttemptOutcome::NotSent,
            Self::ConnectionLost(_) | Self::Malformed(_) | Self::TimedOut => AttemptOutcome::SentNoResponse,
        }
    }

    /// Whether it is a limit of this side: as many requests as may were at the endpoint, waiting for it, or being answered.
    pub(crate) const fn is_of_this_side(&self) -> bool {
        match self {
            Self::NotSent(NotSentReason::Pool(error)) => error.is_of_this_side(),
            Self::StreamsBusy => true,
            _ => false,
        }
    }

    /// Whether its time was over, sent or not: how long that was may be the client's choice.
    pub(crate) const fn is_late(&self) -> bool {
        matches!(self, Self::TimedOut | Self::NotSent(NotSentReason::Pool(PoolError::Late(_))))
    }

    /// As the caller receives it.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::NotSent(NotSentReason::Pool(error)) if error.is_of_this_side() => {
                Refusal::shed("pool_full", "every connection to the callee is in use", None)
            }
            Self::StreamsBusy => {
                let message = "too many long answers of the callee are under way; try again in a second";
                Refusal::shed("streams_busy", message, Some(Duration::from_secs(1)))
            }
            Self::TimedOut | Self::NotSent(NotSentReason::Pool(PoolError::Late(_))) => Refusal::new(
                RefusalKind::DeadlineExceeded,
                "callee_too_slow",
                "the callee did not answer within its time",
            ),
            Self::NotSent(NotSentReason::NoEndpoint(name)) => {
                Refusal::unavailable("no_endpoint", format!("no copy of `{name}` is known"))
            }
            Self::NotSent(_) => Refusal::unavailable("unreachable", "the callee does not accept connections"),
            Self::ConnectionLost(_) => Refusal::new(
                RefusalKind::Lost,
                "connection_lost",
                "the connection broke after the call was sent",
            ),
            Self::Malformed(why) => Refusal::new(
                RefusalKind::Lost,
                "answer_malformed",
                format!("the callee answered nonsense: {why}"),
            ),
        }
    }

    /// For `error.type` of spans and metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NotSent(NotSentReason::Pool(error)) if error.is_of_this_side() => "pool_full",
            Self::StreamsBusy => "streams_busy",
            Self::TimedOut | Self::NotSent(NotSentReason::Pool(PoolError::Late(_))) => "timeout",
            Self::NotSent(NotSentReason::NoEndpoint(_)) => "no_endpoint",
            Self::NotSent(_) => "connect",
            Self::ConnectionLost(_) => "connection_lost",
            Self::Malformed(_) => "malformed",
        }
    }
}
