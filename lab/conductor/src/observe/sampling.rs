//! Once a second: what processes, edges and the host did, as lines of the record.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use record::{Entry, Host, Proc};

use crate::arm::Arm;
use crate::arm::instance::Health;
use crate::observe::edges::{CallerStats, EdgeCounters, EdgeKey};
use crate::observe::exposition::{Sample, samples};
use crate::observe::record_writer::RecordWriter;
use crate::process::control::ControlClient;
use crate::process::usage::{self, HostUsage, UsageTracker};

/// Time a node has to expose its metrics; a paused one never does.
const SCRAPE_TIMEOUT: Duration = Duration::from_millis(500);

/// What one node exposed.
#[derive(Clone, Debug, Default)]
pub struct NodeMetrics {
    edges: BTreeMap<EdgeKey, CallerStats>,
    /// Calls that wait for a connection to a callee.
    queues: BTreeMap<String, f64>,
    /// CPU by part, seconds.
    pub cpu_parts: BTreeMap<String, f64>,
    /// Time by part over billed requests, seconds.
    pub wall_parts: BTreeMap<String, f64>,
    /// Billed requests.
    pub billed: f64,
    /// Requests served at the door.
    pub gateway_requests: f64,
    /// Requests sent to other processes.
    pub outbound_requests: f64,
    spans: [u64; 4],
    work: BTreeMap<String, [u64; 2]>,
    cache: BTreeMap<String, [u64; 2]>,
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

    /// Connections are the process's: whoever in it calls the same callee waits in one queue, which is told of each.
    fn assign_queues(&mut self) {
        for ((_, callee), stats) in &mut self.edges {
            stats.queue = self.queues.get(callee).copied().unwrap_or(0.0);
        }
    }

    fn add(&mut self, sample: &Sample<'_>) {
        use telemetry::names;
        let edge = |metrics: &mut Self, change: &dyn Fn(&mut CallerStats)| {
            let key = (sample.label(names::SERVICE).to_owned(), sample.label(names::PEER_SERVICE).to_owned());
            change(metrics.edges.entry(key).or_default());
        };
        let failed = !sample.label(names::ERROR_TYPE).is_empty()
            || sample.label(names::HTTP_RESPONSE_STATUS_CODE).starts_with('5');
        let value = sample.value;
        match sample.name {
            "http_client_request_duration_seconds_count" => {
                self.outbound_requests += value;
                edge(self, &|stats| {
                    stats.tries += value;
                    stats.errors += if failed { value } else { 0.0 };
                });
            }
            "http_client_request_duration_seconds_bucket" => {
                let bound = sample.label("le").to_owned();
                edge(self, &|stats| stats.buckets.add(&bound, value));
            }
            "retries_total" => edge(self, &|stats| stats.retries += value),
            "circuit_state" => edge(self, &|stats| stats.breaker = stats.breaker.max(value)),
            "pool_waiting" => {
                *self.queues.entry(sample.label(names::PEER_SERVICE).to_owned()).or_default() += value;
            }
            "http_server_request_duration_seconds_count" if sample.label(names::SERVICE) == "gateway" => {
                self.gateway_requests += value;
            }
            "cost_cpu_seconds_total" => {
                *self.cpu_parts.entry(sample.label("part").to_owned()).or_default() += value;
            }
            "cost_wall_seconds_total" => {
                *self.wall_parts.entry(sample.label("part").to_owned()).or_default() += value;
            }
            "cost_billed_total" => self.billed += value,
            "work_done_total" => {
                self.work.entry(sample.label(names::SERVICE).to_owned()).or_default()[0] += value as u64;
            }
            "cache_reads_total" => {
                let reads = self.cache.entry(sample.label(names::SERVICE).to_owned()).or_default();
                reads[0] += if sample.label(names::KIND) == "hit" { value as u64 } else { 0 };
                reads[1] += value as u64;
            }
            "work_wasted_total" => {
                self.work.entry(sample.label(names::SERVICE).to_owned()).or_default()[1] += value as u64;
            }
            "otel_spans_ended_total" => self.spans[0] += value as u64,
            "otel_spans_exported_total" => self.spans[1] += value as u64,
            "otel_spans_failed_total" => self.spans[2] += value as u64,
            "otel_spans_dropped_total" => self.spans[3] += value as u64,
            _ => {}
        }
    }
}

/// Cumulative figures of an arm, for the cost of a phase.
#[derive(Clone, Debug, Default)]
pub struct ArmTotals {
    /// CPU by part, ns.
    pub cpu_parts_ns: BTreeMap<String, u64>,
    /// Time by part over billed requests, ns.
    pub wall_parts_ns: BTreeMap<String, u64>,
    /// Billed requests.
    pub billed: u64,
    /// CPU of all processes, ns.
    pub cpu_total_ns: u64,
    /// Requests on the wire: at the door and between processes.
    pub requests: u64,
}

impl ArmTotals {
    /// What was added since `earlier`. A restarted process counts anew, so
    /// nothing falls below zero.
    pub fn since(&self, earlier: &Self) -> Self {
        let less = |now: &BTreeMap<String, u64>, before: &BTreeMap<String, u64>| {
            now.iter()
                .map(|(part, ns)| (part.clone(), ns.saturating_sub(*before.get(part).unwrap_or(&0))))
                .collect()
        };
        Self {
            cpu_parts_ns: less(&self.cpu_parts_ns, &earlier.cpu_parts_ns),
            wall_parts_ns: less(&self.wall_parts_ns, &earlier.wall_parts_ns),
            billed: self.billed.saturating_sub(earlier.billed),
            cpu_total_ns: self.cpu_total_ns.saturating_sub(earlier.cpu_total_ns),
            requests: self.requests.saturating_sub(earlier.requests),
        }
    }
}

async fn scrape(control: &ControlClient, addr: Option<SocketAddr>) -> Option<NodeMetrics> {
    let (status, body) = control.get(addr?, "/metrics", SCRAPE_TIMEOUT).await.ok()?;
    status.is_success().then(|| NodeMetrics::parse(&String::from_utf8_lossy(&body)))
}

fn ns(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

/// The figures of an arm since its processes started.
pub async fn arm_totals(arm: &Arm, control: &ControlClient) -> ArmTotals {
    let mut totals = ArmTotals::default();
    let instances = arm.instances();
    let scrapes = instances.iter().map(|instance| scrape(control, instance.status().listen));
    for metrics in futures_util::future::join_all(scrapes).await.into_iter().flatten() {
        for (part, seconds) in &metrics.cpu_parts {
            *totals.cpu_parts_ns.entry(part.clone()).or_default() += ns(*seconds);
        }
        for (part, seconds) in &metrics.wall_parts {
            *totals.wall_parts_ns.entry(part.clone()).or_default() += ns(*seconds);
        }
        totals.billed += metrics.billed as u64;
        totals.requests += (metrics.gateway_requests + metrics.outbound_requests) as u64;
    }
    // What workers spent in tasks was sampled; the rest of their time is waking up, polling
    // sockets and going to sleep.
    let in_tasks: u64 = totals.cpu_parts_ns.values().sum();
    let mut workers_ns = 0;
    for instance in &instances {
        let Some(usage) = UsageTracker::default().sample(instance.status().pid) else { continue };
        totals.cpu_total_ns += usage.cpu_ns;
        workers_ns += usage.cpu_workers_ns;
        // The database and the exporter work on threads of their own, which no poll sees.
        *totals.cpu_parts_ns.entry("database".into()).or_default() += usage.cpu_db_ns;
        *totals.cpu_parts_ns.entry("telemetry".into()).or_default() += usage.cpu_telemetry_ns;
    }
    totals.cpu_parts_ns.insert("waking".into(), workers_ns.saturating_sub(in_tasks));
    totals
}

/// Someone outside the arms whose cost is shown as well: the generator, ourselves.
#[derive(Clone, Debug)]
pub struct AuxiliaryProcess {
    /// `generator`, `cleave`.
    pub name: String,
    /// Its process.
    pub pid: u32,
}

/// Rates over less than this would be made of the time it takes to ask.
const MIN_RATE_SECONDS: f64 = 0.5;

/// Samples once a second.
pub struct Sampler {
    followers: BTreeMap<u32, UsageTracker>,
    edges: EdgeCounters,
    host: HostUsage,
    accounted_cpu_ns: u64,
    at_ns: u64,
}

impl Sampler {
    /// A sampler whose first second begins now.
    pub fn new(record: &RecordWriter) -> Self {
        Self {
            followers: BTreeMap::new(),
            edges: EdgeCounters::default(),
            host: usage::host(),
            accounted_cpu_ns: 0,
            at_ns: record.now(),
        }
    }

    /// Writes the lines of the second that ends now.
    pub async fn sample(
        &mut self,
        arms: &[Arc<Arm>],
        auxiliary: &[AuxiliaryProcess],
        control: &ControlClient,
        record: &RecordWriter,
    ) {
        let (now, before) = (record.now(), self.at_ns);
        let seconds = now.saturating_sub(before) as f64 / 1e9;
        // The first look comes at once, and the last whenever the load is over: they count, and have no rate.
        let has_rates = seconds >= MIN_RATE_SECONDS;
        if has_rates {
            self.at_ns = now;
        }
        let mut pss_kib = 0;
        let mut cpu_ns = 0;
        for arm in arms {
            let instances = arm.instances();
            let scrapes = instances.iter().map(|instance| scrape(control, instance.status().listen));
            let metrics = futures_util::future::join_all(scrapes).await;
            let letter = arm.plan.letter;
            let mut callers = Vec::new();
            for (instance, metrics) in instances.iter().zip(metrics) {
                let status = instance.status();
                let db_bytes = instance
                    .process
                    .hosts
                    .first()
                    .map_or(0, |_| database_bytes(&arm.plan.config.data, &instance.process.name));
                let proc = Proc {
                    arm: letter,
                    pid: status.pid,
                    instance: instance.name.clone(),
                    components: instance.hosts(),
                    state: status.health.as_str().to_owned(),
                    restarts: status.restarts,
                    db_bytes,
                    spans: metrics.as_ref().map_or([0; 4], |metrics| metrics.spans),
                    cache: metrics.as_ref().map_or_else(BTreeMap::new, |metrics| metrics.cache.clone()),
                    work: metrics.as_ref().map_or_else(BTreeMap::new, |metrics| metrics.work.clone()),
                    ..self.process_line(status.pid)
                };
                pss_kib += proc.pss_kib;
                cpu_ns += proc.cpu_ns;
                record.append_at(now, Entry::Proc(proc));
                if let (Some(metrics), Health::Up) = (metrics, status.health) {
                    if has_rates {
                        callers.push((instance.name.clone(), metrics.edges));
                    } else {
                        self.edges.set_baseline(letter, &instance.name, metrics.edges, now);
                    }
                }
            }
            for edge in self.edges.edges_since(letter, callers, before, now) {
                record.append_at(now, Entry::Edge(edge));
            }
        }
        for process in auxiliary {
            let proc = Proc {
                arm: '-',
                pid: process.pid,
                instance: process.name.clone(),
                state: Health::Up.as_str().to_owned(),
                ..self.process_line(process.pid)
            };
            pss_kib += proc.pss_kib;
            cpu_ns += proc.cpu_ns;
            record.append_at(now, Entry::Proc(proc));
        }
        if has_rates {
            self.host_line(pss_kib, cpu_ns, seconds, now, record);
        } else if self.accounted_cpu_ns == 0 {
            (self.host, self.accounted_cpu_ns) = (usage::host(), cpu_ns);
        }
    }

    fn process_line(&mut self, pid: u32) -> Proc {
        let usage = self.followers.entry(pid).or_default().sample(pid).unwrap_or_default();
        let (fds, sockets) = usage::descriptors(pid);
        Proc {
            pid,
            cpu_ns: usage.cpu_ns,
            cpu_db_ns: usage.cpu_db_ns,
            cpu_telemetry_ns: usage.cpu_telemetry_ns,
            run_queue_ns: usage.run_queue_ns,
            switches: usage.switches,
            threads: usage.threads,
            pss_kib: usage::pss_kib(pid).unwrap_or(0),
            fds,
            sockets,
            ..Proc::default()
        }
    }

    fn host_line(&mut self, pss_kib: u64, cpu_ns: u64, seconds: f64, now: u64, record: &RecordWriter) {
        let host = usage::host();
        let share =
            |now: u64, before: u64, unit: f64| now.saturating_sub(before) as f64 / unit / seconds * 100.0;
        let all = share(host.busy_ns, self.host.busy_ns, 1e9);
        let accounted = share(cpu_ns, self.accounted_cpu_ns, 1e9);
        record.append_at(
            now,
            Entry::Host(Host {
                cpu_stall: share(host.cpu_stall_us, self.host.cpu_stall_us, 1e6).min(100.0),
                memory_available_mib: host.memory_available_mib,
                steal: share(host.steal_ns, self.host.steal_ns, 1e9),
                other_cpu: (all - accounted).max(0.0),
                pss_kib,
                dropped_updates: record.dropped(),
            }),
        );
        self.host = host;
        self.accounted_cpu_ns = cpu_ns;
    }
}

/// Bytes of a process's database, its write-ahead log included.
fn database_bytes(data: &std::path::Path, process: &str) -> u64 {
    ["db", "db-wal", "db-shm"]
        .iter()
        .filter_map(|ending| std::fs::metadata(data.join(format!("{process}.{ending}"))).ok())
        .map(|meta| meta.len())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exposition_becomes_edges_parts_and_spans() {
        let text = "\
http_client_request_duration_seconds_count{service=\"feed\",peer_service=\"photo\",http_response_status_code=\"200\"} 9
http_client_request_duration_seconds_count{service=\"feed\",peer_service=\"photo\",error_type=\"timeout\"} 1
http_server_request_duration_seconds_count{service=\"gateway\",http_route=\"/v1/feed\"} 5
http_server_request_duration_seconds_count{service=\"feed\",http_route=\"/v1/feed\"} 5
pool_waiting{peer_service=\"photo\"} 4
cost_cpu_seconds_total{service=\"feed\",part=\"encoding\"} 0.25
otel_spans_ended_total{service=\"feed\"} 7
";
        let metrics = NodeMetrics::parse(text);
        let edge = &metrics.edges[&("feed".to_owned(), "photo".to_owned())];
        assert_eq!((edge.tries, edge.errors, edge.queue), (10.0, 1.0, 4.0));
        assert_eq!(metrics.edges.len(), 1, "a queue is not an edge without a caller");
        assert_eq!((metrics.gateway_requests, metrics.outbound_requests), (5.0, 10.0));
        assert_eq!(metrics.cpu_parts["encoding"], 0.25);
        assert_eq!(metrics.spans, [7, 0, 0, 0]);
    }

    #[test]
    fn a_restart_takes_nothing_away() {
        let totals = |ns: u64| ArmTotals { cpu_total_ns: ns, ..ArmTotals::default() };
        assert_eq!(totals(5).since(&totals(9)).cpu_total_ns, 0);
        assert_eq!(totals(9).since(&totals(5)).cpu_total_ns, 4);
    }
}
