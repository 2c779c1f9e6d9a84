//! `monthly_cost`: what a month of an arm costs at the prices that the scenario assumes: cores and memory as simulated, and
//! the engineers' time of changes and of operation, by which components its processes hold.

use std::collections::{BTreeMap, BTreeSet};

use record::{Arm, Prices};

use super::memory::highest;
use crate::inference::{Statistic, Terms};
use crate::measure::{Measure, Property};
use crate::selection::Selection;

/// Hours of a month: a twelfth of 365.25 days.
const HOURS_A_MONTH: f64 = 365.25 * 24.0 / 12.0;
/// Weeks of a month.
const WEEKS_A_MONTH: f64 = 365.25 / 7.0 / 12.0;
/// Bytes of a GiB.
const GIB: f64 = (1_u64 << 30) as f64;
/// What stands in a process beside components: no team changes it.
const NO_COMPONENTS: [&str; 2] = ["gateway", "registry"];

/// Price of a month.
pub const MONTHLY_COST: Measure = Measure {
    name: "monthly_cost",
    meaning: "price of a month of this load, in the scenario's currency and at its assumed prices: cores at their utilisation, \
              memory, and engineers' time for changes and operation",
    properties: &[Property::DependsOnStart, Property::OfMemory],
    statistic: of_month,
    ..Measure::DEFAULT
};

fn of_month(of: &Selection<'_>) -> Statistic {
    let month = Month::of(of);
    of.quotient(of.sent(), 1.0, |unit| {
        let month = month.as_ref()?;
        let (core_seconds, length_s) = (unit.cpu_ns()? as f64 * 1e-9, unit.length_s());
        // What does not depend on the second is a constant of the quotient.
        Some(Terms { numerator: core_seconds * month.core + month.fixed * length_s, denominator: length_s })
    })
}

/// What a month is priced with.
struct Month {
    /// A core that is busy all month.
    core: f64,
    /// Memory, changes and operation.
    fixed: f64,
}

impl Month {
    /// `None` without prices, and where memory is not known.
    fn of(of: &Selection<'_>) -> Option<Self> {
        let prices = of.run.header.prices.as_ref()?;
        let memory_gib = highest(of, |_| true)? / GIB;
        let engineers = engineer_hours(prices, of.plan()?) * prices.engineer_hour;
        Some(Self {
            core: HOURS_A_MONTH * prices.core_hour / prices.utilisation,
            fixed: HOURS_A_MONTH * prices.gib_hour * memory_gib + engineers,
        })
    }
}

/// Engineers' hours a month. Each component is changed as often as any other, and each team has as many of them. A change is
/// deployed with its process, whose share of the product is built and tested with it, and coordinated with the other teams
/// that have components in it; where it needs a second component in another process, that is deployed and its team
/// coordinated with as well. Each process, whatever its copies, is operated.
fn engineer_hours(prices: &Prices, arm: &Arm) -> f64 {
    let processes = processes(arm);
    let all: f64 = processes.values().map(|components| components.len() as f64).sum();
    let of_changes = |components: &BTreeSet<&str>| {
        let size = components.len() as f64;
        let share = size / all;
        let others = (share * f64::from(prices.teams) - 1.0).max(0.0);
        // Any other component is as likely the second one.
        let elsewhere = if all > 1.0 { (all - size) / (all - 1.0) } else { 0.0 };
        let own = prices.deploy_h + share * prices.retest_h + others * prices.coordination_h;
        let second = prices.contract_share * elsewhere * (prices.deploy_h + prices.coordination_h);
        share * (own + second)
    };
    let holders = processes.values().filter(|components| !components.is_empty());
    let of_change: f64 = holders.map(of_changes).sum();
    prices.changes_a_week * WEEKS_A_MONTH * of_change + processes.len() as f64 * prices.operation_h
}

/// The components of each process by its name, copies and zones taken together.
fn processes(arm: &Arm) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut processes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for instance in &arm.instances {
        let name = instance.name.split(['#', '@']).next().unwrap_or_default();
        let hosts = instance.hosts.iter().map(String::as_str);
        let components = hosts.filter(|host| !NO_COMPONENTS.contains(host));
        processes.entry(name).or_default().extend(components);
    }
    processes
}

#[cfg(test)]
mod tests {
    use record::Instance;

    use super::*;

    fn arm(processes: &[(&str, &[&str])]) -> Arm {
        let instance = |(name, hosts): &(&str, &[&str])| Instance {
            name: (*name).to_owned(),
            copies: 1,
            hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
            port: 1,
            public_port: None,
        };
        Arm { instances: processes.iter().map(instance).collect(), ..Arm::default() }
    }

    fn near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-9, "{value}, not {expected}");
    }

    #[test]
    fn a_change_costs_what_is_deployed_tested_and_coordinated_with_it() {
        let prices = Prices {
            teams: 4,
            // One a month.
            changes_a_week: 1.0 / WEEKS_A_MONTH,
            deploy_h: 1.0,
            retest_h: 8.0,
            coordination_h: 2.0,
            contract_share: 0.5,
            operation_h: 10.0,
            ..Prices::default()
        };
        let all: &[&str] = &["gateway", "profile", "follower", "feed", "photo"];
        // A deploy of 1 h, all 8 h of tests, three other teams of 2 h; one process to operate, of however many copies.
        near(engineer_hours(&prices, &arm(&[("app#0", all), ("app#1", all)])), 1.0 + 8.0 + 6.0 + 10.0);
        // A quarter of the tests and no other team; of every second change a second deploy and its team: (1 + 2) / 2.
        let each = arm(&[
            ("gateway#0", &["gateway"]),
            ("profile@a", &["profile"]),
            ("profile@b", &["profile"]),
            ("follower#0", &["follower"]),
            ("feed#0", &["feed"]),
            ("photo#0", &["photo"]),
        ]);
        near(engineer_hours(&prices, &each), 1.0 + 2.0 + 1.5 + 5.0 * 10.0);
        // Two and two: half of the tests, one other team; two of the three other components are elsewhere.
        let halves = arm(&[("one", &["gateway", "profile", "follower"]), ("two", &["feed", "photo"])]);
        near(engineer_hours(&prices, &halves), 1.0 + 4.0 + 2.0 + 0.5 * 2.0 / 3.0 * 3.0 + 20.0);
    }

    #[test]
    fn fewer_teams_than_processes_coordinate_with_no_other() {
        let changes_a_week = 1.0 / WEEKS_A_MONTH;
        let prices = Prices { teams: 2, changes_a_week, coordination_h: 2.0, ..Prices::default() };
        let each = arm(&[("feed", &["feed"]), ("photo", &["photo"]), ("search", &["search"])]);
        near(engineer_hours(&prices, &each), 0.0);
    }
}
