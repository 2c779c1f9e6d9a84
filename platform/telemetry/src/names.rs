//! Every metric, label, span attribute and header name, in one place.
//!
//! Follows OpenTelemetry's semantic conventions 1.42.0 where they have a name. What is Cleave's own begins with `cleave.`,
//! and with `cleave_` where it is a metric: [`has_namespace`] holds every name to that.

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
/// Why there was no answer; of requests served, the status of an answer that is a failure of the component.
pub const ERROR_TYPE: &str = "error_type";
/// [`ERROR_TYPE`] of a try that ended at a deadline which its client chose, answered or not: no failure of the callee.
pub const CLIENT_DEADLINE: &str = "client_deadline";
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
/// What a component does for its callers: `GET /v1/feed`, `photo.by_ids`, `process photo.liked`.
pub const OPERATION: &str = "operation";

/// The run that measured.
pub const RUN_ID: &str = "run_id";
/// `A`, `B`, ...: how the record and its views call an arm.
pub const LETTER: &str = "letter";
/// What a user wants done: `home-feed`.
pub const JOURNEY: &str = "journey";
/// How it ended, or what was found: `ok`, `failed`, `lost`.
pub const OUTCOME: &str = "outcome";
/// A step of the scenario, by its id.
pub const STEP: &str = "step";
/// A phase of the scenario.
pub const PHASE: &str = "phase";
/// The scenario.
pub const SCENARIO: &str = "scenario";
/// Upper bound of a bucket.
pub const LE: &str = "le";

/// All labels a metric of ours may carry; a test fails on any other.
pub const LABELS: &[&str] = &[
    SERVICE,
    INSTANCE,
    ARM,
    RUN_ID,
    LETTER,
    JOURNEY,
    OUTCOME,
    STEP,
    PHASE,
    SCENARIO,
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
    OPERATION,
    LE,
];

/// [`PART`] of an operation's own work on threads for blocking and for background work.
pub const BLOCKING: &str = "blocking";

/// What the name of a metric of our own begins with, so that it meets no other program's.
/// Source: <https://prometheus.io/docs/practices/naming/>.
pub const OWN_PREFIX: &str = "cleave_";

/// What the names of metrics begin with that follow a convention; others on a machine have the same, and mean the same.
/// Sources: <https://opentelemetry.io/docs/specs/semconv/general/metrics/> for what is of `http`, `db`, `messaging` and
/// `otel`, <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics> for `process`.
pub const CONVENTIONS: [&str; 5] = ["http_", "db_", "messaging_", "process_", "otel_"];

/// Whether the name of a metric is of a convention or says that it is ours.
pub fn has_namespace(metric: &str) -> bool {
    metric.starts_with(OWN_PREFIX) || CONVENTIONS.iter().any(|prefix| metric.starts_with(prefix))
}

/// The route label of requests that match none.
pub const UNMATCHED: &str = "<unmatched>";

// Metrics.
/// Requests served: duration by route and status, with an `error_type` where the component has failed.
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
pub const QUEUE_DEPTH: &str = "cleave_queue_depth";
/// Time spent waiting in a queue.
pub const QUEUE_WAIT: &str = "cleave_queue_wait_seconds";
/// The longest of the waits that ended in about the last second.
pub const QUEUE_WAIT_LONGEST: &str = "cleave_queue_wait_longest_seconds";
/// Events not yet trimmed.
pub const OUTBOX_ROWS: &str = "cleave_outbox_rows";
/// Age of the oldest of them.
pub const OUTBOX_OLDEST_AGE: &str = "cleave_outbox_oldest_age_seconds";
/// Events given up on.
pub const DEAD_LETTERS: &str = "cleave_dead_letters_total";
/// Statements that kept the thread of their caller for long.
pub const SLOW_STATEMENTS: &str = "cleave_db_slow_statements_total";
/// Commits that a sync of a SQLite file's log has made durable.
pub const LOG_COMMITS: &str = "cleave_db_log_commits_total";
/// Such syncs: fewer, where commits have shared one.
pub const LOG_SYNCS: &str = "cleave_db_log_syncs_total";
/// Bytes of the write-ahead log.
pub const WAL_BYTES: &str = "db_wal_bytes";
/// Calls a fault hit.
pub const FAULT_INJECTED: &str = "cleave_fault_injected_total";
/// Tries beyond the first.
pub const RETRIES: &str = "cleave_retries_total";
/// `service`, `peer_service`, `outcome`; second tries next to a slow first.
pub const HEDGES: &str = "cleave_hedges_total";
/// Requests refused to protect the rest.
pub const REQUESTS_SHED: &str = "cleave_requests_shed_total";
/// `peer_service`, `outcome`: copies of requests that the gateway makes.
pub const MIRRORED: &str = "cleave_mirrored_requests_total";
/// `service`, `kind`: the name of the key, or [`NO_API_KEY`].
pub const API_KEY_REQUESTS: &str = "cleave_api_key_requests_total";
/// Stands for the name of a key where a request had none that is valid.
pub const NO_API_KEY: &str = "<none>";
/// `service`, `peer_service`; only of edges that balance by what is asked for.
pub const BALANCE_OVERFLOWS: &str = "cleave_balance_overflows_total";
/// `service`, `peer_service`; only of edges whose limit follows their latency.
pub const CONCURRENCY_LIMIT: &str = "cleave_concurrency_limit";
/// Breaker: 0 closed, 1 half-open, 2 open.
pub const CIRCUIT_STATE: &str = "cleave_circuit_state";
/// Connections in a pool that wait for work.
pub const POOL_IDLE: &str = "cleave_pool_idle_connections";
/// Connections at work.
pub const POOL_ACTIVE: &str = "cleave_pool_active_connections";
/// Callers that wait for a connection.
pub const POOL_WAITING: &str = "cleave_pool_waiting";
/// Connections opened.
pub const POOL_CONNECTS: &str = "cleave_pool_connects_total";
/// Requests and calls a component finished.
pub const WORK_DONE: &str = "cleave_work_done_total";
/// Of them, those whose callers had given up.
pub const WORK_WASTED: &str = "cleave_work_wasted_total";
/// Reads through a declared cache: `kind` is `hit` or `miss`.
pub const CACHE_READS: &str = "cleave_cache_reads_total";
/// `peer_service`, `outcome`: reads of routes whose answers the gateway keeps.
pub const RESPONSE_CACHE_REQUESTS: &str = "cleave_response_cache_requests_total";
/// Answers that the gateway keeps, and its notes of what is not kept.
pub const RESPONSE_CACHE_ENTRIES: &str = "cleave_response_cache_entries";
/// Their bytes.
pub const RESPONSE_CACHE_BYTES: &str = "cleave_response_cache_bytes";
/// `outcome`: handshakes of TLS at the public port.
pub const TLS_HANDSHAKES: &str = "cleave_tls_handshakes_total";
/// Requests refused because their deadline had passed.
pub const DEADLINE_REFUSED: &str = "cleave_deadline_refused_total";
/// Connections cut off by a drain with requests under way.
pub const DRAIN_ABORTED: &str = "cleave_drain_aborted_total";
/// Seconds since the registry last answered its client.
pub const DISCOVERY_STALENESS: &str = "cleave_discovery_staleness_seconds";
/// CPU by component and part, scaled up from sampled polls.
pub const COST_CPU: &str = "cleave_cost_cpu_seconds_total";
/// The same by operation as well; `part` is `blocking` for its own work on other threads than workers.
pub const OPERATION_CPU: &str = "cleave_operation_cpu_seconds_total";
/// How often operations were begun.
pub const OPERATIONS: &str = "cleave_operations_total";
/// Events that operations have published, by topic.
pub const OPERATION_EVENTS: &str = "cleave_operation_events_total";
/// Spans that ended and were sampled.
pub const SPANS_ENDED: &str = "otel_spans_ended_total";
/// Spans a collector took.
pub const SPANS_EXPORTED: &str = "otel_spans_exported_total";
/// Spans a collector refused or did not receive.
pub const SPANS_FAILED: &str = "otel_spans_failed_total";
/// Spans that never reached the exporter.
pub const SPANS_DROPPED: &str = "otel_spans_dropped_total";
/// Threads of the async runtime.
pub const TOKIO_WORKERS: &str = "cleave_tokio_workers";
/// Tasks alive.
pub const TOKIO_ALIVE_TASKS: &str = "cleave_tokio_alive_tasks";
/// Tasks that wait for a worker.
pub const TOKIO_QUEUE_DEPTH: &str = "cleave_tokio_global_queue_depth";
/// Time workers were busy.
pub const TOKIO_BUSY: &str = "cleave_tokio_busy_seconds_total";

/// CPU of a process since its start, as it counts itself.
pub const PROCESS_CPU: &str = "process_cpu_seconds_total";
/// Resident memory of a process; pages shared with others count in full.
pub const PROCESS_MEMORY: &str = "process_resident_memory_bytes";
/// Files a process holds open.
pub const PROCESS_FDS: &str = "process_open_fds";

/// Metrics of a node's own `/metrics`, with their help; for a histogram the name without `_bucket`. A name that ends in
/// `_total` is a counter's.
pub const NODE: &[(&str, &str)] = &[
    (HTTP_SERVER_REQUEST_DURATION, "Requests served: time from arrival to the end of the answer."),
    (HTTP_SERVER_ACTIVE_REQUESTS, "Requests being served."),
    (HTTP_CLIENT_REQUEST_DURATION, "Tries sent to another component: time until the answer or the failure."),
    (DB_CLIENT_OPERATION_DURATION, "Database operations: time of each."),
    (MESSAGING_PROCESS_DURATION, "Events applied: time the handler took."),
    (MESSAGING_DELIVERY_LAG, "Events applied: time since they were produced."),
    (QUEUE_DEPTH, "Requests that wait in a queue."),
    (QUEUE_WAIT, "Time spent waiting in a queue."),
    (QUEUE_WAIT_LONGEST, "Longest of the waits in a queue that ended in about the last second."),
    (OUTBOX_ROWS, "Events that a publisher still keeps."),
    (OUTBOX_OLDEST_AGE, "Age of the oldest event that a publisher still keeps."),
    (DEAD_LETTERS, "Events given up on."),
    (SLOW_STATEMENTS, "Statements that took over a millisecond on the thread of their caller."),
    (LOG_COMMITS, "Commits that a sync of the log of a SQLite file made durable."),
    (LOG_SYNCS, "Syncs of the log of a SQLite file: fewer than commits, where these shared one."),
    (WAL_BYTES, "Size of the write-ahead log."),
    (FAULT_INJECTED, "Calls that a fault hit."),
    (RETRIES, "Tries beyond the first of a call."),
    (HEDGES, "Second tries next to a slow first, by which of the two answered."),
    (REQUESTS_SHED, "Requests refused to protect the rest, by reason."),
    (MIRRORED, "Copies of requests that no client waits for, by what came of them."),
    (API_KEY_REQUESTS, "Requests of routes that ask for an API key, by the name of the key."),
    (BALANCE_OVERFLOWS, "Tries sent to another copy than that of their key, which had too much to do."),
    (CONCURRENCY_LIMIT, "Calls that may be under way, as latency allows."),
    (CIRCUIT_STATE, "Circuit breaker: 0 closed, 1 half-open, 2 open."),
    (POOL_IDLE, "Connections in a pool that wait for work."),
    (POOL_ACTIVE, "Connections in a pool at work."),
    (POOL_WAITING, "Callers that wait for a connection."),
    (POOL_CONNECTS, "Connections opened."),
    (WORK_DONE, "Requests and calls that a component finished."),
    (WORK_WASTED, "Requests and calls finished after their callers had given up."),
    (CACHE_READS, "Reads through a declared cache, by hit and miss."),
    (
        RESPONSE_CACHE_REQUESTS,
        "Reads of routes whose answers the gateway keeps, by where the answer came from.",
    ),
    (RESPONSE_CACHE_ENTRIES, "Answers that the gateway keeps, and notes of what is not kept."),
    (
        RESPONSE_CACHE_BYTES,
        "Bytes of the answers that the gateway keeps, also of those that are still coming.",
    ),
    (TLS_HANDSHAKES, "Handshakes of TLS at the public port, by how they ended."),
    (DEADLINE_REFUSED, "Requests refused because their deadline had passed."),
    (DRAIN_ABORTED, "Connections cut off by a drain with requests under way."),
    (DISCOVERY_STALENESS, "Time since the registry last answered its client."),
    (COST_CPU, "CPU by component and part, scaled up from sampled polls."),
    (OPERATION_CPU, "CPU by component, operation and part, scaled up from sampled polls."),
    (OPERATIONS, "Requests, calls and events that operations have begun to serve."),
    (OPERATION_EVENTS, "Events that operations have published, by topic."),
    (SPANS_ENDED, "Sampled spans that ended."),
    (SPANS_EXPORTED, "Spans that a collector took."),
    (SPANS_FAILED, "Spans that a collector refused or did not receive."),
    (SPANS_DROPPED, "Spans that never reached the exporter."),
    (TOKIO_WORKERS, "Threads of the async runtime."),
    (TOKIO_ALIVE_TASKS, "Tasks that have not ended."),
    (TOKIO_QUEUE_DEPTH, "Tasks that wait for a worker."),
    (TOKIO_BUSY, "Time that workers of the async runtime were busy."),
    (PROCESS_CPU, "CPU of the process since its start, user and system."),
    (PROCESS_MEMORY, "Resident memory; pages shared with other processes count in full."),
    (PROCESS_FDS, "Files that the process holds open."),
];

/// Whether a metric only rises: by the naming rule of Prometheus.
pub fn is_counter(metric: &str) -> bool {
    metric.ends_with("_total")
}

/// What a run looks like from outside: its users, its arms, its machine. The lab serves these
/// while a run lasts, and writes the same from the record of one that is over.
pub mod run {
    /// Always 1; its labels name the run and the arm.
    pub const INFO: &str = "cleave_run_info";
    /// 1 while a phase lasts.
    pub const PHASE_ACTIVE: &str = "cleave_phase_active";
    /// 1 while a step acts; `kind` is `fault` or `action`.
    pub const STEP_ACTIVE: &str = "cleave_step_active";
    /// Arrivals due.
    pub const OFFERED: &str = "cleave_journeys_offered_total";
    /// Of them, sent.
    pub const SENT: &str = "cleave_journeys_sent_total";
    /// Answered as asked, content checked.
    pub const OK: &str = "cleave_journeys_ok_total";
    /// Ok, and within the time a user waits.
    pub const GOOD: &str = "cleave_journeys_good_total";
    /// Failed, by cause.
    pub const FAILED: &str = "cleave_journeys_failed_total";
    /// Found no free slot.
    pub const DROPPED: &str = "cleave_journeys_dropped_total";
    /// From when an arrival was due until its answer, by outcome.
    pub const DURATION: &str = "cleave_journey_duration_seconds";
    /// Due until handed over: the generator's own lateness.
    pub const LAG: &str = "cleave_generator_lag_seconds";
    /// Handed over until sent, all slots busy: the arm's doing.
    pub const SLOT_WAIT: &str = "cleave_slot_wait_seconds";
    /// A write acknowledged until another component shows it.
    pub const STALENESS: &str = "cleave_staleness_seconds";
    /// Reads that should have shown an acknowledged write.
    pub const PROBES: &str = "cleave_read_your_write_reads_total";
    /// Of them, those that did not.
    pub const STALE: &str = "cleave_read_your_write_stale_total";
    /// Writes, by what the audit found of them.
    pub const AUDITED: &str = "cleave_audited_writes";
    /// Logical calls of an edge each second.
    pub const EDGE_CALLS: &str = "cleave_edge_calls_per_second";
    /// Tries of an edge each second, retries included.
    pub const EDGE_TRIES: &str = "cleave_edge_tries_per_second";
    /// Tries of an edge that failed, each second.
    pub const EDGE_ERRORS: &str = "cleave_edge_errors_per_second";
    /// 99th percentile of an edge's tries in the last second.
    pub const EDGE_P99: &str = "cleave_edge_p99_seconds";
    /// Breaker of an edge: 0 closed, 1 half-open, 2 open.
    pub const EDGE_BREAKER: &str = "cleave_edge_breaker_state";
    /// Calls of an edge that wait for a connection or a place.
    pub const EDGE_QUEUE: &str = "cleave_edge_queue";
    /// 1 while a process serves, else 0.
    pub const UP: &str = "cleave_process_up";
    /// CPU of a process since its start, from `/proc`.
    pub const CPU: &str = "cleave_process_cpu_seconds_total";
    /// Time a process could have run and had no core.
    pub const CPU_WAIT: &str = "cleave_process_cpu_wait_seconds_total";
    /// Memory of a process; what it shares is divided among the sharers.
    pub const MEMORY: &str = "cleave_process_pss_bytes";
    /// Its threads.
    pub const THREADS: &str = "cleave_process_threads";
    /// Its open files.
    pub const FDS: &str = "cleave_process_open_fds";
    /// Its context switches since its start.
    pub const SWITCHES: &str = "cleave_process_context_switches_total";
    /// Its restarts so far.
    pub const RESTARTS: &str = "cleave_process_restarts_total";
    /// Bytes of its database, write-ahead log included.
    pub const DATABASE: &str = "cleave_process_database_bytes";
    /// Share of the last second in which something waited for a core.
    pub const CPU_STALL: &str = "cleave_host_cpu_stall_ratio";
    /// Cores that processes outside the run kept busy.
    pub const OTHER_CPU: &str = "cleave_host_other_cpu_cores";
    /// Memory the machine has left.
    pub const MEMORY_LEFT: &str = "cleave_host_memory_available_bytes";
}

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
    /// Number of a journey's arrival, the same in every arm.
    pub const REQUEST: &str = "cleave.request";
    /// The phase a journey was due in.
    pub const PHASE: &str = "cleave.phase";
    /// `caller->callee` of a call.
    pub const EDGE: &str = "cleave.edge";
    /// How it travels.
    pub const CARRIER: &str = "cleave.carrier";
    /// Why a span of a request that was not sampled is kept: `error` or `slow`.
    pub const KEPT: &str = "cleave.kept";
    /// The component that is asked.
    pub const PEER: &str = "peer.service";
}

/// Upper bounds of every `_seconds` histogram.
pub const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_of_a_node_is_of_a_convention_or_ours() {
        for (name, help) in NODE {
            assert!(
                has_namespace(name),
                "{name} begins with neither {OWN_PREFIX} nor one of {CONVENTIONS:?}"
            );
            assert!(help.ends_with('.'), "{name}: {help}");
        }
        assert!(!has_namespace("queue_depth"));
    }
}
