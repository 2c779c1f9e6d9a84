//! How calls behave, whatever carries them, and what happens when the other side does not.

mod carriers;
mod control;
mod drain;
mod hostile;
mod network;
mod pair;
mod pool;
mod server_stack;
mod stack;
