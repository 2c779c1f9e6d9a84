//! Where the time of requests went, from their traces: pure, so that tests need no collector.
//!
//! - [`observed`]: a span as it arrives, and a journey as the load generator saw it. Start here.
//! - [`tree`]: the spans of one journey, clipped to their parents, each with its class and place.
//! - [`path`]: the critical path: segments that fill the root without gap or overlap.
//! - [`split`]: the segments of all traces of a journey, arm and phase, added up.
//! - `pairs`: the same requests in all arms, second by second.
//! - [`gather`]: spans come late and out of order; which requests are kept.

pub mod gather;
pub mod observed;
mod pairs;
pub mod path;
pub mod split;
pub mod tree;

pub use gather::{Gatherer, SLOWEST_KEPT};
pub use observed::{Journey, Kind, ReceivedSpan};
