//! What a watcher reads, and what a heartbeat costs, with a hundred instances announced.

use criterion::Criterion;
use discovery::instance::{RegistryEpoch, WatchFilter};
use discovery::registry_state::{Command, RegistryState, Rules};
use discovery::{Epoch, Instance, InstanceId, ServiceName, State};

fn instance(n: u16) -> Instance {
    let service = ["profile", "follower", "feed", "search", "photo"][usize::from(n % 5)];
    Instance {
        service: ServiceName::new(service).expect("a name"),
        id: InstanceId::new(&format!("{service}#{n}")).expect("a name and a number"),
        epoch: Epoch(1),
        addr: ([127, 0, 0, 1], 10_000 + n).into(),
        zone: String::new(),
        version: String::new(),
        weight: 1,
        tags: Default::default(),
        state: State::default(),
    }
}

pub fn registry(criterion: &mut Criterion) {
    let mut store = RegistryState::new(RegistryEpoch(1), Rules::default());
    for n in 0..100 {
        store.apply(Command::Register(instance(n)), 1).expect("each is new");
    }
    let watched = WatchFilter::Only([ServiceName::new("feed").expect("a name")].into());
    let now = store.at();
    let key = instance(7).key();
    let mut group = criterion.benchmark_group("registry");
    group.bench_function("read", |bencher| bencher.iter(|| store.snapshot(&watched)));
    group.bench_function("nothing new", |bencher| bencher.iter(|| store.since(Some(now), &watched)));
    let mut renewing = store.clone();
    group.bench_function("renew", |bencher| {
        bencher.iter(|| renewing.apply(Command::Renew(key.clone(), Epoch(1)), 2).expect("it is registered"));
    });
    group.finish();
}
