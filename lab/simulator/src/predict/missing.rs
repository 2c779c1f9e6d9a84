//! What a scenario and its arms have and the model does not: each is named, and keeps the prediction from deciding anything.

use std::collections::BTreeSet;

use policy::Balance;
use policy::service::ServiceOptions;
use scenario::{DataRetention, Scenario};
use traffic::load::Overload;

use super::layout::Layout;

/// Adds what of a scenario and of an arm of it is not simulated, a phrase each. Steps, journeys and carriers are named where
/// they are left out.
pub(super) fn add(scenario: &Scenario, layout: &Layout, not_simulated: &mut BTreeSet<String>) {
    not_simulated.extend(of_scenario(scenario).map(str::to_owned));
    // What the simulator does not know, such as memory, stops nothing in it.
    let stops = scenario.stop.when.iter().filter(|that| that.is_simulated());
    not_simulated.extend(stops.map(|that| format!("the end of the run once `{}`", that.text)));
    not_simulated.extend(of_arm(scenario, layout).map(|what| format!("{}: {what}", layout.arm.name)));
}

/// What no arm of a scenario is simulated with.
fn of_scenario(scenario: &Scenario) -> impl Iterator<Item = &'static str> {
    let Scenario { load, budget, .. } = scenario;
    let has_slots = load.overload == Overload::Drop || load.pool.is_some() || load.queue_cap.is_some();
    let found = [
        (scenario.data == DataRetention::Kept, "data that grow from round to round"),
        (budget.cores.is_some() || budget.memory.is_some(), "the cores and the memory of its `budget`"),
        (
            !scenario.further_rates().is_empty(),
            "rates beyond the declared ones, to which a search for capacity goes on",
        ),
        (has_slots, "slots of the load generator, and arrivals that find none"),
    ];
    found.into_iter().filter_map(|(is_so, what)| is_so.then_some(what))
}

/// What an arm is simulated without.
fn of_arm(scenario: &Scenario, layout: &Layout) -> impl Iterator<Item = &'static str> {
    let (placement, declared) = (&layout.arm.placement, scenario.load.feed.push_below);
    let any = |is_set: &dyn Fn(&ServiceOptions) -> bool| layout.arm.services.values().any(is_set);
    let shares_connections =
        layout.arm.policies.values().any(|policy| policy.connections.is_some_and(|n| n > 1));
    let has_affinity =
        layout.arm.policies.values().any(|policy| policy.balance == Some(Balance::BoundedHash));
    let found = [
        (
            placement.has_server(),
            "data on a PostgreSQL server; its statements are simulated as those of SQLite",
        ),
        (
            placement.has_broker(),
            "events through a broker; they are simulated as pulled from their publishers",
        ),
        (!placement.limits.is_empty(), "limits of processes"),
        (any(&|of| of.calls_in_transaction == Some(true)), "calls inside a write transaction"),
        (any(&|of| of.outbox == Some(false)), "events that are published after their transaction"),
        (
            any(&|of| of.push_below.is_some_and(|below| below != declared)),
            "its own threshold of fan-out on write",
        ),
        (any(&|of| of.pool.is_some()), "how many connections read its databases"),
        (any(&|of| of.bodies.is_some()), "bytes of bodies that its gateway holds"),
        (shares_connections, "several connections that calls share"),
        (has_affinity, "what a copy remembers of requests: copies chosen by what is asked for are drawn"),
    ];
    found.into_iter().filter_map(|(is_so, what)| is_so.then_some(what))
}
