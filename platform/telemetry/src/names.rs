//! Every metric, label, span attribute and header name, in one place.
//!
//! Follows OpenTelemetry's semantic conventions 1.42.0 where they have a name;
//! what is Cleave's own begins with `cleave.` or is listed under "ours".

// Labels.
/// The component that measured.
pub const SERVICE: &str = "service";
/// The running copy that measured.
pub const INSTANCE: &str = "instance";
/// The arm of the run.
pub const ARM: &str = "arm";
/// The component on the other side of an edge.
pub const PEER_SERVICE: &str = "peer_service";
/// Method of a request.
pub const HTTP_REQUEST_METHOD: &str = "http_request_method";
/// Template of a route, never a path.
pub const HTTP_ROUTE: &str = "http_route";
/// Status of an answer.
pub const HTTP_RESPONSE_STATUS_CODE: &str = "http_response_status_code";
/// Why there was no answer.
pub const ERROR_TYPE: &str = "error_type";
/// Database product.
pub const DB_SYSTEM_NAME: &str = "db_system_name";
/// `SELECT` and the like.
pub const DB_OPERATION_NAME: &str = "db_operation_name";
/// Table.
pub const DB_COLLECTION_NAME: &str = "db_collection_name";
/// Topic of an event.
pub const DESTINATION: &str = "destination";
/// Name of a queue.
pub const QUEUE: &str = "queue";
/// Kind of a fault, or reason of a shed.
pub const KIND: &str = "kind";
/// Part of a cost.
pub const PART: &str = "part";

/// All labels a metric of ours may carry; a test fails on any other.
pub const LABELS: &[&str] = &[
    SERVICE,
    INSTANCE,
    ARM,
    PEER_SERVICE,
    HTTP_REQUEST_METHOD,
    HTTP_ROUTE,
    HTTP_RESPONSE_STATUS_CODE,
    ERROR_TYPE,
    DB_SYSTEM_NAME,
    DB_OPERATION_NAME,
    DB_COLLECTION_NAME,
    DESTINATION,
    QUEUE,
    KIND,
    PART,
    "le",
];

/// The route label of requests that match none.
pub const UNMATCHED: &str = "<unmatched>";

// Metrics.
/// Requests served: duration by route and status.
pub const HTTP_SERVER_REQUEST_DURATION: &str = "http_server_request_duration_seconds";
/// Requests being served.
pub const HTTP_SERVER_ACTIVE_REQUESTS: &str = "http_server_active_requests";
/// Tries sent to another component.
pub const HTTP_CLIENT_REQUEST_DURATION: &str = "http_client_request_duration_seconds";
/// Database operations.
pub const DB_CLIENT_OPERATION_DURATION: &str = "db_client_operation_duration_seconds";
/// Events applied: time the handler took.
pub const MESSAGING_PROCESS_DURATION: &str = "messaging_process_duration_seconds";
/// Events applied: produced until applied, the consistency window.
pub const MESSAGING_DELIVERY_LAG: &str = "messaging_delivery_lag_seconds";
/// Waiting in a queue.
pub const QUEUE_DEPTH: &str = "queue_depth";
/// Time spent waiting in a queue.
pub const QUEUE_WAIT: &str = "queue_wait_seconds";
/// Events not yet trimmed.
pub const OUTBOX_ROWS: &str = "outbox_rows";
/// Age of the oldest of them.
pub const OUTBOX_OLDEST_AGE: &str = "outbox_oldest_age_seconds";
/// Events given up on.
pub const DEAD_LETTERS: &str = "dead_letters_total";
/// Bytes of the write-ahead log.
pub const WAL_BYTES: &str = "db_wal_bytes";
/// Calls a fault hit.
pub const FAULT_INJECTED: &str = "fault_injected_total";
/// Tries beyond the first.
pub const RETRIES: &str = "retries_total";
/// Requests refused to protect the rest.
pub const REQUESTS_SHED: &str = "requests_shed_total";
/// Breaker: 0 closed, 1 half-open, 2 open.
pub const CIRCUIT_STATE: &str = "circuit_state";
/// Connections in a pool that wait for work.
pub const POOL_IDLE: &str = "pool_idle_connections";
/// Connections at work.
pub const POOL_ACTIVE: &str = "pool_active_connections";
/// Callers that wait for a connection.
pub const POOL_WAITING: &str = "pool_waiting";
/// Connections opened.
pub const POOL_CONNECTS: &str = "pool_connects_total";
/// Requests and calls a component finished.
pub const WORK_DONE: &str = "work_done_total";
/// Of them, those nobody waited for any more.
pub const WORK_WASTED: &str = "work_wasted_total";
/// Reads through a declared cache: `kind` is `hit` or `miss`.
pub const CACHE_READS: &str = "cache_reads_total";
/// Requests refused because their deadline had passed.
pub const DEADLINE_REFUSED: &str = "deadline_refused_total";
/// Requests cut off by a drain.
pub const DRAIN_ABORTED: &str = "drain_aborted_total";
/// Seconds since the client of the registry heard from it.
pub const DISCOVERY_STALENESS: &str = "discovery_staleness_seconds";
/// CPU by component and part, scaled up from sampled polls.
pub const COST_CPU: &str = "cost_cpu_seconds_total";
/// Time of billed requests by part, at the door.
pub const COST_WALL: &str = "cost_wall_seconds_total";
/// Billed requests.
pub const COST_BILLED: &str = "cost_billed_total";
/// Spans that ended and were sampled.
pub const SPANS_ENDED: &str = "otel_spans_ended_total";
/// Spans a collector took.
pub const SPANS_EXPORTED: &str = "otel_spans_exported_total";
/// Spans a collector refused or did not hear of.
pub const SPANS_FAILED: &str = "otel_spans_failed_total";
/// Spans that never reached the exporter.
pub const SPANS_DROPPED: &str = "otel_spans_dropped_total";
/// Threads of the async runtime.
pub const TOKIO_WORKERS: &str = "tokio_workers";
/// Tasks alive.
pub const TOKIO_ALIVE_TASKS: &str = "tokio_alive_tasks";
/// Tasks that wait for a worker.
pub const TOKIO_QUEUE_DEPTH: &str = "tokio_global_queue_depth";
/// Time workers were busy.
pub const TOKIO_BUSY: &str = "tokio_busy_seconds_total";

/// Span attributes, and resource attributes.
pub mod attr {
    /// Component a span belongs to: becomes the resource's `service.name`.
    pub const COMPONENT: &str = "cleave.component";
    /// The run.
    pub const RUN_ID: &str = "cleave.run_id";
    /// The scenario.
    pub const SCENARIO: &str = "cleave.scenario";
    /// The arm.
    pub const ARM: &str = "cleave.arm";
    /// The topology.
    pub const TOPOLOGY: &str = "cleave.topology";
    /// `caller->callee` of a call.
    pub const EDGE: &str = "cleave.edge";
    /// How it travels.
    pub const CARRIER: &str = "cleave.carrier";
    /// The component that is asked.
    pub const PEER: &str = "peer.service";
}

/// Upper bounds of every `_seconds` histogram.
pub const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
