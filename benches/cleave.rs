//! The hot paths, each by itself.

mod balance;
mod fault;
mod feed;
mod histogram;
mod hop;
mod outbox;
mod registry;
mod scenario;
mod simulator;
mod trace;

criterion::criterion_group!(
    paths,
    hop::hop,
    balance::balance,
    registry::registry,
    fault::fault,
    outbox::outbox,
    feed::feed,
    histogram::histogram,
    scenario::scenario,
    trace::trace,
    simulator::queues,
    simulator::model,
);
criterion::criterion_main!(paths);
