//! The cost of fault injection per call: no lease, a lease on another edge, a lease on this call.

use std::time::Duration;

use contract::ComponentName;
use criterion::Criterion;
use fault::{CallSite, Fault, Lease, LeaseTable, Side};

fn lease(target: &str) -> Lease {
    let fault: Fault =
        serde_json::from_str(r#"{ "do": "delay", "by": "1ms" }"#).expect("a fault as scenarios write it");
    let target = target.parse().expect("a target");
    Lease {
        id: "bench".into(),
        order: 0,
        fault,
        target,
        matching: fault::Match::default(),
        copies: Vec::new(),
        detours: Vec::new(),
        ramp_ms: 0,
        seed: 42,
    }
}

pub fn fault(criterion: &mut Criterion) {
    let site = CallSite {
        caller: ComponentName::of("feed"),
        callee: ComponentName::of("follower"),
        side: Side::Caller,
        route: "follower.followers_of",
        request: 7,
        attempt: 0,
        principal: None,
        copy: None,
    };
    let mut group = criterion.benchmark_group("fault");
    for (name, target) in
        [("none", None), ("elsewhere", Some("feed->photo")), ("here", Some("feed->follower"))]
    {
        let table = LeaseTable::new();
        if let Some(target) = target {
            table.put(lease(target), Duration::from_secs(3_600), 0).expect("there is room");
        }
        group.bench_function(name, |bencher| bencher.iter(|| table.call_fault(&site, 1)));
    }
    group.finish();
}
