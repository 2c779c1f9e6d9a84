//! A line of the record. Times are nanoseconds since the run's start unless a name says otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::trace::{is_false, is_zero};
use crate::{
    Audit, Build, Check, Cost, Delay, End, Host, Latencies, Machine, Network, Prediction, Prices, Proc,
    Provenance, Resources, Score, Split, Start, Trace, TraceSecond,
};

/// One line of a record, `run.jsonl`: the first is a header, the last an end, and without an end the run was cut short. A
/// later version may add kinds and keys: skip those you do not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// When it was written, ns since the run's start, monotonic.
    pub t: u64,
    /// Its content, by kind.
    #[serde(flatten)]
    pub entry: Entry,
}

/// The kinds of line. What folds of one run keep for long they share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// First line: everything that does not change during the run.
    Header(Box<Header>),
    /// An arm got ready after the header was written, as arms in turns do.
    Start(Start),
    /// A phase began.
    Phase(Phase),
    /// One second of one journey at one arm, as its users saw it.
    Window(Arc<Window>),
    /// One second of one edge.
    Edge(Edge),
    /// One second of one process.
    Proc(Arc<Proc>),
    /// One second of the host and the generator.
    Host(Host),
    /// Something happened.
    Event(Event),
    /// How an expectation stands.
    Check(Check),
    /// A row of the scorecard.
    Score(Box<Score>),
    /// Cumulative cost figures of an arm over a phase.
    Cost(Box<Cost>),
    /// A request that was kept, with its spans.
    Trace(Arc<Trace>),
    /// Where the time of a journey's traces went over a phase.
    Split(Box<Split>),
    /// Where the time of a second's traced requests went, of those whose traces are complete in all arms.
    TraceSecond(Box<TraceSecond>),
    /// How long injected delays took.
    Delay(Delay),
    /// What the audit of acknowledged writes found.
    Audit(Audit),
    /// Last line.
    End(Box<End>),
}

/// One deployment being compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Arm {
    /// `A`, `B`, ...: how views call it.
    pub letter: char,
    /// `mono`, `micro`, or `topology/variant`.
    pub name: String,
    /// Its topology.
    pub topology: String,
    /// Its variant; empty without one.
    pub variant: String,
    /// Its instances as planned; `processes` counts them.
    pub instances: Vec<Instance>,
    /// Edges that are function calls here, `caller->callee`: policies and edge faults do not apply.
    pub local_edges: Vec<String>,
    /// Edges that cross processes, `caller->callee`.
    pub remote_edges: Vec<String>,
    /// What holds on each of them, with every blank filled in.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub policies: BTreeMap<String, serde_json::Value>,
    /// What is declared to lie between its processes; loopback alone where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Databases it keeps.
    pub databases: u32,
    /// Servers of databases and of events it has; none where its databases are files and its events pulled.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub servers: u32,
    /// Ports that these listen on: a broker has one, a server of databases that the lab starts a socket.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub server_ports: u32,
    /// Copies that make a backup of all its data: one of each database in files, one of each server of databases. 0 where it has no
    /// server.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub backups: u32,
    /// How long its servers took until all accepted connections and had their databases, still empty, ms; 0 where the lab started none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub server_ready_ms: u64,
    /// Whether the components of one process keep their data in several databases.
    #[serde(default, skip_serializing_if = "is_false")]
    pub store_per_component: bool,
    /// Keys in its nodes' configuration.
    pub config_keys: u32,
    /// From its first process to all serving, ms.
    pub ready_ms: u64,
    /// What its processes were given; `None` in records that do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Builds of the change that is deployed, before the load; absent where none is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub builds: Vec<Build>,
}

/// A running copy of a process; in a simulated run at a size of its own, all copies of a process in a zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Instance {
    /// `feed#0`, `app#2`; `feed@a` for those of zone `a`.
    pub name: String,
    /// How many copies it stands for.
    #[serde(default = "Instance::one", skip_serializing_if = "Instance::is_one")]
    pub copies: u32,
    /// Components inside, door and registry included.
    pub hosts: Vec<String>,
    /// Its internal port.
    pub port: u16,
    /// Port of the public URL, if it serves that.
    pub public_port: Option<u16>,
}

impl Arm {
    /// How many processes it is made of.
    pub fn processes(&self) -> usize {
        self.instances.iter().map(|instance| instance.copies as usize).sum()
    }
}

impl Instance {
    /// The name that its copies have in common: `feed` of `feed#0` and of `feed@a`.
    pub fn process(&self) -> &str {
        process_of(&self.name)
    }

    const fn one() -> u32 {
        1
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    const fn is_one(copies: &u32) -> bool {
        *copies == 1
    }
}

/// The process of an instance's name: `feed` of `feed#0` and of `feed@a`.
pub fn process_of(instance: &str) -> &str {
    instance.split(['#', '@']).next().unwrap_or(instance)
}

/// The plan of a phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhasePlan {
    /// Its name.
    pub name: String,
    /// Start, ns since the load's start.
    pub start_ns: u64,
    /// Length, ns.
    pub length_ns: u64,
    /// Whether its windows count.
    pub measure: bool,
}

/// A journey of the mix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JourneyPlan {
    /// Its name: `home-feed`.
    pub name: String,
    /// Components it needs.
    pub needs: Vec<String>,
    /// Group names it answers to: `feed` for `home-feed` and `next-page`.
    pub groups: Vec<String>,
}

/// A planned step of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepPlan {
    /// Event number, from 1, the same in every view.
    pub number: u32,
    /// The step's id, or its kind.
    pub id: String,
    /// What it does, in a few words: `delay follower +150ms`.
    pub text: String,
    /// Components it hits; empty for steps that hit none.
    pub hits: Vec<String>,
    /// Start, ns since the load's start.
    pub start_ns: u64,
    /// Length, ns; 0 for one-shot steps.
    pub length_ns: u64,
    /// Whether something goes wrong, rather than being done on purpose.
    #[serde(default = "yes")]
    pub is_fault: bool,
    /// The build that it deploys; none for other steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// Where an arm has no such target: letter to reason.
    pub not_applicable: BTreeMap<char, String>,
}

const fn yes() -> bool {
    true
}

/// An expectation as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectationPlan {
    /// Index among all.
    pub id: u32,
    /// `valid` or `check`.
    pub list: String,
    /// Its text.
    pub text: String,
    /// Why it should hold; empty without.
    pub why: String,
    /// Line in the scenario file.
    pub line: u32,
}

/// Everything that does not change during the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// Major version of the format: refuse any other.
    #[schemars(range(min = crate::OLDEST_VERSION, max = crate::SCHEMA_VERSION))]
    pub schema_version: u32,
    /// Whether the figures were measured or simulated.
    #[serde(default, skip_serializing_if = "Provenance::is_live")]
    pub source: Provenance,
    /// What stands behind simulated figures; in a live record, what was predicted of it before its first arrival. Absent
    /// without a prediction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Prediction>,
    /// Names the run and its folder.
    pub run_id: String,
    /// The scenario's name.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// Its claim.
    pub why: String,
    /// Its whole text.
    pub scenario_text: String,
    /// The seed used.
    pub seed: u64,
    /// Version of Cleave, with the commit it was built from: `0.1.0+3f2a9c41d07b`, `.dirty` with changes.
    pub version: String,
    /// Command line.
    pub command: Vec<String>,
    /// What its user calls the run, to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Wall clock at t = 0, microseconds since the Unix epoch; the only wall time.
    pub wall_us: i64,
    /// `side by side` or `interleaved`.
    pub way: String,
    /// Rounds of an interleaved run; 1 side by side.
    pub rounds: u32,
    /// The machine.
    pub machine: Machine,
    /// The arms, A first.
    pub arms: Vec<Arm>,
    /// Letter of the arm that the others are compared with; the first where it is not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<char>,
    /// The phases, in order.
    pub phases: Vec<PhasePlan>,
    /// Rates a search for capacity may go on to, each only while an arm carries those before; absent without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<PhasePlan>,
    /// The journeys of the mix.
    pub journeys: Vec<JourneyPlan>,
    /// The steps, in order of their numbers.
    pub steps: Vec<StepPlan>,
    /// The expectations.
    pub expectations: Vec<ExpectationPlan>,
    /// Digest of the schedules of all rounds; each was offered to every arm.
    pub schedule_digest: String,
    /// Arrivals planned per arm, over all rounds; 0 in a closed loop.
    pub planned: u64,
    /// Arrivals planned per arm in measured phases, round by round; empty in a closed loop, and in records that do not have it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub planned_measured: Vec<u64>,
    /// An ok answer later than this is not good, microseconds.
    pub good_within_us: u64,
    /// A user gives up after this, microseconds: what was not answered by then took longer. 0 in records that do not have it.
    #[serde(default)]
    pub timeout_us: u64,
    /// An acknowledged write is looked for this long elsewhere, microseconds.
    #[serde(default)]
    pub probe_us: u64,
    /// When the load starts, ns since the run's start.
    pub load_start_ns: u64,
    /// Milliseconds from the program's start until every arm served.
    pub ready_ms: u64,
    /// Telemetry level in words.
    pub telemetry: String,
    /// Host and port of the user's collector, which spans are sent on to; absent where there is none, and in records that
    /// do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collector: Option<String>,
    /// Memory all processes of an arm may hold together, bytes.
    #[serde(default)]
    pub budget_memory: Option<u64>,
    /// Whether users wait for answers before they come again.
    #[serde(default)]
    pub closed: bool,
    /// Zipf exponents of readers and photos.
    #[serde(default)]
    pub popularity: (f64, f64),
    /// Whether the scenario knows a monolith with copies, run or not.
    #[serde(default = "yes")]
    pub has_copies: bool,
    /// Arms of the scenario that are a monolith with copies, run or not, by their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<String>,
    /// Whether arrivals that find no slot are dropped by design.
    #[serde(default)]
    pub drops: bool,
    /// Phases in which more is offered than the arms can do, on purpose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overloaded: Vec<String>,
    /// Slots of the generator per arm, and how many its peak needs by Little's law.
    #[serde(default)]
    pub slots: (usize, usize),
    /// What the scenario assumes that computing and engineers' time cost; absent where it prices nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<Prices>,
}

/// A phase began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    /// Index into the header's phases.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Round, from 1.
    pub round: u32,
    /// Arm letters it concerns; empty for all.
    pub arms: String,
}

/// Failed requests by cause.
pub type Errors = BTreeMap<String, u64>;

/// One second of one journey at one arm, by the second its arrivals were *due*.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Window {
    /// Arm letter.
    pub arm: char,
    /// Round, from 1.
    pub round: u32,
    /// Journey name.
    pub journey: String,
    /// The second, since the load's start.
    pub second: u32,
    /// Arrivals due.
    pub offered: u64,
    /// Sent.
    pub sent: u64,
    /// Answered as asked, content checked.
    pub ok: u64,
    /// Ok, and within the time a user waits.
    pub good: u64,
    /// Failed, by cause: connect, timeout, reset, status_5xx, status_4xx, body, check.
    pub errors: Errors,
    /// No free slot, or the queue was full.
    pub dropped: u64,
    /// Left behind when the run was cut short.
    pub abandoned: u64,
    /// Pages asked for.
    pub pages: u64,
    /// Empty ones among them.
    pub empty_pages: u64,
    /// Bytes of answers read.
    pub bytes: u64,
    /// Ok answers, counted from when they were due, microseconds.
    pub intended: Latencies,
    /// Ok answers, from the send, microseconds.
    pub service: Latencies,
    /// Failed ones, counted from when they were due, microseconds.
    pub failed: Latencies,
    /// Due to handed over: the generator's own lateness, microseconds.
    pub pace_lag: Latencies,
    /// Handed over to sent, while a slot was idle: the generator's too.
    pub own_wait: Latencies,
    /// Handed over to sent, all slots busy: the arm's doing.
    pub slot_wait: Latencies,
    /// A write acknowledged until seen elsewhere, microseconds.
    pub staleness: Latencies,
    /// Journeys that ended in this second, whenever they were due, ok or failed: what the CPU of a second is shared among.
    /// `None` in records of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<u64>,
    /// Reads that should have seen an acknowledged write.
    pub probes: u64,
    /// How many of them did not.
    pub stale: u64,
    /// Acknowledged writes that were not seen elsewhere for as long as they were looked for.
    #[serde(default)]
    pub unseen: u64,
    /// No answer can change it any more; until then the same window may come again.
    #[serde(rename = "final")]
    pub closed: bool,
}

impl Window {
    /// Whether every arrival has come to an end.
    pub fn is_accounted_for(&self) -> bool {
        let failed: u64 = self.errors.values().sum();
        self.offered == self.ok + failed + self.dropped + self.abandoned
    }
}

/// One second of one edge, from its caller's metrics.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Edge {
    /// Arm letter.
    pub arm: char,
    /// `client`, `gateway` or a component.
    pub caller: String,
    /// Component.
    pub callee: String,
    /// Function call here.
    pub local: bool,
    /// Logical calls per second.
    pub effective_rps: f64,
    /// Tries per second.
    pub actual_rps: f64,
    /// Failed tries per second.
    pub errors_rps: f64,
    /// Retries per second.
    pub retries_rps: f64,
    /// Median, ms, from buckets; `None` without traffic.
    pub p50_ms: Option<f64>,
    /// 99th percentile, ms, from buckets.
    pub p99_ms: Option<f64>,
    /// 0 closed, 1 half-open, 2 open.
    pub breaker: u8,
    /// Waiting for a connection or a place.
    pub queue: u64,
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum EventKind {
    /// A step injected or ended something.
    Fault,
    /// An instance went down or came up.
    Health,
    /// A breaker changed.
    Break,
    /// Copies were added or removed.
    Scale,
    /// A version was rolled out.
    Deploy,
    /// An expectation changed its standing.
    Check,
    /// Anything else worth a line.
    Log,
}

/// Something happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// The step's number, 0 where none belongs to it.
    pub number: u32,
    /// Kind.
    pub what: EventKind,
    /// Begins or ends a lasting fault; `None` for moments.
    pub active: Option<bool>,
    /// Where a step of several parts stands, for one arm: `began`, `canary`, `detected`,
    /// `rolled-back`, `done`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<(char, String)>,
    /// Per arm letter: what it hit, or why it could not.
    pub targets: BTreeMap<char, String>,
    /// A sentence.
    pub text: String,
}
