//! A system under load: hosts, processes, components, databases, a network, policies, faults.
//!
//! - [`plan`]: what is simulated, by name. Start here. [`work`]: what an operation does, and its steps.
//! - [`change`]: steps that add, remove and replace copies. [`simulation`]: a plan in motion. [`report`]: what came of it.
//! - Stations: [`cpu`]: cores shared by threads. [`process`]: workers. [`driver`]: which of them reads messages. [`pool`]: slots
//!   and a bounded queue before them. [`database`]: readers, one writer, syncs. [`network`]: links. [`flow`]: Little's law, kept
//!   at each of them.
//! - [`edge`]: the policies between a caller and its callee, which are those of a live run. [`connections`]: those to a copy.
//!   [`frame`]: calls under way.
//! - `system`: a plan with names resolved. `subsets`: who asks whom. `footprint`: what that holds. `source`: arrivals.
//!   [`surcharge`]: what circumstances add to CPU.

pub mod change;
pub mod connections;
pub mod cpu;
pub mod database;
pub mod driver;
pub mod edge;
pub mod flow;
mod footprint;
pub mod frame;
pub mod network;
pub mod plan;
pub mod pool;
pub mod process;
pub mod report;
pub mod simulation;
mod source;
mod stall;
mod subsets;
pub mod surcharge;
mod system;
pub mod work;

pub use change::{
    BuildPlan, ChangeAction, ChangePlan, ChangeWatch, CopiesPlan, CopyWork, Moment, Note, Rollout,
    RolloutOrder,
};
pub use connections::ConnectionLimits;
pub use plan::{
    Arrivals, ComponentPlan, CpuSharing, DatabasePlan, Effect, FaultPlan, HopCosts, HostPlan, Location,
    OperationPlan, Plan, ProcessPlan, QueuePlan, RegistryPlan, SourcePlan,
};
pub use report::Report;
pub use simulation::Simulation;
pub use subsets::SUBSET;
pub use system::PlanError;
pub use work::Work;
