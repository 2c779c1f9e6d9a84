//! Slots of a component or of a store, and the bounded queue before them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use contract::{ComponentName, Refusal};
use policy::service::QUEUE_CAP;
use runtime::clock;
use runtime::cost::{self, Part};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument;

/// Slots and the bounded first-come-first-served queue before them.
pub(super) struct Slots {
    component: ComponentName,
    free: Arc<Semaphore>,
    waiting: AtomicU32,
    limit: u32,
}

/// A slot; free again when dropped.
pub(super) struct Slot {
    _permit: OwnedSemaphorePermit,
}

impl Slots {
    pub fn new(component: ComponentName, slots: u32, queue: Option<u32>) -> Self {
        let free = Arc::new(Semaphore::new(slots as usize));
        Self { component, free, waiting: AtomicU32::new(0), limit: queue.unwrap_or(QUEUE_CAP) }
    }

    /// A slot, after the queue; refused at once where the queue is full.
    pub async fn enter(&self) -> Result<Slot, Refusal> {
        if let Ok(permit) = self.free.clone().try_acquire_owned() {
            return Ok(Slot { _permit: permit });
        }
        let _turn = self.queue().ok_or_else(|| {
            telemetry::shed(self.component, "queue_full");
            Refusal::shed("queue_full", "as many calls wait for this component as may", None)
        })?;
        let started = clock::now();
        let waiting = telemetry::wait_span(telemetry::Wait::Queue);
        let permit = cost::part(Part::Queueing, self.free.clone().acquire_owned()).instrument(waiting).await;
        telemetry::queue_wait(self.component, "slots", clock::now() - started);
        let permit = permit.expect("slots are never closed");
        Ok(Slot { _permit: permit })
    }

    fn queue(&self) -> Option<QueueEntry<'_>> {
        let take = |waiting: u32| (waiting < self.limit).then_some(waiting + 1);
        self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).ok()?;
        telemetry::queue_depth(self.component, "slots").increment(1.0);
        Some(QueueEntry(self))
    }
}

/// A place in the queue; given up when dropped.
struct QueueEntry<'a>(&'a Slots);

impl Drop for QueueEntry<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
        telemetry::queue_depth(self.0.component, "slots").decrement(1.0);
    }
}
