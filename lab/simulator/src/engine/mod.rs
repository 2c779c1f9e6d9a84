//! Events in one total order, on integer nanoseconds.
//!
//! - [`key`]: an event as one integer. Start here.
//! - [`scheduler`]: virtual time, and the events to come.
//! - [`queue`]: what a queue of events must do, and the reference, a binary heap. [`wheel`]: the timing wheel, the
//!   default. [`radix`]: the radix heap, for very many. [`adaptive`]: the one or the other.
//! - [`timers`]: timeouts of one length, outside the queue. [`slab`]: entries whose handles go stale.
//! - [`random`]: streams by name, and draws by request.
//!
//! Results do not depend on the queue: each hands out keys in the same order.

pub mod adaptive;
pub mod key;
pub mod queue;
pub mod radix;
pub mod random;
pub mod scheduler;
pub mod slab;
pub mod timers;
pub mod wheel;

pub use adaptive::AdaptiveQueue;
pub use key::{Event, Key};
pub use queue::{EventQueue, HeapQueue};
pub use radix::RadixQueue;
pub use random::{Draws, Rng};
pub use scheduler::Scheduler;
pub use slab::{Handle, Slab};
pub use timers::Timers;
pub use wheel::WheelQueue;
