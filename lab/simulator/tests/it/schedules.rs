//! Load of a scenario: what a live run of the seed is offered.

use std::sync::Arc;

use record::PhasePlan;
use simulator::dist::Distribution;
use simulator::model::{Arrivals, CpuSharing, Plan, Work};
use traffic::dataset::Size;
use traffic::{Dataset, Journey, Load, Schedule, Seed};

use super::fixture::{MILLISECOND, SECOND, component, simulate, source, system};

const SEED: u64 = 11;

fn schedule() -> Schedule {
    let load: Load = toml::from_str(
        "rate = { calm = \"200/s\", rush = \"200/s -> 600/s\" }\nmix = { home-feed = 6, view-photo = 3, like = 1 }",
    )
    .expect("a load");
    let data = Arc::new(Dataset::generate(Seed(SEED), Size::Tiny, &load.graph));
    let phase = |name: &str, start: u64, length: u64| PhasePlan {
        name: name.into(),
        start_ns: start * SECOND,
        length_ns: length * SECOND,
        measure: true,
    };
    Schedule::new(SEED, 1, &[phase("calm", 0, 3), phase("rush", 3, 4)], &load, &data)
}

fn plan() -> Plan {
    let wait = || Work::Wait(Distribution::Constant(MILLISECOND));
    let mut plan = system(1, CpuSharing::Fcfs, Vec::new(), Work::None, Arrivals::Constant(1.0));
    let journeys = Journey::ALL.map(|journey| journey.name());
    plan.components[0] = component("client", journeys.into_iter().map(|name| (name, wait())).collect());
    plan.sources = vec![source(Arrivals::Schedule(Box::new(schedule())), &journeys)];
    plan
}

#[test]
fn the_same_seed_offers_the_same_arrivals() {
    let report = simulate(&plan(), 99, u64::MAX);
    let live: Vec<_> = schedule().collect();
    assert!(live.len() > 1_500, "{} arrivals", live.len());
    for journey in Journey::ALL {
        let requests = &report.requests[&format!("users/{}", journey.name())];
        let due: Vec<u64> =
            live.iter().filter(|arrival| arrival.journey == journey).map(|arrival| arrival.due_ns).collect();
        assert_eq!(requests.sent, due.len() as u64, "{}", journey.name());
        for (window, second) in requests.windows.iter().zip(0..) {
            let in_it = due.iter().filter(|due_ns| *due_ns / SECOND == second).count() as u64;
            assert_eq!(window.sent, in_it, "{} in second {second}", journey.name());
        }
    }
    // The seed of the simulation changes nothing: that of the load is the scenario's.
    assert_eq!(simulate(&plan(), 7, u64::MAX).requests, report.requests);
}
