//! One call for ten profiles, on each carrier: what encoding, transport and waking add to a function call.

use std::sync::Arc;

use benches::{context, runtime};
use contract::{Answer, Carrier, ComponentName};
use criterion::Criterion;
use profile_api::{ProfilesByIds, UserId};
use testkit::fakes::Roster;
use transport::{CallRouter, CallRouterOptions, Clusters};

const CALLER: ComponentName = ComponentName::of("feed");
const CALLEE: ComponentName = ComponentName::of("profile");

fn board(carrier: Carrier, hosts: &[ComponentName], clusters: Clusters) -> CallRouter {
    CallRouter::new(CallRouterOptions {
        carrier,
        clusters,
        services: Default::default(),
        copy: "test#0".into(),
        schema: 1,
        policies: Vec::new(),
        faults: Arc::default(),
        token: "bench".into(),
        hosts: hosts.to_vec(),
        seed: 42,
    })
}

/// A caller and a callee in one process.
fn together(carrier: Carrier) -> Arc<dyn Answer<ProfilesByIds>> {
    let board = board(carrier, &[CALLER, CALLEE], Clusters::new());
    board.answer::<ProfilesByIds>(Arc::new(Roster));
    board.ask::<ProfilesByIds>(CALLER)
}

/// A caller and a callee with a loopback connection between them.
async fn apart(carrier: Carrier, tasks: &::runtime::Tasks) -> Arc<dyn Answer<ProfilesByIds>> {
    let theirs = board(carrier, &[CALLEE], Clusters::new());
    theirs.answer::<ProfilesByIds>(Arc::new(Roster));
    let listener = transport::serve::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let options = transport::serve::Options::default();
    let addr = transport::serve::serve(tasks, listener, theirs.router(), options).addr();
    let clusters = Clusters::new();
    clusters.get(CALLEE).update(vec![transport::Instance::new("profile#0", addr)]);
    board(carrier, &[CALLER], clusters).ask::<ProfilesByIds>(CALLER)
}

pub fn hop(criterion: &mut Criterion) {
    let runtime = runtime();
    let tasks = ::runtime::Tasks::new();
    let mut group = criterion.benchmark_group("hop");
    let ways = [
        ("local", together(Carrier::Local)),
        ("wire", together(Carrier::Wire)),
        ("http+binary", runtime.block_on(apart(Carrier::Binary, &tasks))),
        ("http+json", runtime.block_on(apart(Carrier::Json, &tasks))),
    ];
    let call = ProfilesByIds { ids: (1..=10).map(UserId::new).collect() };
    let cx = context();
    for (name, way) in &ways {
        group.bench_function(*name, |bencher| {
            bencher.to_async(&runtime).iter(|| async {
                let profiles = way.answer(&cx, call.clone()).await.expect("it answers");
                assert_eq!(profiles.len(), 10);
            });
        });
    }
    group.finish();
    tasks.close();
}
