//! Policies without a clock, IO or global randomness.
//!
//! - [`edge`]: the policy of an edge as a scenario writes it. Start here. [`edge_pattern`]: which edges it is for.
//! - [`retry`], [`budget`]: whether a failed try is made again, and what pays for it.
//! - [`breaker`], [`bulkhead`]: when an edge is left alone, how many calls it may have.
//!   [`adaptive_concurrency`]: the same from how long they take.
//! - [`hedge`]: a second try against a slow first. [`throttle`]: calls held back.
//! - [`deadline`]: arithmetic of remaining time. [`drain`]: how long a process takes to leave.
//! - [`balance`], `bounded_hash`, [`outlier`]: which copy is asked, which is taken out.
//! - [`admission`]: how many may come in. [`client`]: how many of one client.
//!   [`mod@client_network`]: which addresses are one. [`gcra`]: how often one may.
//! - [`pace`]: how slowly bytes may come and go. [`bodies`]: how many are held.
//! - [`autoscale`]: how many copies there should be.
//! - [`connections`]: how many a caller has to an endpoint. [`lease`]: when the registry leaves a process alone.
//! - [`network`]: the round trip between processes. [`restart`]: when a process that dies is started again.
//! - [`service`]: slots, queue and work of a component, as a scenario declares them.
//! - [`units`]: quantities as a scenario writes them.
//!
//! Times are nanoseconds given by the caller, random bits come from the caller.

pub mod adaptive_concurrency;
pub mod admission;
pub mod autoscale;
pub mod balance;
pub mod bodies;
mod bounded_hash;
pub mod breaker;
pub mod budget;
pub mod bulkhead;
pub mod client;
pub mod client_network;
pub mod connections;
pub mod deadline;
pub mod drain;
pub mod edge;
pub mod edge_pattern;
pub mod gcra;
pub mod hedge;
pub mod lease;
pub mod network;
pub mod outlier;
pub mod pace;
pub mod restart;
pub mod retry;
pub mod service;
pub mod throttle;
pub mod units;

pub use autoscale::{AutoscaleOptions, Autoscaler};
pub use balance::{Balance, EndpointLoad, Picker};
pub use bodies::{BodyLimits, BodyOptions};
pub use client::{ClientLimits, ClientOptions};
pub use client_network::client_network;
pub use edge::{Cancellation, EffectivePolicy, Policy, for_edge};
pub use edge_pattern::EdgePattern;
pub use network::NetworkOptions;
pub use pace::MinimumRate;
pub use restart::RestartBackoff;
pub use service::ServiceOptions;
