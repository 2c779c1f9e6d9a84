//! What is simulated, by name. The order in which anything is declared has no effect.

use std::collections::BTreeMap;

use fault::{CallFault, ProcessFault};
use policy::service::ServiceOptions;
use policy::units::Ratio;
use policy::{EdgePattern, Policy};

use super::change::{ChangePlan, CopiesPlan};
use super::connections::ConnectionLimits;
use super::network::Link;
use super::work::Work;
use crate::analytic::markov::Mmpp2;
use crate::dist::Distribution;

/// A system and its load.
#[derive(Debug, Default)]
pub struct Plan {
    /// Machines.
    pub hosts: Vec<HostPlan>,
    /// Running programs, each on a host.
    pub processes: Vec<ProcessPlan>,
    /// What processes hold.
    pub components: Vec<ComponentPlan>,
    /// Where components keep their data.
    pub databases: Vec<DatabasePlan>,
    /// Policies of edges, as in a scenario.
    pub policies: Vec<(EdgePattern, Policy)>,
    /// The network between processes of one host.
    pub loopback: Link,
    /// The network between hosts, of one zone where they stand in any.
    pub network: Link,
    /// The network between zones of a region.
    pub between_zones: Link,
    /// The network between regions.
    pub between_regions: Link,
    /// Where hosts stand, by name. One that is left out is no further from the others than these are within a zone.
    pub locations: BTreeMap<String, Location>,
    /// Who asks for what, and when.
    pub sources: Vec<SourcePlan>,
    /// What is injected.
    pub faults: Vec<FaultPlan>,
    /// Processes whose copies steps change.
    pub copies: Vec<CopiesPlan>,
    /// What these steps do.
    pub changes: Vec<ChangePlan>,
    /// Who is where. What none of them lists is asked whether it is there or not.
    pub registries: Vec<RegistryPlan>,
    /// Connections of a component to a copy that it calls, where there is a limit. Sources have as many as they need.
    pub connections: Option<ConnectionLimits>,
    /// Answers within so many ns are good. Where it is set, the report has what came of the requests of each second.
    pub good_within_ns: Option<u64>,
}

/// How the threads of a host share its cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CpuSharing {
    /// First come, first served: a thread keeps its core until it blocks.
    #[default]
    Fcfs,
    /// In turn, each for so long (ns) while others wait: two levels together with the ready queues of processes.
    Quantum(u64),
    /// Evenly at every moment: the limit of a short quantum (processor sharing).
    Shared,
}

/// A machine.
#[derive(Clone, Debug)]
pub struct HostPlan {
    /// Its name.
    pub name: String,
    /// Its cores.
    pub cores: u32,
    /// How they are shared.
    pub sharing: CpuSharing,
    /// By how much each other runnable thread slows one down that starts: caches and memory are shared as well.
    pub contention: f64,
}

/// Where a host stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The region.
    pub region: String,
    /// The zone, of a name that no other region has.
    pub zone: String,
}

/// CPU that messages cost, ns. A hop costs more where it wakes an idle process, or finds a cold one, so its cost falls with the
/// load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HopCosts {
    /// To send a call.
    pub send: u64,
    /// To receive and parse one.
    pub receive: u64,
    /// To send an answer.
    pub reply: u64,
    /// To receive an answer.
    pub receive_reply: u64,
    /// More for a message that finds the process idle.
    pub wake: u64,
    /// A call within the process.
    pub local: u64,
    /// Of watching a call that is sent, and of watching one that is received. One within the process is watched once.
    pub span: u64,
    /// By how much more CPU, in thousandths, a call takes that reaches a cold process: its code and data are in no cache.
    pub cold_permille: u64,
    /// How long after its last call a process is cold, ns; it cools evenly. 0 where it never does.
    pub cooling_ns: u64,
}

/// A running program.
#[derive(Clone, Debug)]
pub struct ProcessPlan {
    /// Its name: `feed#0`.
    pub name: String,
    /// Where it runs.
    pub host: String,
    /// Threads that serve calls.
    pub workers: u32,
    /// Threads for blocking work.
    pub blocking: u32,
    /// Whether the threads that serve calls read messages as tokio's do: one waits for them, and works off what it has read.
    /// Else a message finds a thread as soon as one is free.
    pub has_driver: bool,
    /// The components it holds: calls between them stay inside.
    pub components: Vec<String>,
    /// What its messages cost.
    pub costs: HopCosts,
    /// How long an idle process takes to begin, beyond the CPU of [`HopCosts::wake`].
    pub wake: Distribution,
}

/// In which order calls that wait for a slot get one, and which is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueuePlan {
    /// First come, first served; a call that finds the queue full is refused.
    #[default]
    Fifo,
    /// Last come, first served; the oldest is refused where the queue is full.
    Lifo,
    /// First come, first served; the oldest is refused where the queue is full.
    DropOldest,
    /// First come, first served; calls are dropped while the queue stands ([`policy::admission`]). Times in ns.
    Standing {
        /// Waits up to this are fine.
        target_ns: u64,
        /// How long they may be longer.
        interval_ns: u64,
    },
}

/// What processes hold.
#[derive(Clone, Debug)]
pub struct ComponentPlan {
    /// Its name.
    pub name: String,
    /// Slots, queue and declared work. A cache and its store are not simulated.
    pub options: ServiceOptions,
    /// How calls wait for a slot.
    pub queue: QueuePlan,
    /// What it can be asked.
    pub operations: Vec<OperationPlan>,
}

/// What a component can be asked.
#[derive(Clone, Debug)]
pub struct OperationPlan {
    /// Its name.
    pub name: String,
    /// What is done.
    pub work: Work,
    /// Whether it may be done twice.
    pub is_idempotent: bool,
}

/// Where components keep their data.
#[derive(Clone, Debug)]
pub struct DatabasePlan {
    /// Its name.
    pub name: String,
    /// Whose data it keeps.
    pub components: Vec<String>,
    /// Parts of its data, each with connections and a device of its own, at least one: copies of a component are dealt out to
    /// them.
    pub shards: u32,
    /// Connections that read; one writes.
    pub readers: u32,
    /// How long a sync takes.
    pub sync: Distribution,
    /// Whether commits that wait for a sync share the next one; otherwise each has one of its own, under the writer's lock.
    pub group_commit: bool,
    /// Commits from one checkpoint to the next; 0 for none.
    pub checkpoint_every: u32,
    /// How much longer the sync takes that makes a checkpoint.
    pub checkpoint: Distribution,
}

/// When requests come.
#[derive(Clone)]
pub enum Arrivals {
    /// Independent of each other, so many a second.
    Poisson(f64),
    /// Evenly spaced, so many a second.
    Constant(f64),
    /// In bursts: rates a second.
    Bursts(Mmpp2),
    /// From users who wait for an answer and think before they ask again.
    Closed {
        /// How many.
        users: u32,
        /// How long they think.
        think: Distribution,
    },
    /// Those of a scenario's load: the same times and journeys as in a live run of the seed. Operations are named like
    /// journeys; journeys that are not among them are left out.
    Schedule(Box<traffic::Schedule>),
}

impl std::fmt::Debug for Arrivals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Poisson(rate) => write!(f, "Poisson({rate}/s)"),
            Self::Constant(rate) => write!(f, "Constant({rate}/s)"),
            Self::Bursts(bursts) => write!(f, "Bursts({bursts:?})"),
            Self::Closed { users, think } => write!(f, "Closed({users} users, {think:?})"),
            Self::Schedule(_) => f.write_str("Schedule"),
        }
    }
}

/// Who asks for what, and when.
#[derive(Clone, Debug)]
pub struct SourcePlan {
    /// Its name; random numbers hang on it.
    pub name: String,
    /// The component that stands for the clients: it sends the calls, and its slots are the requests that may be under way.
    pub client: String,
    /// Its operations and their weights. Of a schedule, only the names count.
    pub operations: Vec<(String, f64)>,
    /// When requests come.
    pub arrivals: Arrivals,
    /// None come after this, ns.
    pub until_ns: u64,
    /// After so long a client gives up; [`Distribution::ZERO`] for never.
    pub patience: Distribution,
    /// Completions that come before this, ns, are not in the report's totals.
    pub warm_up_ns: u64,
}

/// A registry: processes of it that die or stand still are not asked any more once their lease has lapsed, until they are back
/// ([`policy::lease`]).
#[derive(Clone, Debug)]
pub struct RegistryPlan {
    /// The process that it is in. While that is down nothing changes.
    pub process: String,
    /// The processes that it lists.
    pub members: Vec<String>,
    /// How long a change takes to the callers, ns: the same for all of them.
    pub watch_ns: u64,
}

/// Something injected for a time.
#[derive(Clone, Debug)]
pub struct FaultPlan {
    /// Its name; its dice hang on it.
    pub name: String,
    /// When it begins, ns.
    pub start_ns: u64,
    /// When it ends, ns; it always does.
    pub end_ns: u64,
    /// What it does.
    pub effect: Effect,
}

/// What a fault acts on.
#[derive(Clone, Debug)]
pub enum Effect {
    /// A share of the calls of an edge, on the caller's side, below its policies.
    Edge(EdgePattern, Ratio, CallFault),
    /// A share of the calls to a component, on its side, while they hold a slot.
    Component(String, Ratio, CallFault),
    /// Processes, all at once: killed (with a time, and started again so long after), or paused.
    Processes(Vec<String>, ProcessFault),
}
