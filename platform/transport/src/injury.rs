//! Where faults bite: a call waits, ends, or is never answered.

use contract::{CallContext, ComponentName, Deadline, Refusal};
use fault::{End, Side, Site, Table};
use runtime::clock;
use runtime::cost::{self, Part};
use tokio::time::{sleep, sleep_until};
use tracing::Instrument;

use crate::refused;

/// What a call that goes on has suffered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Suffered {
    /// How many times longer its work takes.
    pub slow: f64,
}

impl Suffered {
    /// Nothing.
    pub const NOTHING: Self = Self { slow: 1.0 };
}

/// The end of a call at the hands of a fault.
pub enum Injury {
    /// Answered by the fault, as if by the callee.
    Aborted(Refusal),
    /// Not answered for as long as anybody waited.
    Hung,
}

impl From<Injury> for Refusal {
    fn from(injury: Injury) -> Self {
        match injury {
            Injury::Aborted(refusal) => refusal,
            Injury::Hung => Self::too_late(),
        }
    }
}

/// Lets a call suffer what the table says; free while the table is empty.
/// `route` is the call's name, or method and template: `GET /v1/feed`.
///
/// # Errors
/// The end of the call.
pub async fn suffer(
    table: &Table,
    side: Side,
    callee: ComponentName,
    route: &str,
    cx: &CallContext,
) -> Result<Suffered, Injury> {
    if table.is_empty() {
        return Ok(Suffered::NOTHING);
    }
    let site = Site {
        caller: cx.from,
        callee,
        side,
        route,
        request: cx.request,
        attempt: cx.attempt,
        principal: cx.principal,
    };
    let verdict = table.verdict(&site, clock::now_ns());
    if verdict.is_clear() {
        return Ok(Suffered::NOTHING);
    }
    let kind = verdict.name();
    let (service, peer) = match side {
        Side::Caller => (cx.from, callee),
        Side::Callee => (callee, cx.from),
    };
    telemetry::fault_injected(service, peer, kind);
    let span = telemetry::fault_span(kind, verdict.delay);
    let injury = async {
        if !verdict.delay.is_zero() {
            sleep(verdict.delay).await;
        }
        match verdict.end {
            None => Ok(Suffered { slow: verdict.slow }),
            Some(End::Abort(status)) => Err(Injury::Aborted(refused::injected(status))),
            Some(End::Hang) => hang(cx.deadline).await,
        }
    };
    cost::part(Part::Injected, injury).instrument(span).await
}

/// Not before the caller has given up; nobody is left to hear this answer.
async fn hang(deadline: Deadline) -> Result<Suffered, Injury> {
    sleep_until(deadline.instant().into()).await;
    Err(Injury::Hung)
}
