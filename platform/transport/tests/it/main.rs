//! How calls behave, whatever carries them, and what happens when the other side does not.

mod carriers;
mod control;
mod drain;
mod hostile;
mod pair;
mod pooled;
mod resilience;
mod shaped;
