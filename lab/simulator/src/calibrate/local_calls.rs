//! Calls of the gateway that stay in its process, from arms in which it shares one with components.
//!
//! To find the route, to read the request and to write the answer is elsewhere the work of the callee's server, and among the CPU
//! of its messages. In a shared process there is no message, and the gateway's own operation does it. Calls between other
//! components are plain function calls, and take next to nothing.

use contract::ComponentName;
use contract::placement::Carrier;
use model::Window;
use record::OperationCost;

use super::cooling::Cooling;
use super::document::Calibration;
use super::ledger::{Ledger, calls_of, component_of};
use super::level::LevelName;
use super::{Source, is_plain};

const GATEWAY: &str = ComponentName::GATEWAY.as_str();

/// CPU, ns, and the calls that it was for.
#[derive(Default)]
struct Sum {
    ns: f64,
    calls: f64,
}

/// CPU of such a call in a warm process, ns: what operations of the gateway take more there than they do in `ledgers`, which are of
/// warm processes with one component each, without what neighbours on the cores add. They have made all `slowed` times as much in
/// a level. 0 where no arm shows it.
pub(super) fn cpu_ns(
    sources: &[Source<'_>],
    calibration: &Calibration,
    ledgers: &[(String, Ledger)],
    cooling: Cooling,
    slowed: &dyn Fn(&LevelName) -> f64,
) -> f64 {
    let mut sum = Sum::default();
    for Source { run, scenario } in sources {
        let plain = run.header.arms.iter().filter(|arm| {
            let planned = scenario.arms.iter().find(|planned| planned.name == arm.name);
            // On `wire` a call is encoded and read on its way to itself.
            let is_call = |planned: &&::scenario::Arm| planned.placement.carrier != Carrier::Wire;
            planned.filter(is_call).is_some_and(|planned| is_plain(scenario, planned))
        });
        for arm in plain {
            let shared: Vec<&record::Instance> = arm.instances.iter().filter(|of| is_shared(of)).collect();
            let Some(first) = shared.first() else { continue };
            for phase in run.header.phases.iter().filter(|phase| phase.measure) {
                let range = run.whole(&Window::Phase(phase.name.clone()));
                let load = run.run_time(arm.letter, &range);
                let seconds = load.iter().map(|time| time.end - time.start).sum::<u64>() as f64 / 1e9;
                let costs = run.operations(arm.letter, &range);
                let own: Vec<(&String, &OperationCost)> =
                    costs.iter().filter(|(name, _)| component_of(name) == GATEWAY).collect();
                let served: u64 = own.iter().map(|(_, cost)| cost.served).sum();
                if served == 0 || seconds <= 0.0 {
                    continue;
                }
                let cooled = cooling.factor(served as f64 / seconds / shared.len() as f64);
                let dearer = cooled * slowed(&LevelName::new(&run.header.run_id, &arm.name, &phase.name));
                for (name, cost) in own {
                    sum.add(name, cost, dearer, &first.hosts, calibration, ledgers);
                }
            }
        }
    }
    if sum.calls > 0.0 { (sum.ns / sum.calls).max(0.0) } else { 0.0 }
}

/// Whether a process has the gateway and more.
fn is_shared(instance: &record::Instance) -> bool {
    instance.hosts.len() > 1 && instance.hosts.iter().any(|host| host == GATEWAY)
}

impl Sum {
    /// Adds what an operation took beyond what it takes in a process of its own, where some of its calls stay in one with `hosts`, and
    /// all was so many times as dear as alone in a warm one.
    fn add(
        &mut self,
        name: &str,
        cost: &OperationCost,
        dearer: f64,
        hosts: &[String],
        calibration: &Calibration,
        ledgers: &[(String, Ledger)],
    ) {
        let Some(operation) = calibration.operations.get(name) else { return };
        let stays = |called: &str| hosts.iter().any(|host| host == component_of(called));
        let local: f64 =
            calls_of(operation).filter(|(called, _)| stays(called)).map(|(_, share)| share).sum();
        let known = ledgers.iter().filter_map(|(_, ledger)| ledger.operations.get(name));
        let (ns, served) = known.fold((0, 0), |(ns, served), of| (ns + of.business_ns, served + of.served));
        if local <= 0.0 || served == 0 {
            return;
        }
        let alone_ns = cost.served as f64 * ns as f64 / served as f64;
        self.ns += cost.business_ns as f64 / dearer - alone_ns;
        self.calls += cost.served as f64 * local;
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::{Activity, Operation, Stage, What};
    use super::*;

    #[test]
    fn it_is_what_the_gateway_takes_more_for_calls_that_stay() {
        let calls = |name: &str| Operation {
            stages: vec![Stage {
                lanes: vec![vec![Activity { share: 1.0, what: What::Call(name.to_owned()) }]],
            }],
            ..Operation::default()
        };
        let calibration = Calibration {
            operations: [
                ("gateway/GET /v1/feed".to_owned(), calls("feed/GET /v1/feed")),
                ("gateway/GET /v1/photos/{id}".to_owned(), calls("photo/GET /v1/photos/{id}")),
            ]
            .into(),
            ..Calibration::default()
        };
        let cost = |served: u64, each_ns: u64| OperationCost {
            served,
            business_ns: served * each_ns,
            ..OperationCost::default()
        };
        // In a process of its own 5 us of a warm one.
        let operations = calibration.operations.keys().map(|name| (name.clone(), cost(100, 5_000))).collect();
        let ledgers = [("http+json".to_owned(), Ledger { operations, ..Ledger::default() })];
        let hosts = ["gateway".to_owned(), "feed".to_owned()];
        let mut sum = Sum::default();
        let mut add = |name: &str, cost: &OperationCost| {
            sum.add(name, cost, 1.5, &hosts, &calibration, &ledgers);
        };
        // Half more than in a warm one: 26 us there, of which 21 are the call's.
        add("gateway/GET /v1/feed", &cost(40, 39_000));
        // Photo is elsewhere, and of other operations nothing is known.
        add("gateway/GET /v1/photos/{id}", &cost(40, 7_500));
        add("gateway/GET /v1/search", &cost(40, 90_000));
        assert!((sum.calls - 40.0).abs() < 1e-9, "{} calls", sum.calls);
        assert!((sum.ns / sum.calls - 21_000.0).abs() < 1e-6, "{} ns", sum.ns);
    }
}
