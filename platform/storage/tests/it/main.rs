//! What databases, transactions and the outbox promise, on real files.

mod events;
mod ground;
mod kill;
mod outbox;
mod writes;
