//! How calls travel: as a function, encoded in place, or over HTTP, behind one list of layers.
//!
//! - [`switchboard`]: who answers what, from here; the way into everything below.
//! - [`carrier`]: the ways a call can go: [`carrier::local`], [`carrier::wire`], [`carrier::http`].
//! - [`stack`]: the one list of layers of a remote call; a file each below.
//! - [`edge`]: what the layers of one caller and callee share: policy, breaker, budget, metrics.
//! - [`calls`]: `POST /call/{name}`, where remote calls arrive. [`door`]: the same for public routes.
//! - [`cluster`]: the copies of a component and the one to ask. [`attempt`]: one try at one of them.
//! - [`pool`]: connections to one copy. [`serve`]: the accept loop, and its end. Both ask `probe` where a
//!   connection must not be taken for what it no longer is.
//! - [`body`], [`headers`], [`refused`], [`codec`]: what is on the wire. [`sanitize`]: what may pass on.
//! - [`injury`]: where faults bite. [`control`]: where the lab puts them.
//!
//! Start with [`switchboard::Switchboard::ask`]. The gateway uses the lower half without the switchboard.

pub mod attempt;
pub mod body;
pub mod calls;
pub mod carrier;
pub mod cluster;
pub mod codec;
pub mod control;
pub mod door;
pub mod edge;
pub mod headers;
pub mod injury;
pub mod pool;
mod probe;
pub mod refused;
pub mod sanitize;
pub mod serve;
mod shape;
pub mod stack;
pub mod switchboard;

pub use body::{Body, BodyError};
pub use cluster::{Cluster, Clusters, Endpoint, Instance};
pub use switchboard::{Switchboard, SwitchboardOptions};
