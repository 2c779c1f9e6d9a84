//! A billed request's spans, and the critical path through them.
//!
//! Parts of a request may run side by side, so their durations may sum to more
//! than the request took. The critical path charges every nanosecond of the
//! request to exactly one part: going back from the end, the span that
//! ended last is what the request waited for.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use super::{CostBreakdown, Part};
use crate::clock;

/// A request with more spans than this is billed for the first ones only.
const MAX_SPANS: usize = 512;
/// No end yet.
const OPEN_END_NS: u64 = u64::MAX;

/// A stretch of a request.
#[derive(Clone, Debug)]
struct Span {
    parent: usize,
    part: Part,
    start_ns: u64,
    end_ns: u64,
    /// The breakdown that the callee reports of its share of this span.
    remote: Option<CostBreakdown>,
}

type Spans = Arc<Mutex<Vec<Span>>>;

thread_local! {
    static LEDGER: RefCell<Option<Spans>> = const { RefCell::new(None) };
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// Whether the request at hand is billed: then the callee is asked for its breakdown.
pub fn has_ledger() -> bool {
    LEDGER.with_borrow(Option::is_some)
}

/// Notes the bill of a callee, inside the part that waited for it.
pub fn record_remote(breakdown: CostBreakdown) {
    LEDGER.with_borrow(|ledger| {
        if let Some(spans) = ledger {
            let mut spans = spans.lock().expect("no panic while held");
            if let Some(span) = spans.get_mut(CURRENT.get()) {
                span.remote = Some(breakdown);
            }
        }
    });
}

/// Runs a request with a ledger and returns where its time went. What no part
/// claims is transport.
pub async fn with_ledger<F: Future>(future: F) -> (F::Output, CostBreakdown) {
    let root = Span {
        parent: 0,
        part: Part::Transport,
        start_ns: clock::now_ns(),
        end_ns: OPEN_END_NS,
        remote: None,
    };
    let spans: Spans = Arc::new(Mutex::new(vec![root]));
    let output = LedgerFuture { spans: spans.clone(), future: Box::pin(future) }.await;
    let mut spans = spans.lock().expect("no panic while held");
    spans[0].end_ns = clock::now_ns();
    (output, critical_path(&spans))
}

struct LedgerFuture<F> {
    spans: Spans,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for LedgerFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let spans = self.spans.clone();
        let _restore = RestoreGuard { ledger: LEDGER.replace(Some(spans)), current: CURRENT.replace(0) };
        self.future.as_mut().poll(cx)
    }
}

struct RestoreGuard {
    ledger: Option<Spans>,
    current: usize,
}

impl Drop for RestoreGuard {
    fn drop(&mut self) {
        LEDGER.set(self.ledger.take());
        CURRENT.set(self.current);
    }
}

/// An open span; dropping it ends it.
pub(crate) struct OpenSpan {
    spans: Spans,
    index: usize,
}

/// Opens a span below the current one, if the request is billed.
pub(crate) fn open(part: Part) -> Option<OpenSpan> {
    LEDGER.with_borrow(|ledger| {
        let shared = ledger.as_ref()?;
        let mut spans = shared.lock().expect("no panic while held");
        if spans.len() >= MAX_SPANS {
            return None;
        }
        let start_ns = clock::now_ns();
        spans.push(Span { parent: CURRENT.get(), part, start_ns, end_ns: OPEN_END_NS, remote: None });
        Some(OpenSpan { spans: shared.clone(), index: spans.len() - 1 })
    })
}

/// The span is current until dropped.
pub(crate) struct CurrentSpanGuard(usize);

impl OpenSpan {
    pub(crate) fn enter(&self) -> CurrentSpanGuard {
        CurrentSpanGuard(CURRENT.replace(self.index))
    }
}

impl Drop for CurrentSpanGuard {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        let mut spans = self.spans.lock().expect("no panic while held");
        spans[self.index].end_ns = clock::now_ns();
    }
}

/// Charges every nanosecond of the first span to exactly one part.
fn critical_path(spans: &[Span]) -> CostBreakdown {
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); spans.len()];
    for (index, span) in spans.iter().enumerate().skip(1) {
        children[span.parent].push(index);
    }
    let mut breakdown = CostBreakdown::default();
    walk(spans, &children, 0, spans[0].start_ns, spans[0].end_ns, &mut breakdown);
    breakdown
}

/// Charges `from..to` of a span: to its children where the request waited for
/// them, else to itself. Ties: the later start, then the earlier span.
fn walk(
    spans: &[Span],
    children: &[Vec<usize>],
    index: usize,
    from: u64,
    to: u64,
    breakdown: &mut CostBreakdown,
) {
    let mut cursor = to;
    let mut own = 0;
    let mut left: Vec<usize> = children[index].clone();
    loop {
        let clipped = |child: &usize| (spans[*child].end_ns.min(cursor), spans[*child].start_ns.max(from));
        left.retain(|child| spans[*child].start_ns < cursor && spans[*child].end_ns > from);
        let last = left.iter().copied().max_by_key(|child| {
            let (end, start) = clipped(child);
            (end, start, std::cmp::Reverse(*child))
        });
        let Some(child) = last else { break };
        let (end, start) = clipped(&child);
        if end <= start {
            left.retain(|other| *other != child);
            continue;
        }
        own += cursor - end;
        walk(spans, children, child, start, end, breakdown);
        cursor = start;
        left.retain(|other| *other != child);
    }
    own += cursor.saturating_sub(from);
    charge_own(&spans[index], own, breakdown);
}

/// A span's own time, split as the callee's breakdown reports: what is not in it
/// is the way there and back.
fn charge_own(span: &Span, own: u64, breakdown: &mut CostBreakdown) {
    let duration = span.end_ns.saturating_sub(span.start_ns).max(1);
    let mut rest = own;
    if let Some(remote) = &span.remote {
        // A callee cannot have taken longer than we waited; clocks of one host agree.
        let total = u128::from(remote.total().max(duration));
        for (slot, ns) in breakdown.wall_ns.iter_mut().zip(remote.wall_ns) {
            let share = u64::try_from(u128::from(own) * u128::from(ns) / total).unwrap_or(0);
            *slot += share;
            rest -= share;
        }
    }
    breakdown.wall_ns[span.part as usize] += rest;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(parent: usize, part: Part, start_ns: u64, end_ns: u64) -> Span {
        Span { parent, part, start_ns, end_ns, remote: None }
    }

    #[test]
    fn of_two_calls_side_by_side_the_longer_is_charged() {
        // 0-100; database 10-40 beside encoding 20-90; the root has 0-10 and 90-100.
        let spans = [
            span(0, Part::Transport, 0, 100),
            span(0, Part::Database, 10, 40),
            span(0, Part::Encoding, 20, 90),
        ];
        let breakdown = critical_path(&spans);
        assert_eq!(breakdown.of(Part::Encoding), 70);
        assert_eq!(breakdown.of(Part::Database), 10, "only what came before the longer one");
        assert_eq!(breakdown.of(Part::Transport), 20);
    }

    #[test]
    fn a_callees_bill_is_taken_out_of_the_wait() {
        let mut call = span(0, Part::Transport, 0, 100);
        call.remote = Some(CostBreakdown { wall_ns: [0, 0, 0, 30, 40, 0, 0] });
        let breakdown = critical_path(&[span(0, Part::Business, 0, 100), call]);
        assert_eq!(
            (breakdown.of(Part::Database), breakdown.of(Part::Business), breakdown.of(Part::Transport)),
            (30, 40, 30)
        );
    }

    #[tokio::test]
    async fn a_request_is_charged_to_its_parts() {
        let work = async {
            super::super::part(Part::Business, async {
                super::super::part(Part::Database, tokio::time::sleep(std::time::Duration::from_millis(5)))
                    .await;
            })
            .await;
            has_ledger()
        };
        let (inside, breakdown) = with_ledger(work).await;
        assert!(inside && !has_ledger());
        assert!(breakdown.of(Part::Database) >= 5_000_000, "{breakdown:?}");
        assert_eq!(breakdown.total(), breakdown.wall_ns.iter().sum::<u64>());
    }

    proptest! {
        #[test]
        fn segments_sum_to_the_root_exactly(
            raw in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..7, 0_u64..1_200, 0_u64..1_200, any::<bool>()), 0..40)
        ) {
            // Parallel, nested, overlapping, out-of-bounds and empty children.
            let mut spans = vec![span(0, Part::Transport, 100, 1_100)];
            for (parent, part, a, b, remote) in raw {
                let parent = parent.index(spans.len());
                let mut child = span(parent, Part::ALL[part], a.min(b), a.max(b));
                child.remote = remote.then_some(CostBreakdown { wall_ns: [1, 2, 3, 4, 5, 6, 7] });
                spans.push(child);
            }
            prop_assert_eq!(critical_path(&spans).total(), 1_000);
        }
    }
}
