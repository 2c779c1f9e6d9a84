//! Once a second: what processes, edges and the host did, as lines of the record.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use record::{Entry, Host, Proc};

use crate::arm::Arm;
use crate::edges::{Ends, Ledger, Side};
use crate::exposition::{Sample, samples};
use crate::http::Asker;
use crate::instance::Health;
use crate::lines::Lines;
use crate::procfs::{self, Follower, HostUsage};

/// Time a node has to expose its metrics; a paused one never does.
const SCRAPE: Duration = Duration::from_millis(500);

/// What one node exposed.
#[derive(Clone, Debug, Default)]
pub struct Exposed {
    edges: BTreeMap<Ends, Side>,
    /// Calls that wait for a connection to a callee.
    queues: BTreeMap<String, f64>,
    /// CPU by part, seconds.
    pub cpu_parts: BTreeMap<String, f64>,
    /// Time by part over billed requests, seconds.
    pub wall_parts: BTreeMap<String, f64>,
    /// Billed requests.
    pub billed: f64,
    /// Requests served at the door.
    pub door: f64,
    /// Requests sent to other processes.
    pub sent: f64,
    spans: [u64; 4],
    work: BTreeMap<String, [u64; 2]>,
    cache: BTreeMap<String, [u64; 2]>,
}

impl Exposed {
    /// Reads an exposition.
    pub fn read(text: &str) -> Self {
        let mut exposed = Self::default();
        for sample in samples(text) {
            exposed.add(&sample);
        }
        exposed.share_queues();
        exposed
    }

    /// Connections are the process's: whoever in it calls the same callee waits in one queue, which is told of each.
    fn share_queues(&mut self) {
        for ((_, callee), side) in &mut self.edges {
            side.queue = self.queues.get(callee).copied().unwrap_or(0.0);
        }
    }

    fn add(&mut self, sample: &Sample<'_>) {
        use telemetry::names;
        let edge = |exposed: &mut Self, change: &dyn Fn(&mut Side)| {
            let key = (sample.label(names::SERVICE).to_owned(), sample.label(names::PEER_SERVICE).to_owned());
            change(exposed.edges.entry(key).or_default());
        };
        let failed = !sample.label(names::ERROR_TYPE).is_empty()
            || sample.label(names::HTTP_RESPONSE_STATUS_CODE).starts_with('5');
        let value = sample.value;
        match sample.name {
            "http_client_request_duration_seconds_count" => {
                self.sent += value;
                edge(self, &|side| {
                    side.tries += value;
                    side.errors += if failed { value } else { 0.0 };
                });
            }
            "http_client_request_duration_seconds_bucket" => {
                let bound = sample.label("le").to_owned();
                edge(self, &|side| side.buckets.add(&bound, value));
            }
            "retries_total" => edge(self, &|side| side.retries += value),
            "circuit_state" => edge(self, &|side| side.breaker = side.breaker.max(value)),
            "pool_waiting" => {
                *self.queues.entry(sample.label(names::PEER_SERVICE).to_owned()).or_default() += value;
            }
            "http_server_request_duration_seconds_count" if sample.label(names::SERVICE) == "gateway" => {
                self.door += value;
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

async fn expose(asker: &Asker, addr: Option<SocketAddr>) -> Option<Exposed> {
    let (status, body) = asker.get(addr?, "/metrics", SCRAPE).await.ok()?;
    status.is_success().then(|| Exposed::read(&String::from_utf8_lossy(&body)))
}

fn ns(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

/// The figures of an arm since its processes started.
pub async fn totals(arm: &Arm, asker: &Asker) -> ArmTotals {
    let mut totals = ArmTotals::default();
    let instances = arm.instances();
    let scrapes = instances.iter().map(|instance| expose(asker, instance.glance().listen));
    for exposed in futures_util::future::join_all(scrapes).await.into_iter().flatten() {
        for (part, seconds) in &exposed.cpu_parts {
            *totals.cpu_parts_ns.entry(part.clone()).or_default() += ns(*seconds);
        }
        for (part, seconds) in &exposed.wall_parts {
            *totals.wall_parts_ns.entry(part.clone()).or_default() += ns(*seconds);
        }
        totals.billed += exposed.billed as u64;
        totals.requests += (exposed.door + exposed.sent) as u64;
    }
    // What workers spent in tasks was sampled; the rest of their time is waking up, polling
    // sockets and going to sleep.
    let in_tasks: u64 = totals.cpu_parts_ns.values().sum();
    let mut workers_ns = 0;
    for instance in &instances {
        let Some(usage) = Follower::default().sample(instance.glance().pid) else { continue };
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
pub struct Bystander {
    /// `generator`, `cleave`.
    pub name: String,
    /// Its process.
    pub pid: u32,
}

/// Rates over less than this would be made of the time it takes to ask.
const LEAST_S: f64 = 0.5;

/// Samples once a second.
pub struct Sampler {
    followers: BTreeMap<u32, Follower>,
    edges: Ledger,
    host: HostUsage,
    ours_ns: u64,
    at_ns: u64,
}

impl Sampler {
    /// A sampler whose first second begins now.
    pub fn new(lines: &Lines) -> Self {
        Self {
            followers: BTreeMap::new(),
            edges: Ledger::default(),
            host: procfs::host(),
            ours_ns: 0,
            at_ns: lines.now(),
        }
    }

    /// Writes the lines of the second that ends now.
    pub async fn sample(
        &mut self,
        arms: &[Arc<Arm>],
        bystanders: &[Bystander],
        asker: &Asker,
        lines: &Lines,
    ) {
        let (now, before) = (lines.now(), self.at_ns);
        let seconds = now.saturating_sub(before) as f64 / 1e9;
        // The first look comes at once, and the last whenever the load is over: they count, and have no rate.
        let has_rates = seconds >= LEAST_S;
        if has_rates {
            self.at_ns = now;
        }
        let mut pss_kib = 0;
        let mut cpu_ns = 0;
        for arm in arms {
            let instances = arm.instances();
            let scrapes = instances.iter().map(|instance| expose(asker, instance.glance().listen));
            let exposed = futures_util::future::join_all(scrapes).await;
            let letter = arm.plan.letter;
            let mut callers = Vec::new();
            for (instance, exposed) in instances.iter().zip(exposed) {
                let glance = instance.glance();
                let db_bytes = instance
                    .process
                    .hosts
                    .first()
                    .map_or(0, |_| database_bytes(&arm.plan.config.data, &instance.process.name));
                let proc = Proc {
                    arm: letter,
                    pid: glance.pid,
                    instance: instance.name.clone(),
                    components: instance.hosts(),
                    state: glance.health.as_str().to_owned(),
                    restarts: glance.restarts,
                    db_bytes,
                    spans: exposed.as_ref().map_or([0; 4], |exposed| exposed.spans),
                    cache: exposed.as_ref().map_or_else(BTreeMap::new, |exposed| exposed.cache.clone()),
                    work: exposed.as_ref().map_or_else(BTreeMap::new, |exposed| exposed.work.clone()),
                    ..self.figures(glance.pid)
                };
                pss_kib += proc.pss_kib;
                cpu_ns += proc.cpu_ns;
                lines.say_at(now, Entry::Proc(proc));
                if let (Some(exposed), Health::Up) = (exposed, glance.health) {
                    if has_rates {
                        callers.push((instance.name.clone(), exposed.edges));
                    } else {
                        self.edges.begin(letter, &instance.name, exposed.edges, now);
                    }
                }
            }
            for edge in self.edges.lines(letter, callers, before, now) {
                lines.say_at(now, Entry::Edge(edge));
            }
        }
        for bystander in bystanders {
            let proc = Proc {
                arm: '-',
                pid: bystander.pid,
                instance: bystander.name.clone(),
                state: Health::Up.as_str().to_owned(),
                ..self.figures(bystander.pid)
            };
            pss_kib += proc.pss_kib;
            cpu_ns += proc.cpu_ns;
            lines.say_at(now, Entry::Proc(proc));
        }
        if has_rates {
            self.host_line(pss_kib, cpu_ns, seconds, now, lines);
        } else if self.ours_ns == 0 {
            (self.host, self.ours_ns) = (procfs::host(), cpu_ns);
        }
    }

    fn figures(&mut self, pid: u32) -> Proc {
        let usage = self.followers.entry(pid).or_default().sample(pid).unwrap_or_default();
        let (fds, sockets) = procfs::descriptors(pid);
        Proc {
            pid,
            cpu_ns: usage.cpu_ns,
            cpu_db_ns: usage.cpu_db_ns,
            cpu_telemetry_ns: usage.cpu_telemetry_ns,
            run_queue_ns: usage.run_queue_ns,
            switches: usage.switches,
            threads: usage.threads,
            pss_kib: procfs::pss_kib(pid).unwrap_or(0),
            fds,
            sockets,
            ..Proc::default()
        }
    }

    fn host_line(&mut self, pss_kib: u64, cpu_ns: u64, seconds: f64, now: u64, lines: &Lines) {
        let host = procfs::host();
        let share =
            |now: u64, before: u64, unit: f64| now.saturating_sub(before) as f64 / unit / seconds * 100.0;
        let all = share(host.busy_ns, self.host.busy_ns, 1e9);
        let ours = share(cpu_ns, self.ours_ns, 1e9);
        lines.say_at(
            now,
            Entry::Host(Host {
                cpu_stall: share(host.cpu_stall_us, self.host.cpu_stall_us, 1e6).min(100.0),
                memory_available_mib: host.memory_available_mib,
                steal: share(host.steal_ns, self.host.steal_ns, 1e9),
                other_cpu: (all - ours).max(0.0),
                pss_kib,
                dropped_updates: lines.dropped(),
            }),
        );
        self.host = host;
        self.ours_ns = cpu_ns;
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
        let exposed = Exposed::read(text);
        let edge = &exposed.edges[&("feed".to_owned(), "photo".to_owned())];
        assert_eq!((edge.tries, edge.errors, edge.queue), (10.0, 1.0, 4.0));
        assert_eq!(exposed.edges.len(), 1, "a queue is no edge of nobody's");
        assert_eq!((exposed.door, exposed.sent), (5.0, 10.0));
        assert_eq!(exposed.cpu_parts["encoding"], 0.25);
        assert_eq!(exposed.spans, [7, 0, 0, 0]);
    }

    #[test]
    fn a_restart_takes_nothing_away() {
        let totals = |ns: u64| ArmTotals { cpu_total_ns: ns, ..ArmTotals::default() };
        assert_eq!(totals(5).since(&totals(9)).cpu_total_ns, 0);
        assert_eq!(totals(9).since(&totals(5)).cpu_total_ns, 4);
    }
}
