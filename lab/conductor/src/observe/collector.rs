//! The lab as an OTLP collector: nodes send their spans here, the load generator reports its journeys, and the record gets
//! the requests that are kept. What comes in is forwarded to the user's own collector, where there is one.
//!
//! - `otlp`: OTLP over HTTP and gRPC, on loopback. - `grpc`: the service of the latter.
//! - `export`: what is decoded, and what is refused before. `room`: what all exports may take. - `spans`: what arrives, as `trace` needs it.
//! - `forward`: the connection to the user's collector, which may be dead. - `journeys`: the roots of traces, for it.

mod export;
mod forward;
mod grpc;
mod journeys;
mod otlp;
mod room;
mod spans;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::StatusCode;
use contract::TraceContext;
use load_protocol::TracedJourney;
use record::{PhasePlan, Tracing};
use runtime::{ShutdownPolicy, Tasks, clock};
use telemetry::ProcessLabels;
use trace::{Gatherer, Journey, ReceivedSpan};

use self::export::Export;
use self::forward::Forwarder;
use self::room::ExportBudget;
use crate::observe::record_writer::RecordWriter;

/// How often complete requests are looked for.
const SETTLE_INTERVAL: Duration = Duration::from_millis(250);

/// Receives spans and journeys. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Collector {
    shared: Arc<CollectorState>,
    /// OTLP over gRPC.
    pub grpc: SocketAddr,
    /// OTLP over HTTP.
    pub http: SocketAddr,
}

struct CollectorState {
    record: RecordWriter,
    phases: Vec<PhasePlan>,
    /// What exports that are being received may take.
    budget: ExportBudget,
    gatherer: Mutex<Gatherer>,
    forwarder: Option<Forwarder>,
    /// Labels of the arms that trace.
    arms: Mutex<BTreeMap<char, ProcessLabels>>,
    /// The current round, and when its load began.
    block: Mutex<Option<(u32, Instant, u64)>>,
}

/// The spans of an export by HTTP, from its body and what its headers declare of it.
///
/// # Errors
/// The status and the reason of the refusal.
pub fn exported_spans(
    content_type: &str,
    content_encoding: &str,
    body: Bytes,
) -> Result<Vec<ReceivedSpan>, (StatusCode, String)> {
    let room = ExportBudget::new().reserve();
    otlp::export(content_type, content_encoding, body, &room).map(|export| spans::observed(&export.request))
}

impl Collector {
    /// Listens on two free ports of the loopback interface until `tasks` end.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(
        tasks: &Tasks,
        record: RecordWriter,
        phases: Vec<PhasePlan>,
        onward: Option<String>,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(CollectorState {
            record,
            phases,
            budget: ExportBudget::new(),
            gatherer: Mutex::default(),
            forwarder: onward.map(|endpoint| Forwarder::start(tasks, endpoint)),
            arms: Mutex::default(),
            block: Mutex::default(),
        });
        let grpc = otlp::grpc(tasks, shared.clone()).await?;
        let http = otlp::http(tasks, shared.clone()).await?;
        let settling = shared.clone();
        tasks.spawn("lab.traces", ShutdownPolicy::Cancel, async move {
            let mut interval = tokio::time::interval(SETTLE_INTERVAL);
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            loop {
                interval.tick().await;
                settling.settle();
            }
        });
        Ok(Self { shared, grpc, http })
    }

    /// The arms of the run that trace, and the labels of their nodes.
    pub fn set_arms(&self, arms: BTreeMap<char, ProcessLabels>) {
        self.shared.gatherer().set_arms(arms.keys().copied());
        *self.shared.arms.lock().expect("no panic while held") = arms;
    }

    /// A round's load on some arms begins at `start`, which is `start_ns` of the run.
    pub fn begin(&self, round: u32, arms: &[char], start: Instant, start_ns: u64) {
        self.shared.gatherer().begin(round, arms, start_ns);
        *self.shared.block.lock().expect("no panic while held") = Some((round, start, start_ns));
    }

    /// Journeys are over.
    pub fn traced(&self, traced: Vec<TracedJourney>) {
        let Some(block) = *self.shared.block.lock().expect("no panic while held") else { return };
        let journeys: Vec<Journey> =
            traced.iter().filter_map(|one| self.shared.journey(one, block)).collect();
        self.shared.forward(&journeys);
        let mut gatherer = self.shared.gatherer();
        journeys.into_iter().for_each(|journey| gatherer.journey(journey));
    }

    /// Arms have ended in a round, and their nodes with them: all their spans have arrived.
    pub fn conclude(&self, round: u32, arms: &[char]) {
        let entries = self.shared.gatherer().conclude(round, arms);
        entries.into_iter().for_each(|entry| self.shared.record.append(entry));
    }

    /// Waits a moment for what is still to be forwarded; returns what became of all spans.
    pub async fn finish(&self) -> Tracing {
        let (forwarded, not_forwarded) = match &self.shared.forwarder {
            Some(forwarder) => forwarder.finish().await,
            None => (0, 0),
        };
        Tracing { forwarded, not_forwarded, ..self.shared.gatherer().counts() }
    }

    /// Host and port of the user's collector, if there is one.
    pub fn sends_on_to(&self) -> Option<String> {
        let forwarder = self.shared.forwarder.as_ref()?;
        // It was an address when the run began.
        let (host, port) = telemetry::endpoint::address(&forwarder.endpoint).ok()?;
        Some(format!("{host}:{port}"))
    }

    /// A sentence where the user's collector did not take all spans: how many of them, and why.
    pub fn forwarding_loss(&self, tracing: &Tracing) -> Option<String> {
        let forwarder = self.shared.forwarder.as_ref().filter(|_| tracing.not_forwarded > 0)?;
        let (lost, all) = (tracing.not_forwarded, tracing.forwarded + tracing.not_forwarded);
        let endpoint = telemetry::endpoint::without_credentials(&forwarder.endpoint);
        let reason = forwarder.last_failure();
        Some(format!("OTLP: {lost} of {all} spans did not reach {endpoint}: {reason}"))
    }
}

impl CollectorState {
    /// Receives a request of any node.
    fn receive(&self, export: Export) {
        let spans = spans::observed(&export.request);
        if let Some(forwarder) = &self.forwarder {
            forwarder.send(export, spans.len() as u64);
        }
        self.gatherer().spans(spans);
    }

    /// Sends the roots of traces to the user's collector: of nodes it gets what is below them.
    fn forward(&self, journeys: &[Journey]) {
        let Some(forwarder) = &self.forwarder else { return };
        let arms = self.arms.lock().expect("no panic while held");
        let (request, spans) = journeys::export(journeys, &arms, &self.phases);
        if spans > 0 {
            forwarder.send(request.into(), spans);
        }
    }

    fn settle(&self) {
        let now = self.record.now();
        let entries = self.gatherer().settle(now);
        entries.into_iter().for_each(|entry| self.record.append(entry));
    }

    fn gatherer(&self) -> MutexGuard<'_, Gatherer> {
        self.gatherer.lock().expect("no panic while held")
    }

    /// A journey on the run's clock and on the wall's, which its spans are stamped with.
    fn journey(&self, of: &TracedJourney, (round, start, start_ns): (u32, Instant, u64)) -> Option<Journey> {
        let context = TraceContext::parse(&of.context)?;
        let due_ns = of.due * 1_000;
        let began = |phase: &PhasePlan| phase.start_ns <= due_ns;
        let phase = self.phases.iter().rposition(began).unwrap_or(0);
        // The wall clock is read anew each time: over a run it may be set.
        let wall = u64::try_from(clock::wall_us()).unwrap_or(0) * 1_000;
        let since = clock::now().saturating_duration_since(start + Duration::from_micros(of.sent));
        let ago = u64::try_from(since.as_nanos()).unwrap_or(0);
        let since_sent = |at: u64| at.saturating_sub(of.sent) * 1_000;
        Some(Journey {
            arm: of.arm,
            round,
            phase: u32::try_from(phase).unwrap_or(0),
            second: u32::try_from(of.due / 1_000_000).unwrap_or(u32::MAX),
            name: of.journey.clone(),
            request: of.request,
            trace: context.trace_id,
            span: context.span_id,
            due: start_ns + due_ns,
            sent: start_ns + of.sent * 1_000,
            done: start_ns + of.done * 1_000,
            sent_wall: wall.saturating_sub(ago),
            exchanges: of.exchanges.iter().map(|(sent, read)| since_sent(*sent)..since_sent(*read)).collect(),
            error: of.error.clone(),
        })
    }
}
