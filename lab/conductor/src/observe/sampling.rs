//! What processes, edges and the host did, written once a second.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use record::{Entry, Host, Proc};

use crate::observe::databases;
use crate::observe::edges::EdgeCounters;
use crate::observe::node_metrics::{NodeMetrics, scrape};
use crate::observe::record_writer::RecordWriter;
use crate::process::control::ControlClient;
use crate::process::host::{self, HostUsage};
use crate::process::tree::TreeTracker;
use crate::process::usage::{self, UsageTracker};

/// Rates over less than this would be made of the time it takes to ask.
const MIN_RATE_SECONDS: f64 = 0.5;
/// In the place of an arm's letter: a process that serves all arms.
const NO_ARM: char = '-';

/// An arm as the sampler sees it.
#[derive(Clone, Debug)]
pub struct SampledArm {
    /// Its letter.
    pub letter: char,
    /// Its instances.
    pub instances: Vec<SampledInstance>,
}

/// An instance as the sampler sees it.
#[derive(Clone, Debug)]
pub struct SampledInstance {
    /// `feed#0`.
    pub name: String,
    /// Its process, also one that has ended.
    pub pid: u32,
    /// Where it exposes its metrics.
    pub listen: Option<SocketAddr>,
    /// Components inside.
    pub components: Vec<String>,
    /// Its condition, as the record writes it.
    pub state: &'static str,
    /// Whether it serves.
    pub is_up: bool,
    /// Restarts so far.
    pub restarts: u32,
    /// The files of its databases, without the extension; the folder of what a server keeps.
    pub databases: Vec<PathBuf>,
    /// What server it is: accounted with all the processes that it has started, and all of one that keeps databases as the
    /// database's part. `None` of a node.
    pub server: Option<ServerRole>,
}

/// What a server does for its arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerRole {
    /// Keeps databases.
    Databases,
    /// Carries events.
    Events,
}

/// A process outside the arms whose cost is recorded as well: the generator, the lab itself.
#[derive(Clone, Debug)]
pub struct AuxiliaryProcess {
    /// `generator`, `cleave`.
    pub name: String,
    /// Its process.
    pub pid: u32,
}

/// Samples once a second.
pub struct Sampler {
    trackers: BTreeMap<u32, UsageTracker>,
    /// Of servers, by their first process.
    trees: BTreeMap<u32, TreeTracker>,
    /// Checkpoints of its databases before the first sample of each process.
    earlier_checkpoints: BTreeMap<u32, u64>,
    edges: EdgeCounters,
    host: HostUsage,
    /// CPU of each sampled process at the last sample with rates, ns.
    accounted: CpuByProcess,
    at_ns: u64,
}

/// CPU since its start of each process, ns.
type CpuByProcess = BTreeMap<u32, u64>;

/// Sums over the processes of one sample.
#[derive(Default)]
struct Sums {
    pss_kib: u64,
    cpu: CpuByProcess,
}

impl Sums {
    fn add(&mut self, process: &Proc) {
        self.pss_kib += process.pss_kib;
        self.cpu.insert(process.pid, process.cpu_ns);
    }

    /// CPU spent since an earlier sample, ns. A process that is new since then began with none; one that has ended has none
    /// any more, and what it spent last is not known.
    fn spent_since(&self, before: &CpuByProcess) -> u64 {
        let spent = |(pid, ns): (&u32, &u64)| ns.saturating_sub(before.get(pid).copied().unwrap_or(0));
        self.cpu.iter().map(spent).sum()
    }
}

impl Sampler {
    /// A sampler whose first second begins now.
    pub fn new(record: &RecordWriter) -> Self {
        Self {
            trackers: BTreeMap::new(),
            trees: BTreeMap::new(),
            earlier_checkpoints: BTreeMap::new(),
            edges: EdgeCounters::default(),
            host: host::usage(),
            accounted: CpuByProcess::new(),
            at_ns: record.now(),
        }
    }

    /// Writes the lines of the second that ends now.
    pub async fn sample(
        &mut self,
        arms: &[SampledArm],
        auxiliary: &[AuxiliaryProcess],
        control: &ControlClient,
        record: &RecordWriter,
    ) {
        let (now, before) = (record.now(), self.at_ns);
        let seconds = now.saturating_sub(before) as f64 / 1e9;
        // The first sample comes at once, and the last when the load is over: they count, and have no rate.
        let has_rates = seconds >= MIN_RATE_SECONDS;
        if has_rates {
            self.at_ns = now;
        }
        let mut sums = Sums::default();
        for arm in arms {
            let scrapes = arm.instances.iter().map(|instance| scrape(control, instance.listen));
            let scraped = futures_util::future::join_all(scrapes).await;
            // A node that does not answer holds the others up: figures belong to when they are read, not to when the
            // round of questions began.
            let read_at = record.now();
            let mut callers = Vec::new();
            for (instance, metrics) in arm.instances.iter().zip(scraped) {
                let line = self.instance_line(arm.letter, instance, metrics.as_ref());
                sums.add(&line);
                record.append_at(read_at, Entry::from(line));
                let Some(metrics) = metrics.filter(|_| instance.is_up) else { continue };
                if has_rates {
                    callers.push((instance.name.clone(), metrics.edges));
                } else {
                    self.edges.set_baseline(arm.letter, &instance.name, metrics.edges, now);
                }
            }
            for edge in self.edges.edges_since(arm.letter, callers, before, now) {
                record.append_at(now, Entry::Edge(edge));
            }
        }
        let read_at = record.now();
        for process in auxiliary {
            let line = Proc {
                arm: NO_ARM,
                instance: process.name.clone(),
                state: "up".to_owned(),
                ..self.process_line(process.pid)
            };
            sums.add(&line);
            record.append_at(read_at, Entry::from(line));
        }
        self.forget_all_but(&sums.cpu);
        if has_rates {
            self.host_line(sums, seconds, read_at, record);
        } else if self.accounted.is_empty() {
            (self.host, self.accounted) = (host::usage(), sums.cpu);
        }
    }

    /// Forgets processes that are sampled no longer: their ids may come again.
    fn forget_all_but(&mut self, sampled: &CpuByProcess) {
        self.trackers.retain(|pid, _| sampled.contains_key(pid));
        self.trees.retain(|pid, _| sampled.contains_key(pid));
        self.earlier_checkpoints.retain(|pid, _| sampled.contains_key(pid));
    }

    fn instance_line(
        &mut self,
        arm: char,
        instance: &SampledInstance,
        metrics: Option<&NodeMetrics>,
    ) -> Proc {
        if let Some(role) = instance.server {
            return self.server_line(arm, instance, role);
        }
        Proc {
            arm,
            instance: instance.name.clone(),
            components: instance.components.clone(),
            state: instance.state.to_owned(),
            restarts: instance.restarts,
            db_bytes: instance.databases.iter().map(|database| databases::bytes(database)).sum(),
            checkpoints: self.checkpoints_of(instance),
            scraped: metrics.is_some(),
            parts: metrics.map_or_else(BTreeMap::new, NodeMetrics::parts_ns),
            requests: metrics.map_or(0, NodeMetrics::requests),
            spans: metrics.map_or([0; 4], |metrics| metrics.spans),
            cache: metrics.map_or_else(BTreeMap::new, |metrics| metrics.cache.clone()),
            operations: metrics.map_or_else(BTreeMap::new, |metrics| metrics.operations.clone()),
            work: metrics.map_or_else(BTreeMap::new, |metrics| metrics.work.clone()),
            longest_waits: metrics.map_or_else(BTreeMap::new, |metrics| metrics.longest_waits.clone()),
            ..self.process_line(instance.pid)
        }
    }

    /// What the kernel accounts to a server. It has no metrics of its own, and nothing that one of databases does is another
    /// part's work.
    fn server_line(&mut self, arm: char, server: &SampledInstance, role: ServerRole) -> Proc {
        let tree = self.trees.entry(server.pid).or_default().sample(server.pid).unwrap_or_default();
        Proc {
            arm,
            instance: server.name.clone(),
            is_server: true,
            components: server.components.clone(),
            state: server.state.to_owned(),
            restarts: server.restarts,
            scraped: true,
            pid: server.pid,
            cpu_ns: tree.usage.cpu_ns,
            cpu_db_ns: if role == ServerRole::Databases { tree.usage.cpu_ns } else { 0 },
            run_queue_ns: tree.usage.run_queue_ns,
            switches: tree.usage.switches,
            threads: tree.usage.threads,
            pss_kib: tree.pss_kib,
            fds: tree.files,
            sockets: tree.sockets,
            db_bytes: server.databases.iter().map(|folder| databases::folder_bytes(folder)).sum(),
            ..Proc::default()
        }
    }

    /// What the kernel accounts to a process.
    fn process_line(&mut self, pid: u32) -> Proc {
        let usage = self.trackers.entry(pid).or_default().sample(pid).unwrap_or_default();
        let (fds, sockets) = usage::descriptors(pid);
        Proc {
            pid,
            cpu_ns: usage.cpu_ns,
            cpu_telemetry_ns: usage.cpu_telemetry_ns,
            cpu_workers_ns: usage.cpu_workers_ns,
            cpu_timer_ns: usage.cpu_timer_ns,
            run_queue_ns: usage.run_queue_ns,
            switches: usage.switches,
            threads: usage.threads,
            pss_kib: usage::pss_kib(pid).unwrap_or(0),
            fds,
            sockets,
            ..Proc::default()
        }
    }

    /// Checkpoints of an instance's databases since the first sample of its process: a log lives longer than that.
    fn checkpoints_of(&mut self, instance: &SampledInstance) -> u64 {
        let now: u64 = instance.databases.iter().map(|database| databases::checkpoints(database)).sum();
        // A log that is made anew counts from 0.
        let before = self.earlier_checkpoints.entry(instance.pid).or_insert(now);
        *before = now.min(*before);
        now - *before
    }

    fn host_line(&mut self, sums: Sums, seconds: f64, now: u64, record: &RecordWriter) {
        let host = host::usage();
        let share =
            |now: u64, before: u64, unit: f64| now.saturating_sub(before) as f64 / unit / seconds * 100.0;
        let all = share(host.busy_ns, self.host.busy_ns, 1e9);
        let accounted = share(sums.spent_since(&self.accounted), 0, 1e9);
        let stall = |now: Option<u64>, before: Option<u64>| Some(share(now?, before?, 1e6).min(100.0));
        record.append_at(
            now,
            Entry::Host(Host {
                cpu_stall: stall(host.cpu_stall_us, self.host.cpu_stall_us),
                io_stall: stall(host.io_stall_us, self.host.io_stall_us),
                memory_available_mib: host.memory_available_mib,
                steal: share(host.steal_ns, self.host.steal_ns, 1e9),
                other_cpu: (all - accounted).max(0.0),
                pss_kib: sums.pss_kib,
                dropped_updates: record.dropped(),
            }),
        );
        self.host = host;
        self.accounted = sums.cpu;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn nothing_is_remembered_of_a_process_that_is_sampled_no_longer() {
        let (record, _folder) = fixture::record();
        let mut sampler = Sampler::new(&record);
        for pid in [1, 2] {
            sampler.trackers.entry(pid).or_default();
            sampler.trees.entry(pid).or_default();
            sampler.earlier_checkpoints.insert(pid, 7);
        }
        sampler.forget_all_but(&CpuByProcess::from([(2, 0)]));
        assert!(sampler.trackers.keys().eq(&[2_u32]) && sampler.trees.keys().eq(&[2_u32]));
        assert!(sampler.earlier_checkpoints.keys().eq(&[2_u32]), "a log of another process counts anew");
    }

    #[test]
    fn cpu_of_a_process_that_ended_hides_none_of_the_others() {
        let sums = |processes: &[(u32, u64)]| {
            let mut sums = Sums::default();
            for (pid, cpu_ns) in processes {
                sums.add(&Proc { pid: *pid, cpu_ns: *cpu_ns, ..Proc::default() });
            }
            sums
        };
        let before = sums(&[(1, 900), (2, 100)]).cpu;
        assert_eq!(sums(&[(1, 950), (2, 130)]).spent_since(&before), 80);
        // Process 1 has ended, and process 3 has begun in its place.
        assert_eq!(sums(&[(1, 0), (2, 130), (3, 20)]).spent_since(&before), 50);
    }
}
