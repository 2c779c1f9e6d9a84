//! How calls behave, whatever carries them, and what happens when the other side does not.

mod carriers;
mod control;
mod drain;
mod frames;
mod hostile;
mod hostile_streams;
mod late;
mod multiplexed;
mod network;
mod pair;
mod pool;
mod server_stack;
mod stack;
#[cfg(feature = "tls")]
mod tls;
