//! Calls for ten profiles, on each carrier, one at a time and 32 at once: what encoding, transport and waking add to a
//! function call, and what of it is shared where calls are under way together.

use std::sync::Arc;

use benches::{context, runtime};
use contract::{Answer, Carrier, ComponentName};
use criterion::{Criterion, Throughput};
use futures_util::future::join_all;
use profile_api::{ProfilesByIds, UserId};
use testkit::fakes::Roster;
use transport::{CallRouter, CallRouterOptions, Clusters};

const CALLER: ComponentName = ComponentName::of("feed");
const CALLEE: ComponentName = ComponentName::of("profile");
const AT_ONCE: u64 = 32;

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
    let http2 = (carrier == Carrier::Http2Binary).then(transport::serve::StreamLimits::default);
    let options = transport::serve::Options { http2, ..transport::serve::Options::default() };
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
        ("http2+binary", runtime.block_on(apart(Carrier::Http2Binary, &tasks))),
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
    let mut group = criterion.benchmark_group("hop-32-at-once");
    group.throughput(Throughput::Elements(AT_ONCE));
    for (name, way) in &ways {
        group.bench_function(*name, |bencher| {
            bencher.to_async(&runtime).iter(|| async {
                let calls = (0..AT_ONCE).map(|_| way.answer(&cx, call.clone()));
                for profiles in join_all(calls).await {
                    assert_eq!(profiles.expect("it answers").len(), 10);
                }
            });
        });
    }
    group.finish();
    tasks.close();
}
