//! What is written each second, and where it is written.
//!
//! - [`record_writer`]: the record's file, its subscribers, and the model that judges. Start here.
//! - [`sampling`]: what processes, edges and the host did, once a second. [`totals`]: what an arm used by a moment.
//! - `node_metrics`: what a node exposes. [`exposition`]: the text format it comes in. `edges`: all copies of a caller as
//!   one edge. `databases`: what their files show.
//! - [`collector`]: spans of all nodes, assembled to requests.
//! - `heap`: the lab's own memory, given back.
//! - [`metrics_endpoint`], [`scrape_targets`]: a run as Prometheus sees it.

pub mod collector;
mod databases;
mod edges;
pub mod exposition;
pub(crate) mod heap;
pub mod metrics_endpoint;
mod node_metrics;
pub mod record_writer;
pub mod sampling;
pub mod scrape_targets;
pub mod totals;
