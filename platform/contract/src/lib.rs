//! What two components promise each other: a call, its answer, its refusal, and what travels with it.
//!
//! - [`call`]: a call is a struct, an answer is a trait; the local answer is the service itself.
//! - [`context`]: what travels down with a call: deadline, trace, principal, idempotency key.
//! - [`refusal`]: the one error type between components, with a stable code and a sentence.
//! - [`event`]: what a component publishes after the fact.
//! - [`hash`]: the hash of ids, seeded draws, fingerprints and checksums.
//! - [`id`]: identifiers that cannot be mixed up.
//! - [`placement`]: which component lives in which process. [`resources`]: what each process is given. [`store`]: what
//!   keeps its data. [`broker`]: what carries events between processes.
//! - [`name`]: the name of a component.
//! - [`token`]: the run's token, and the one check of it.
//!
//! Start with [`call::Call`]. Nothing here knows a clock, a socket or a runtime.

pub mod broker;
pub mod call;
pub mod context;
pub mod event;
pub mod hash;
pub mod id;
pub mod name;
pub mod placement;
mod process_plan;
pub mod refusal;
pub mod resources;
mod restart;
mod servers;
pub mod store;
pub mod token;

pub use call::{Answer, Call, Pending, Repeat};
pub use context::{CallContext, Deadline, TraceContext};
pub use event::{Envelope, Event, Topic};
pub use id::{Id, Principal};
pub use name::ComponentName;
pub use placement::{Carrier, Placement, ProcessPlan};
pub use refusal::{Refusal, RefusalKind};
pub use token::is_run_token;
