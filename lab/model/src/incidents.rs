//! What is wrong in a run: [`Symptom`]s at a moment.

mod symptom;

pub use symptom::{Kind, STALE_NS, Symptom, symptoms};
