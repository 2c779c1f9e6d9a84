//! How calls travel: as a function, encoded in place, or over HTTP, behind one list of layers.
//!
//! - [`call_router`]: finds the answer to a call; the way into everything below.
//! - [`carrier`]: the ways a call can go: [`carrier::local`], [`carrier::wire`],
//!   [`carrier::remote`]; [`carrier::http`] is one try at one endpoint.
//! - [`stack`]: the one stack of layers of every edge, the gateway's too; a file each below.
//! - [`edge`]: what the layers of one caller and callee share: policy, breaker, budget, metrics.
//! - [`inbound_calls`]: `POST /call/{name}`, where remote calls arrive; `call_route`: as bytes. [`server_layer`]: the same
//!   for public routes.
//! - [`cluster`]: the copies of a component and the one to ask. [`attempt`]: one try at one of them; `attempt_error`: how
//!   it fails.
//! - [`network`]: the declared round trip between two processes.
//! - [`pool`]: connections to one copy; [`http2`]: connections that calls to it share. [`serve`]: the accept loop, and its end; [`peer`], `connections`: who is connected;
//!   `paced_io`: how slowly answers may be taken; [`body_budget`], [`byte_budget`], `held_body`: how many bytes of them are held;
//!   `http2_preface`: how HTTP/2 is recognised; `alarm`: timeouts that are renewed with every message. Pool and loop ask
//!   `probe` where a connection must not be taken for what it no longer is.
//!   `tls`: certificates and handshakes, with the feature of that name.
//! - [`body`], [`sized_body`], [`headers`], [`refusal_response`], [`codec`]: what is on the wire. [`sanitize`]: what may pass on.
//! - [`fault_injection`]: where faults act. [`control`]: where the lab puts them.
//!
//! Start with [`call_router::CallRouter::ask`]. The gateway uses [`stack`] and what is
//! below it without the call router.

mod alarm;
pub mod attempt;
mod attempt_error;
pub mod body;
pub mod body_budget;
pub mod byte_budget;
mod call_route;
pub mod call_router;
pub mod carrier;
pub mod cluster;
pub mod codec;
mod connections;
pub mod control;
mod deadline;
pub mod edge;
pub mod fault_injection;
pub mod headers;
mod held_body;
pub mod http2;
mod http2_preface;
pub mod inbound_calls;
pub mod network;
mod paced_io;
pub mod peer;
pub mod pool;
mod probe;
pub mod refusal_response;
pub mod sanitize;
pub mod serve;
pub mod server_layer;
mod server_stack;
pub mod sized_body;
pub mod stack;
#[cfg(feature = "tls")]
pub mod tls;

pub use body::{Body, BodyError};
pub use call_router::{CallRouter, CallRouterOptions};
pub use cluster::{Cluster, Clusters, Endpoint, Instance};
pub use network::Network;
pub use peer::Peer;
pub use sized_body::SizedBody;
