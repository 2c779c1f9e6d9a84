//! Metrics with cached handles: a label is hashed when a handle is made, never per request.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, LazyLock, RwLock};
use std::time::Duration;

use contract::ComponentName;
use foldhash::fast::RandomState;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use runtime::clock;
use runtime::cost::{self, Operation, Part};

use crate::names;
use crate::recent_maximum::RecentMaximum;
use crate::server_outcome::ServerOutcome;

/// Handles by key, made once and kept. Keys are names of ours: no client chooses them, and a hash need not withstand one.
struct Cache<K, V>(LazyLock<RwLock<HashMap<K, V, RandomState>>>);

impl<K: Eq + Hash + Clone, V: Clone> Cache<K, V> {
    const fn new() -> Self {
        Self(LazyLock::new(RwLock::default))
    }

    fn get(&self, key: &K, make: impl FnOnce() -> V) -> V {
        if let Some(known) = self.0.read().expect("no panic while held").get(key) {
            return known.clone();
        }
        self.0.write().expect("no panic while held").entry(key.clone()).or_insert_with(make).clone()
    }

    fn all(&self) -> Vec<V> {
        self.0.read().expect("no panic while held").values().cloned().collect()
    }
}

/// The same for few keys, which are looked at one by one: a hash would take longer than the rest of a measurement.
struct ShortCache<K, V>(RwLock<Vec<(K, V)>>);

impl<K: Copy + PartialEq, V: Clone> ShortCache<K, V> {
    const fn new() -> Self {
        Self(RwLock::new(Vec::new()))
    }

    /// Gives the handle of a key to `record`.
    fn with(&self, key: K, make: impl FnOnce() -> V, record: impl FnOnce(&V)) {
        if let Some((_, known)) = self.0.read().expect("no panic while held").iter().find(|one| one.0 == key)
        {
            return record(known);
        }
        let mut known = self.0.write().expect("no panic while held");
        let at = known.iter().position(|one| one.0 == key).unwrap_or_else(|| {
            known.push((key, make()));
            known.len() - 1
        });
        record(&known[at].1);
    }
}

/// Requests served on one route.
pub struct ServerMetrics {
    service: ComponentName,
    method: &'static str,
    route: Arc<str>,
    /// What their CPU is charged to.
    pub operation: &'static Operation,
    active: Gauge,
    by_outcome: ShortCache<ServerOutcome, Histogram>,
}

static SERVERS: Cache<(ComponentName, &'static str, Arc<str>), Arc<ServerMetrics>> = Cache::new();

impl ServerMetrics {
    /// The handles of a route, made at the first call.
    pub fn of(service: ComponentName, method: &str, route: &str) -> Arc<Self> {
        let (method, route) = (known_method(method), Arc::<str>::from(route));
        SERVERS.get(&(service, method, route.clone()), || {
            Arc::new(Self {
                service,
                method,
                operation: Operation::of(service, &operation_name(method, &route)),
                route,
                active: gauge!(names::HTTP_SERVER_ACTIVE_REQUESTS, names::SERVICE => service.as_str()),
                by_outcome: ShortCache::new(),
            })
        })
    }

    /// A request was answered; a failure of the component has an `error_type`.
    pub fn record(&self, outcome: ServerOutcome, took: Duration) {
        let made = || match outcome.error_type() {
            None => histogram!(
                names::HTTP_SERVER_REQUEST_DURATION,
                names::SERVICE => self.service.as_str(),
                names::HTTP_REQUEST_METHOD => self.method,
                names::HTTP_ROUTE => self.route.to_string(),
                names::HTTP_RESPONSE_STATUS_CODE => outcome.status.to_string(),
            ),
            Some(error_type) => histogram!(
                names::HTTP_SERVER_REQUEST_DURATION,
                names::SERVICE => self.service.as_str(),
                names::HTTP_REQUEST_METHOD => self.method,
                names::HTTP_ROUTE => self.route.to_string(),
                names::HTTP_RESPONSE_STATUS_CODE => outcome.status.to_string(),
                names::ERROR_TYPE => error_type,
            ),
        };
        cost::run(Part::Telemetry, || {
            self.by_outcome.with(outcome, made, |histogram| histogram.record(took.as_secs_f64()));
        });
    }

    /// A request came in; it is active until the guard is dropped.
    pub fn begin(&self) -> ActiveRequestGuard {
        self.active.increment(1.0);
        ActiveRequestGuard(self.active.clone())
    }
}

/// A request being served.
pub struct ActiveRequestGuard(Gauge);

impl Drop for ActiveRequestGuard {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// As the spans of a route have it; a call has the same name however it is carried.
fn operation_name(method: &str, route: &str) -> String {
    route.strip_prefix("/call/").map_or_else(|| format!("{method} {route}"), str::to_owned)
}

/// Methods HTTP knows; anything else is `_OTHER`, or labels would be without bound.
pub fn known_method(method: &str) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("_OTHER")
}

/// Calls from one component to another.
pub struct EdgeMetrics {
    caller: ComponentName,
    callee: ComponentName,
    by_result: ShortCache<Result<u16, &'static str>, Histogram>,
    retries: Counter,
    circuit: Gauge,
    shed: Cache<&'static str, Counter>,
}

static EDGES: Cache<(ComponentName, ComponentName), Arc<EdgeMetrics>> = Cache::new();

impl EdgeMetrics {
    /// The handles of an edge, made at the first call.
    pub fn of(caller: ComponentName, callee: ComponentName) -> Arc<Self> {
        let (service, peer) = (caller.as_str(), callee.as_str());
        EDGES.get(&(caller, callee), || {
            Arc::new(Self {
                caller,
                callee,
                by_result: ShortCache::new(),
                retries: counter!(names::RETRIES, names::SERVICE => service, names::PEER_SERVICE => peer),
                circuit: gauge!(names::CIRCUIT_STATE, names::SERVICE => service, names::PEER_SERVICE => peer),
                shed: Cache::new(),
            })
        })
    }

    /// A try came to an end: with a status, or with an error type such as
    /// `timeout`, `connect` or `circuit_open`.
    pub fn attempt(&self, result: Result<u16, &'static str>, took: Duration) {
        let made = || {
            let (label, value) = match result {
                Ok(status) => (names::HTTP_RESPONSE_STATUS_CODE, status.to_string()),
                Err(kind) => (names::ERROR_TYPE, kind.to_owned()),
            };
            histogram!(
                names::HTTP_CLIENT_REQUEST_DURATION,
                names::SERVICE => self.caller.as_str(),
                names::PEER_SERVICE => self.callee.as_str(),
                label => value,
            )
        };
        cost::run(Part::Telemetry, || {
            self.by_result.with(result, made, |histogram| histogram.record(took.as_secs_f64()));
        });
    }

    /// A try beyond the first.
    pub fn retry(&self) {
        self.retries.increment(1);
    }

    /// A call was refused before it was tried: `bulkhead`, `adaptive_concurrency`, `circuit_open`, `budget`, `pool_full`.
    pub fn shed(&self, reason: &'static str) {
        let made = || {
            counter!(
                names::REQUESTS_SHED,
                names::SERVICE => self.caller.as_str(),
                names::PEER_SERVICE => self.callee.as_str(),
                names::KIND => reason,
            )
        };
        self.shed.get(&reason, made).increment(1);
    }

    /// So many tries were sent to another copy than that of their key. Seldom, so that the counter is looked up each time.
    pub fn overflowed(&self, tries: u64) {
        if tries > 0 {
            let (service, peer) = (self.caller.as_str(), self.callee.as_str());
            counter!(names::BALANCE_OVERFLOWS, names::SERVICE => service, names::PEER_SERVICE => peer)
                .increment(tries);
        }
    }

    /// A second try was sent next to a slow first, and the call has ended: by which of them it was answered, `first` or
    /// `second`, by `neither`, or `abandoned` by its caller. Seldom, so that the counter is looked up each time.
    pub fn hedged(&self, outcome: &'static str) {
        let (service, peer) = (self.caller.as_str(), self.callee.as_str());
        counter!(names::HEDGES, names::SERVICE => service, names::PEER_SERVICE => peer, names::OUTCOME => outcome)
            .increment(1);
    }

    /// As many calls may be under way as their latency allows: set as it moves, at most once a window, so that the gauge is
    /// looked up each time.
    pub fn concurrency_limit(&self, calls: u32) {
        let (service, peer) = (self.caller.as_str(), self.callee.as_str());
        gauge!(names::CONCURRENCY_LIMIT, names::SERVICE => service, names::PEER_SERVICE => peer)
            .set(f64::from(calls));
    }

    /// A call failed for good; whether its caller could go on without an answer.
    pub fn fell_back(&self, went_on: bool) {
        if went_on {
            self.shed("fallback");
        }
    }

    /// The breaker's state: 0 closed, 1 half-open, 2 open.
    pub fn circuit(&self, state: u8) {
        self.circuit.set(f64::from(state));
    }
}

/// The connections of one process to one component.
#[derive(Clone)]
pub struct PoolMetrics {
    /// Waiting for work.
    pub idle: Gauge,
    /// At work.
    pub active: Gauge,
    /// Callers waiting for a connection.
    pub waiting: Gauge,
    /// Connections opened.
    pub connects: Counter,
}

impl PoolMetrics {
    /// The handles of a pool.
    pub fn of(callee: ComponentName) -> Self {
        let peer = callee.as_str();
        Self {
            idle: gauge!(names::POOL_IDLE, names::PEER_SERVICE => peer),
            active: gauge!(names::POOL_ACTIVE, names::PEER_SERVICE => peer),
            waiting: gauge!(names::POOL_WAITING, names::PEER_SERVICE => peer),
            connects: counter!(names::POOL_CONNECTS, names::PEER_SERVICE => peer),
        }
    }
}

static OPERATIONS: Cache<(ComponentName, &'static str, &'static str), Histogram> = Cache::new();

/// A database operation ended; `system` is the product, of which a component has one.
pub fn db_operation(
    service: ComponentName,
    system: &'static str,
    operation: &'static str,
    table: &'static str,
    took: Duration,
) {
    let made = || {
        histogram!(
            names::DB_CLIENT_OPERATION_DURATION,
            names::SERVICE => service.as_str(),
            names::DB_SYSTEM_NAME => system,
            names::DB_OPERATION_NAME => operation,
            names::DB_COLLECTION_NAME => table,
        )
    };
    cost::run(Part::Telemetry, || {
        OPERATIONS.get(&(service, operation, table), made).record(took.as_secs_f64())
    });
}

/// A statement kept the thread of its caller for long: seldom, so that the counter is looked up each time.
pub fn slow_statement(service: ComponentName, operation: &'static str, table: &'static str) {
    let counter = counter!(
        names::SLOW_STATEMENTS,
        names::SERVICE => service.as_str(),
        names::DB_OPERATION_NAME => operation,
        names::DB_COLLECTION_NAME => table,
    );
    counter.increment(1);
}

/// Waits in one queue.
struct WaitMetrics {
    waits: Histogram,
    longest: Gauge,
    recent_us: RecentMaximum,
}

static WAITS: Cache<(ComponentName, &'static str), Arc<WaitMetrics>> = Cache::new();

/// A wait in a queue: `tx` for the writer, `pool` for a reader or a connection, `admission`.
pub fn queue_wait(service: ComponentName, queue: &'static str, took: Duration) {
    let made = || {
        let service = service.as_str();
        Arc::new(WaitMetrics {
            waits: histogram!(names::QUEUE_WAIT, names::SERVICE => service, names::QUEUE => queue),
            longest: gauge!(names::QUEUE_WAIT_LONGEST, names::SERVICE => service, names::QUEUE => queue),
            recent_us: RecentMaximum::default(),
        })
    };
    cost::run(Part::Telemetry, || {
        let queue = WAITS.get(&(service, queue), made);
        queue.waits.record(took.as_secs_f64());
        match u64::try_from(took.as_micros()).unwrap_or(u64::MAX) {
            // The least there is: no maximum changes by it, and no clock is read.
            0 => {}
            us => queue.recent_us.record(clock::now_ns(), us),
        }
    });
}

/// Brings the gauges of the longest waits up to date.
pub(crate) fn collect_longest_waits() {
    let now_ns = clock::now_ns();
    for queue in WAITS.all() {
        queue.longest.set(queue.recent_us.at(now_ns) as f64 / 1e6);
    }
}

static DEPTHS: Cache<(ComponentName, &'static str), Gauge> = Cache::new();

/// How many wait in a queue.
pub fn queue_depth(service: ComponentName, queue: &'static str) -> Gauge {
    let made = || gauge!(names::QUEUE_DEPTH, names::SERVICE => service.as_str(), names::QUEUE => queue);
    DEPTHS.get(&(service, queue), made)
}

/// Events of one topic as one component consumes them.
pub struct MessageMetrics {
    process: Histogram,
    lag: Histogram,
    dead: Counter,
}

static TOPICS: Cache<(ComponentName, String), Arc<MessageMetrics>> = Cache::new();

/// The handles of a topic at a consumer.
pub fn messages(service: ComponentName, topic: &str) -> Arc<MessageMetrics> {
    TOPICS.get(&(service, topic.to_owned()), || {
        let (service, topic) = (service.as_str(), topic.to_owned());
        Arc::new(MessageMetrics {
            process: histogram!(names::MESSAGING_PROCESS_DURATION, names::SERVICE => service, names::DESTINATION => topic.clone()),
            lag: histogram!(names::MESSAGING_DELIVERY_LAG, names::SERVICE => service, names::DESTINATION => topic.clone()),
            dead: counter!(names::DEAD_LETTERS, names::SERVICE => service, names::DESTINATION => topic),
        })
    })
}

impl MessageMetrics {
    /// An event was applied: how long that took, and how long after it was produced.
    pub fn applied(&self, took: Duration, lag: Duration) {
        self.process.record(took.as_secs_f64());
        self.lag.record(lag.as_secs_f64());
    }

    /// An event was given up on.
    pub fn dead_letter(&self) {
        self.dead.increment(1);
    }
}

/// Events of a topic that a publisher still keeps, and the age of the oldest.
pub fn outbox(service: ComponentName, topic: &str, rows: u64, oldest: Duration) {
    let (service, topic) = (service.as_str(), topic.to_owned());
    gauge!(names::OUTBOX_ROWS, names::SERVICE => service, names::DESTINATION => topic.clone())
        .set(rows as f64);
    gauge!(names::OUTBOX_OLDEST_AGE, names::SERVICE => service, names::DESTINATION => topic)
        .set(oldest.as_secs_f64());
}

/// A sync of the log of a SQLite file has made so many commits durable.
pub fn log_synced(commits: u64) {
    counter!(names::LOG_COMMITS).increment(commits);
    counter!(names::LOG_SYNCS).increment(1);
}

/// Size of the write-ahead logs of a process's databases, bytes.
pub fn wal_bytes(bytes: u64) {
    gauge!(names::WAL_BYTES).set(bytes as f64);
}

/// A fault hit a call.
pub fn fault_injected(service: ComponentName, peer: ComponentName, kind: &'static str) {
    counter!(names::FAULT_INJECTED, names::SERVICE => service.as_str(), names::PEER_SERVICE => peer.as_str(), names::KIND => kind)
        .increment(1);
}

static LATE: Cache<ComponentName, Counter> = Cache::new();

/// A request came after its deadline.
pub fn deadline_refused(service: ComponentName) {
    let made = || counter!(names::DEADLINE_REFUSED, names::SERVICE => service.as_str());
    LATE.get(&service, made).increment(1);
}

static MIRRORED: Cache<(ComponentName, &'static str), Counter> = Cache::new();

/// What came of a copy of a request to a component: `answered`, `failed`, `no_endpoint`, or `dropped` for want of room.
pub fn mirrored(peer: ComponentName, outcome: &'static str) {
    let made = || counter!(names::MIRRORED, names::PEER_SERVICE => peer.as_str(), names::OUTCOME => outcome);
    MIRRORED.get(&(peer, outcome), made).increment(1);
}

/// A request came to a route that asks for an API key: with the key of this name, or with none that is valid.
pub fn api_key(service: ComponentName, name: Option<&str>) {
    let kind = name.unwrap_or(names::NO_API_KEY).to_owned();
    counter!(names::API_KEY_REQUESTS, names::SERVICE => service.as_str(), names::KIND => kind).increment(1);
}

static SHEDS: Cache<(ComponentName, &'static str), Counter> = Cache::new();

/// A component refused a call to protect itself: `queue_full`.
pub fn shed(service: ComponentName, reason: &'static str) {
    let made = || counter!(names::REQUESTS_SHED, names::SERVICE => service.as_str(), names::KIND => reason);
    SHEDS.get(&(service, reason), made).increment(1);
}

static READS: Cache<(ComponentName, bool), Counter> = Cache::new();

/// A read went through a component's cache.
pub fn cache_read(service: ComponentName, hit: bool) {
    let kind = if hit { "hit" } else { "miss" };
    let made = || counter!(names::CACHE_READS, names::SERVICE => service.as_str(), names::KIND => kind);
    READS.get(&(service, hit), made).increment(1);
}

static CACHED: Cache<(ComponentName, &'static str), Counter> = Cache::new();

/// Where the answer to a read of a component came from, on a route of the gateway that keeps them: `hit` and `coalesced` were kept,
/// the latter for a request that waited for another one; `revalidated` was kept and confirmed; `miss` is the component's, or none
/// where the request asked for none but a kept one, and `pass` is the component's as well, which no other request waited for.
pub fn response_cache(peer: ComponentName, outcome: &'static str) {
    let made = || counter!(names::RESPONSE_CACHE_REQUESTS, names::PEER_SERVICE => peer.as_str(), names::OUTCOME => outcome);
    CACHED.get(&(peer, outcome), made).increment(1);
}

/// How many answers the gateway keeps, and their bytes.
pub fn response_cache_size(entries: usize, bytes: u64) {
    static SIZE: LazyLock<(Gauge, Gauge)> =
        LazyLock::new(|| (gauge!(names::RESPONSE_CACHE_ENTRIES), gauge!(names::RESPONSE_CACHE_BYTES)));
    SIZE.0.set(entries as f64);
    SIZE.1.set(bytes as f64);
}

static HANDSHAKES: Cache<&'static str, Counter> = Cache::new();

/// A handshake of TLS ended: `completed`, `failed` or `timed_out`. One whose connection had to leave its place is not counted.
pub fn tls_handshake(outcome: &'static str) {
    HANDSHAKES.get(&outcome, || counter!(names::TLS_HANDSHAKES, names::OUTCOME => outcome)).increment(1);
}

static WORK: Cache<ComponentName, (Counter, Counter)> = Cache::new();

/// A component finished a request or a call; `wasted` when its caller had given up.
pub fn work_done(service: ComponentName, wasted: bool) {
    let made = || {
        let service = service.as_str();
        (
            counter!(names::WORK_DONE, names::SERVICE => service),
            counter!(names::WORK_WASTED, names::SERVICE => service),
        )
    };
    let (done, idle) = WORK.get(&service, made);
    done.increment(1);
    idle.increment(u64::from(wasted));
}

/// So many connections were cut off by a drain that took too long. Over HTTP/1.1 each has one request under way, over HTTP/2
/// perhaps several.
pub fn drain_aborted(count: u64) {
    counter!(names::DRAIN_ABORTED).increment(count);
}

/// Time since the registry last answered.
pub fn discovery_staleness(since: Duration) {
    gauge!(names::DISCOVERY_STALENESS).set(since.as_secs_f64());
}
