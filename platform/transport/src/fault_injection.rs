//! Where faults act: a call waits, ends, is never answered, or comes back damaged.

use bytes::Bytes;
use contract::{CallContext, ComponentName, Deadline, Refusal};
use fault::{CallSite, Corruption, End, LeaseTable, PanicScope, Side};
use runtime::cost::{self, Part};
use runtime::{clock, timer};
use tokio::time::sleep_until;
use tracing::Instrument;

use crate::refusal_response;

/// The faults that hit a call that goes on, and those that are still to hit it on its way back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AppliedFault {
    /// How many times longer its work takes.
    pub slow: f64,
    /// It is sent a second time, and that answer thrown away.
    pub duplicated: bool,
    /// Its answer does not come back.
    pub answer_lost: bool,
    /// What is done to its answer.
    pub corruption: Option<Corruption>,
}

impl AppliedFault {
    /// Nothing.
    pub const NONE: Self = Self { slow: 1.0, duplicated: false, answer_lost: false, corruption: None };
}

/// The end of a call at the hands of a fault.
pub enum FaultOutcome {
    /// Answered by the fault, as if by the callee.
    Aborted(Refusal),
    /// Not answered until the caller's deadline.
    Hung,
    /// The connection was refused: nothing was sent.
    Refused,
    /// The connection broke after the call was sent.
    Reset,
}

impl From<FaultOutcome> for Refusal {
    fn from(outcome: FaultOutcome) -> Self {
        match outcome {
            FaultOutcome::Aborted(refusal) => refusal,
            FaultOutcome::Hung => Self::too_late(),
            FaultOutcome::Refused => {
                Self::unavailable("unreachable", "the component does not accept connections")
            }
            FaultOutcome::Reset => Self::new(
                contract::RefusalKind::Lost,
                "connection_lost",
                "the component broke off while answering",
            ),
        }
    }
}

/// A call that faults are asked about.
#[derive(Clone, Copy)]
pub struct InjectionPoint<'a> {
    /// Which end asks.
    pub side: Side,
    /// The component that answers.
    pub callee: ComponentName,
    /// The call's name, or method and template: `GET /v1/feed`.
    pub route: &'a str,
    /// The copy that is asked, or that answers.
    pub copy: Option<&'a str>,
}

/// Applies to a call what the table of leases holds for it; free while the table is empty.
///
/// # Errors
/// The end of the call.
///
/// # Panics
/// When the fault is a panic.
pub async fn apply_faults(
    table: &LeaseTable,
    point: InjectionPoint<'_>,
    cx: &CallContext,
) -> Result<AppliedFault, FaultOutcome> {
    if table.is_empty() {
        return Ok(AppliedFault::NONE);
    }
    let InjectionPoint { side, callee, route, copy } = point;
    let site = CallSite {
        caller: cx.from,
        callee,
        side,
        route,
        request: cx.request,
        attempt: cx.attempt,
        principal: cx.principal,
        copy,
    };
    let (fault, asked) = table.call_fault_and_delays(&site, clock::now_ns());
    if fault.is_clear() {
        return Ok(AppliedFault::NONE);
    }
    let kind = fault.name();
    let (service, peer) = match side {
        Side::Caller => (cx.from, callee),
        Side::Callee => (callee, cx.from),
    };
    telemetry::fault_injected(service, peer, kind);
    let span = telemetry::fault_span(kind, fault.delay);
    let outcome = async {
        if !fault.delay.is_zero() {
            let began = clock::now();
            timer::sleep(fault.delay).await;
            asked.passed((clock::now() - began).saturating_sub(fault.delay));
        }
        leak(fault.leaked_bytes);
        match fault.end {
            None => Ok(AppliedFault {
                slow: fault.slow,
                duplicated: fault.duplicated,
                answer_lost: fault.answer_lost,
                corruption: fault.corruption,
            }),
            Some(End::Abort(status)) => Err(FaultOutcome::Aborted(refusal_response::injected(status))),
            Some(End::Hang) => {
                hang_until(cx.deadline).await;
                Err(FaultOutcome::Hung)
            }
            Some(End::Refuse) => Err(FaultOutcome::Refused),
            Some(End::Reset) => Err(FaultOutcome::Reset),
            Some(End::Panic(dies)) => panic_or_abort(dies),
        }
    };
    cost::part(Part::Injected, outcome).instrument(span).await
}

/// Waits until the caller has given up; an answer would come too late.
pub async fn hang_until(deadline: Deadline) {
    sleep_until(deadline.instant().into()).await;
}

/// Allocates memory for good, touched page by page: an untouched page is not resident.
fn leak(bytes: u64) {
    const PAGE: usize = 4_096;
    if bytes == 0 {
        return;
    }
    let mut lost = vec![0_u8; usize::try_from(bytes).unwrap_or(usize::MAX)];
    for page in lost.iter_mut().step_by(PAGE) {
        *page = 1;
    }
    std::hint::black_box(lost.leak());
}

#[expect(clippy::panic, reason = "a fault that panics is asked for by name")]
fn panic_or_abort(dies: PanicScope) -> ! {
    match dies {
        PanicScope::Task => panic!("an injected fault"),
        PanicScope::Process => std::process::abort(),
    }
}

/// An answer after what a fault does to it.
pub fn corrupt(how: Corruption, answer: &[u8]) -> Bytes {
    match how {
        Corruption::Bytes => {
            answer.iter().enumerate().map(|(i, byte)| if i % 7 == 3 { byte ^ 0x55 } else { *byte }).collect()
        }
        Corruption::Values => match serde_json::from_slice::<serde_json::Value>(answer) {
            Ok(mut value) => {
                falsify(&mut value);
                serde_json::to_vec(&value).expect("it came from JSON").into()
            }
            // Not JSON: one bit of a byte in the middle is as near to a wrong value as it gets.
            Err(_) => answer
                .iter()
                .enumerate()
                .map(|(i, byte)| if i == answer.len() / 2 { byte ^ 1 } else { *byte })
                .collect(),
        },
    }
}

/// Every number is one more than it was, every truth its opposite.
fn falsify(value: &mut serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::Bool(truth) => *truth = !*truth,
        Value::Number(number) => {
            if let Some(n) = number.as_i64() {
                *value = Value::from(n.wrapping_add(1));
            } else if let Some(n) = number.as_f64() {
                *value = Value::from(n + 1.0);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(falsify),
        Value::Object(fields) => fields.values_mut().for_each(falsify),
        Value::Null | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corrupted_bytes_cannot_be_decoded_and_corrupted_values_can() {
        let answer = br#"{"count":41,"ok":true,"name":"x"}"#;
        assert!(serde_json::from_slice::<serde_json::Value>(&corrupt(Corruption::Bytes, answer)).is_err());
        assert_eq!(&corrupt(Corruption::Values, answer)[..], br#"{"count":42,"name":"x","ok":false}"#);
    }
}
