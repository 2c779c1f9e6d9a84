//! What databases, transactions and the outbox promise, on real files.

mod events;
mod gathering;
mod ground;
mod kill;
mod outbox;
mod statements;
mod writes;
