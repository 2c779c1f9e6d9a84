//! Steps that add, remove and replace copies of processes: what is planned, and what they report.

use std::collections::BTreeMap;

use fault::CallFault;
use policy::AutoscaleOptions;
use policy::units::Ratio;

/// The copies of a process, those included that steps may add.
#[derive(Clone, Debug)]
pub struct CopiesPlan {
    /// The process: `feed`.
    pub name: String,
    /// Its copies by number, processes of the plan: `feed#0`.
    pub copies: Vec<String>,
    /// How many of them there are at first; the others come with steps.
    pub first: u32,
    /// From the start of a copy until it serves, ns.
    pub start_ns: u64,
    /// Whether its port is known beforehand: it has one copy, which is replaced in place, and needs no registry for it.
    pub has_one_port: bool,
}

/// A step that changes copies.
#[derive(Clone, Debug)]
pub struct ChangePlan {
    /// Its name; its dice hang on it.
    pub name: String,
    /// When it begins, ns.
    pub start_ns: u64,
    /// When it ends where it lasts, ns.
    pub end_ns: u64,
    /// The processes whose copies it changes, by the names of their [`CopiesPlan`], in their order.
    pub copies: Vec<String>,
    /// What it does.
    pub action: ChangeAction,
}

/// What is done to copies.
#[derive(Clone, Debug)]
pub enum ChangeAction {
    /// Copies are added until there are so many, or the newest drain away, one after another.
    Scale(u32),
    /// Copies come and go by what these components of a process serve, or by its CPU ([`policy::autoscale`]).
    Autoscale(AutoscaleOptions, Vec<String>),
    /// Another build takes over.
    Deploy(BuildPlan, Rollout),
    /// What the deploy of this name replaced takes over again.
    RollBack(String),
    /// These copies drain away, one after another.
    Drain(Vec<String>),
    /// These end and start again, one after another.
    Restart(Vec<String>),
    /// These end within so many ns, all at once, and stay down.
    Stop(Vec<String>, u64),
}

/// A build: the same program, perhaps with a defect.
#[derive(Clone, Debug, Default)]
pub struct BuildPlan {
    /// Its name.
    pub name: String,
    /// What happens to a share of the calls of a component in its copies, or of all where none is named.
    pub defect: Option<(Option<String>, Ratio, CallFault)>,
    /// Whether a process is left alone whose copies run it already.
    pub is_deployed_once: bool,
}

/// How a build takes over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rollout {
    /// In which order copies are replaced. One that has a port of its own is replaced in place, whatever the order.
    pub order: RolloutOrder,
    /// How long what is new is watched, ns.
    pub watched_ns: u64,
    /// Whether a condition decides over it: then it is watched also where it is everywhere at once, and goes on once it is known
    /// whether the condition holds.
    pub is_judged: bool,
    /// Whether what it deploys is taken back where the condition does not hold.
    pub rolls_back: bool,
}

/// In which order copies are replaced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RolloutOrder {
    /// Copy by copy: a new one serves before an old one drains.
    Rolling,
    /// A whole new set serves before the old one drains, which it does all at once.
    BlueGreen,
    /// Each copy ends and comes back in its place: there is a gap.
    InPlace,
    /// One new copy gets this share of requests (0 to 1) while it is watched, then all are replaced copy by copy.
    Canary(f64),
}

/// A change that waits for whether what it deployed passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeWatch {
    /// The change.
    pub change: String,
    /// Since when it is watched, ns.
    pub since_ns: u64,
    /// When the watch is over, ns.
    pub until_ns: u64,
}

/// What a copy did so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyWork {
    /// Calls that it served, and of them those whose caller had given up, by component and operation.
    pub operations: BTreeMap<String, [u64; 2]>,
    /// Tries that it sent.
    pub tries: u64,
}

/// Where a change stands at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// When, ns.
    pub at_ns: u64,
    /// The change.
    pub change: String,
    /// Where it stands.
    pub moment: Moment,
}

/// Where a change stands. Names are those of the plan.
#[derive(Clone, Debug, PartialEq)]
pub enum Moment {
    /// It begins.
    Began,
    /// The copies of a process become more or fewer; where an autoscaler wants it so, for what all of them do, in the unit of its
    /// target.
    Resizing {
        /// The process.
        process: String,
        /// Copies there are.
        from: u32,
        /// Copies there will be.
        to: u32,
        /// What they do together.
        total: Option<f64>,
    },
    /// So many serve.
    Resized {
        /// The process.
        process: String,
        /// Copies.
        to: u32,
    },
    /// A process cannot be copied.
    HasOnePort(String),
    /// A process runs the build already.
    Unchanged(String),
    /// A copy is the canary.
    Canary(String),
    /// The canary's build takes over.
    Promoted,
    /// The condition of its build does not hold.
    Detected,
    /// What it deployed is replaced again.
    RolledBack,
    /// A copy drains.
    Draining(String),
    /// It has left.
    Left(String),
    /// All of it is done.
    Over,
}
