//! What a node exposes at `/metrics`, as the sampler needs it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use record::OperationCost;

use crate::observe::edges::{CallerStats, EdgeKey};
use crate::observe::exposition::{Sample, samples};
use crate::process::control::ControlClient;

/// Time a node has to expose its metrics; a paused one never does.
const SCRAPE_TIMEOUT: Duration = Duration::from_millis(500);

/// What one node exposed.
#[derive(Clone, Debug, Default)]
pub struct NodeMetrics {
    /// What this process counts as a caller, by edge.
    pub(super) edges: BTreeMap<EdgeKey, CallerStats>,
    /// Calls that wait for a connection to a callee.
    queues: BTreeMap<String, f64>,
    /// CPU by part, seconds.
    pub cpu_parts: BTreeMap<String, f64>,
    /// Requests served by the gateway.
    pub gateway_requests: f64,
    /// Requests sent to other processes.
    pub outbound_requests: f64,
    /// Spans ended, exported, failed and dropped.
    pub(super) spans: [u64; 4],
    /// Declared work by component: done, and wasted.
    pub(super) work: BTreeMap<String, [u64; 2]>,
    /// Reads of a cache by component: hits, and all.
    pub(super) cache: BTreeMap<String, [u64; 2]>,
    /// What operations took, by component and name.
    pub(super) operations: BTreeMap<String, OperationCost>,
    /// Longest recent waits by component and queue, microseconds.
    pub(super) longest_waits: BTreeMap<String, u64>,
}

impl NodeMetrics {
    /// Reads an exposition.
    pub fn parse(text: &str) -> Self {
        let mut metrics = Self::default();
        for sample in samples(text) {
            metrics.add(&sample);
        }
        metrics.assign_queues();
        metrics
    }

    /// CPU of tasks by part, whole ns.
    pub(super) fn parts_ns(&self) -> BTreeMap<String, u64> {
        self.cpu_parts.iter().map(|(part, seconds)| (part.clone(), nanoseconds(*seconds))).collect()
    }

    /// Requests on the wire: served as the door, and sent to other processes.
    pub(super) fn requests(&self) -> u64 {
        (self.gateway_requests + self.outbound_requests) as u64
    }

    /// Connections are the process's: all callers in it that call the same callee wait in one queue, whose length each
    /// edge gets.
    fn assign_queues(&mut self) {
        for ((_, callee), stats) in &mut self.edges {
            stats.queue = self.queues.get(callee).copied().unwrap_or(0.0);
        }
    }

    fn operation(&mut self, sample: &Sample<'_>) -> &mut OperationCost {
        use telemetry::names;
        let name = format!("{}/{}", sample.label(names::SERVICE), sample.label(names::OPERATION));
        self.operations.entry(name).or_default()
    }

    fn add(&mut self, sample: &Sample<'_>) {
        use telemetry::names;
        let edge = |metrics: &mut Self, change: &dyn Fn(&mut CallerStats)| {
            let key = (sample.label(names::SERVICE).to_owned(), sample.label(names::PEER_SERVICE).to_owned());
            change(metrics.edges.entry(key).or_default());
        };
        // What a client gave too little time is no failure of an edge.
        let failed = !matches!(sample.label(names::ERROR_TYPE), "" | names::CLIENT_DEADLINE)
            || sample.label(names::HTTP_RESPONSE_STATUS_CODE).starts_with('5');
        let value = sample.value;
        match sample.family() {
            (names::HTTP_CLIENT_REQUEST_DURATION, "_count") => {
                self.outbound_requests += value;
                edge(self, &|stats| {
                    stats.tries += value;
                    stats.errors += if failed { value } else { 0.0 };
                });
            }
            (names::HTTP_CLIENT_REQUEST_DURATION, "_bucket") => {
                let bound = sample.label(names::LE).to_owned();
                edge(self, &|stats| stats.buckets.add(&bound, value));
            }
            (names::RETRIES, _) => edge(self, &|stats| stats.retries += value),
            (names::CIRCUIT_STATE, _) => edge(self, &|stats| stats.breaker = stats.breaker.max(value)),
            (names::POOL_WAITING, _) => {
                *self.queues.entry(sample.label(names::PEER_SERVICE).to_owned()).or_default() += value;
            }
            (names::HTTP_SERVER_REQUEST_DURATION, "_count") if sample.label(names::SERVICE) == "gateway" => {
                self.gateway_requests += value;
            }
            (names::COST_CPU, _) => {
                *self.cpu_parts.entry(sample.label(names::PART).to_owned()).or_default() += value;
            }
            (names::OPERATION_CPU, _) => {
                let (cost, ns) = (self.operation(sample), nanoseconds(value));
                match sample.label(names::PART) {
                    "business" => cost.business_ns += ns,
                    "database" => cost.database_ns += ns,
                    names::BLOCKING => cost.blocking_ns += ns,
                    _ => {}
                }
            }
            (names::OPERATIONS, _) => self.operation(sample).served += value as u64,
            (names::OPERATION_EVENTS, _) => {
                let topic = sample.label(names::DESTINATION).to_owned();
                *self.operation(sample).published.entry(topic).or_default() += value as u64;
            }
            (names::WORK_DONE, _) => {
                self.work.entry(sample.label(names::SERVICE).to_owned()).or_default()[0] += value as u64;
            }
            (names::CACHE_READS, _) => {
                let reads = self.cache.entry(sample.label(names::SERVICE).to_owned()).or_default();
                reads[0] += if sample.label(names::KIND) == "hit" { value as u64 } else { 0 };
                reads[1] += value as u64;
            }
            (names::QUEUE_WAIT_LONGEST, _) => {
                let queue = format!("{} {}", sample.label(names::SERVICE), sample.label(names::QUEUE));
                let us = (value * 1e6).round() as u64;
                if us > 0 {
                    self.longest_waits.insert(queue, us);
                }
            }
            (names::WORK_WASTED, _) => {
                self.work.entry(sample.label(names::SERVICE).to_owned()).or_default()[1] += value as u64;
            }
            (names::SPANS_ENDED, _) => self.spans[0] += value as u64,
            (names::SPANS_EXPORTED, _) => self.spans[1] += value as u64,
            (names::SPANS_FAILED, _) => self.spans[2] += value as u64,
            (names::SPANS_DROPPED, _) => self.spans[3] += value as u64,
            _ => {}
        }
    }
}

/// Seconds as whole ns; rounded, since a double is often a little less than the decimal it was read from.
fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}

/// Asks a node for its metrics; `None` where it has no address or does not answer in time.
pub(super) async fn scrape(control: &ControlClient, addr: Option<SocketAddr>) -> Option<NodeMetrics> {
    let (status, body) = control.get(addr?, "/metrics", SCRAPE_TIMEOUT).await.ok()?;
    status.is_success().then(|| NodeMetrics::parse(&String::from_utf8_lossy(&body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exposition_becomes_edges_parts_and_spans() {
        let text = "\
http_client_request_duration_seconds_count{service=\"feed\",peer_service=\"photo\",http_response_status_code=\"200\"} 9
http_client_request_duration_seconds_count{service=\"feed\",peer_service=\"photo\",error_type=\"timeout\"} 1
http_client_request_duration_seconds_count{service=\"feed\",peer_service=\"photo\",error_type=\"client_deadline\"} 2
http_server_request_duration_seconds_count{service=\"gateway\",http_route=\"/v1/feed\"} 5
http_server_request_duration_seconds_count{service=\"feed\",http_route=\"/v1/feed\"} 5
cleave_pool_waiting{peer_service=\"photo\"} 4
cleave_cost_cpu_seconds_total{service=\"feed\",part=\"encoding\"} 0.25
cleave_operation_cpu_seconds_total{service=\"photo\",operation=\"POST /v1/photos\",part=\"business\"} 0.5
cleave_operation_cpu_seconds_total{service=\"photo\",operation=\"POST /v1/photos\",part=\"blocking\"} 0.25
cleave_operation_cpu_seconds_total{service=\"photo\",operation=\"POST /v1/photos\",part=\"transport\"} 4
cleave_operation_cpu_seconds_total{service=\"photo\",operation=\"photo.by_ids\",part=\"database\"} 0.125
cleave_operations_total{service=\"photo\",operation=\"POST /v1/photos\"} 3
cleave_operation_events_total{service=\"photo\",operation=\"POST /v1/photos\",destination=\"photo.posted\"} 2
otel_spans_ended_total{service=\"feed\"} 7
cleave_queue_wait_longest_seconds{service=\"photo\",queue=\"tx\"} 0.974
cleave_queue_wait_longest_seconds{service=\"photo\",queue=\"readers\"} 0
";
        let metrics = NodeMetrics::parse(text);
        let edge = &metrics.edges[&("feed".to_owned(), "photo".to_owned())];
        assert_eq!((edge.tries, edge.errors, edge.queue), (12.0, 1.0, 4.0), "a hasty client is no error");
        assert_eq!(metrics.edges.len(), 1, "a queue alone makes no edge");
        assert_eq!((metrics.gateway_requests, metrics.outbound_requests), (5.0, 12.0));
        assert_eq!(metrics.requests(), 17);
        assert_eq!(metrics.cpu_parts["encoding"], 0.25);
        assert_eq!(metrics.parts_ns()["encoding"], 250_000_000);
        let posted = OperationCost {
            served: 3,
            business_ns: 500_000_000,
            blocking_ns: 250_000_000,
            database_ns: 0,
            published: BTreeMap::from([("photo.posted".to_owned(), 2)]),
        };
        assert_eq!(metrics.operations["photo/POST /v1/photos"], posted);
        assert_eq!(metrics.operations["photo/photo.by_ids"].database_ns, 125_000_000);
        assert_eq!(metrics.spans, [7, 0, 0, 0]);
        assert_eq!(metrics.longest_waits, BTreeMap::from([("photo tx".to_owned(), 974_000)]));
    }
}
