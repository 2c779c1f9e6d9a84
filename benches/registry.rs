//! What a caller reads of its watcher's snapshot, what the registry sends a watcher, and what a heartbeat costs, with a hundred
//! instances announced.

use contract::ComponentName;
use criterion::Criterion;
use discovery::instance::{RegistryEpoch, WatchFilter};
use discovery::registry_state::{Command, RegistryState, Rules};
use discovery::{Epoch, Instance, InstanceId, ServiceName, State};
use transport::cluster::Clusters;

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
    let cluster = Clusters::new().get(ComponentName::of("feed"));
    let endpoint = |n: u16| {
        let id = format!("feed#{n}");
        transport::Instance::new(&id, ([127, 0, 0, 1], 10_000 + n).into())
    };
    cluster.update((0..20).map(endpoint).collect());
    group.bench_function("client reads its snapshot", |bencher| bencher.iter(|| cluster.endpoints()));
    group.bench_function("snapshot for a watcher", |bencher| bencher.iter(|| store.snapshot(&watched)));
    group.bench_function("nothing new", |bencher| bencher.iter(|| store.since(Some(now), &watched)));
    let mut renewing = store.clone();
    group.bench_function("renew", |bencher| {
        bencher.iter(|| renewing.apply(Command::Renew(key.clone(), Epoch(1)), 2).expect("it is registered"));
    });
    group.finish();
}
