//! Cumulative figures of an arm at one moment, for the cost of a phase.

use std::collections::BTreeMap;

use crate::observe::node_metrics::{NodeMetrics, scrape};
use crate::observe::sampling::SampledArm;
use crate::process::control::ControlClient;
use crate::process::usage::{ProcessUsage, UsageTracker};

/// Cumulative figures of an arm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArmTotals {
    /// CPU by part, ns.
    pub cpu_parts_ns: BTreeMap<String, u64>,
    /// CPU of all processes, ns.
    pub cpu_total_ns: u64,
    /// Requests over sockets: to the gateway and between processes.
    pub requests: u64,
}

impl ArmTotals {
    /// What was added since `earlier`. A restarted process counts from 0, so nothing falls below it.
    pub fn since(&self, earlier: &Self) -> Self {
        let less = |now: &BTreeMap<String, u64>, before: &BTreeMap<String, u64>| {
            now.iter()
                .map(|(part, ns)| (part.clone(), ns.saturating_sub(*before.get(part).unwrap_or(&0))))
                .collect()
        };
        Self {
            cpu_parts_ns: less(&self.cpu_parts_ns, &earlier.cpu_parts_ns),
            cpu_total_ns: self.cpu_total_ns.saturating_sub(earlier.cpu_total_ns),
            requests: self.requests.saturating_sub(earlier.requests),
        }
    }

    /// The sum over an arm's processes: what they expose, and what the kernel accounts to them.
    fn sum(metrics: &[NodeMetrics], usage: &[ProcessUsage]) -> Self {
        let mut totals = Self::default();
        for metrics in metrics {
            for (part, ns) in metrics.parts_ns() {
                *totals.cpu_parts_ns.entry(part).or_default() += ns;
            }
            totals.requests += metrics.requests();
        }
        // The CPU of tasks was sampled; the rest of the workers' CPU is waking up, polling sockets and going to sleep.
        let in_tasks: u64 = totals.cpu_parts_ns.values().sum();
        let (mut workers_ns, mut timer_ns) = (0, 0);
        for usage in usage {
            totals.cpu_total_ns += usage.cpu_ns;
            workers_ns += usage.cpu_workers_ns;
            timer_ns += usage.cpu_timer_ns;
            // The exporter works on a thread of its own, which no poll sees.
            *totals.cpu_parts_ns.entry("telemetry".into()).or_default() += usage.cpu_telemetry_ns;
        }
        totals.cpu_parts_ns.insert("waking".into(), workers_ns.saturating_sub(in_tasks));
        // The thread that ends injected waits is the price of injecting them, as what tasks spend on it is.
        *totals.cpu_parts_ns.entry("injected".into()).or_default() += timer_ns;
        totals
    }
}

/// The figures of an arm since its processes started.
pub async fn arm_totals(arm: &SampledArm, control: &ControlClient) -> ArmTotals {
    let scrapes = arm.instances.iter().map(|instance| scrape(control, instance.listen));
    let metrics: Vec<NodeMetrics> =
        futures_util::future::join_all(scrapes).await.into_iter().flatten().collect();
    let usage = |pid| UsageTracker::default().sample(pid);
    let usage: Vec<ProcessUsage> = arm.instances.iter().filter_map(|instance| usage(instance.pid)).collect();
    ArmTotals::sum(&metrics, &usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_takes_nothing_away() {
        let totals = |ns: u64| ArmTotals { cpu_total_ns: ns, ..ArmTotals::default() };
        assert_eq!(totals(5).since(&totals(9)).cpu_total_ns, 0);
        assert_eq!(totals(9).since(&totals(5)).cpu_total_ns, 4);
    }

    #[test]
    fn cpu_of_workers_outside_of_tasks_is_waking() {
        let metrics = NodeMetrics::parse(
            "cleave_cost_cpu_seconds_total{part=\"encoding\"} 2\ncleave_cost_cpu_seconds_total{part=\"business\"} 1\n",
        );
        let usage = ProcessUsage {
            cpu_ns: 9_000_000_000,
            cpu_workers_ns: 5_000_000_000,
            cpu_telemetry_ns: 4_000_000_000,
            cpu_timer_ns: 500_000_000,
            ..ProcessUsage::default()
        };
        let totals = ArmTotals::sum(&[metrics], &[usage]);
        // 5 s of workers, of which 3 s in tasks; the exporter's 4 s are not the workers'.
        assert_eq!(totals.cpu_parts_ns["waking"], 2_000_000_000);
        assert_eq!(totals.cpu_parts_ns["telemetry"], 4_000_000_000);
        assert_eq!(totals.cpu_parts_ns["injected"], 500_000_000);
        assert_eq!(totals.cpu_total_ns, 9_000_000_000);
    }
}
