//! What processes report of themselves: by operation, and by instance.

use std::collections::{BTreeMap, BTreeSet};

use record::{OperationCost, Proc};

use crate::processes::{Sample, growth};
use crate::run::Run;
use crate::window::TimeRange;

impl Run {
    /// How much a figure that processes report of themselves grew while an arm had its load, by instance. Across a sample in
    /// which one did not report, it is what came in between.
    pub fn reported_by_instance(
        &self,
        arm: char,
        range: &TimeRange,
        figure: impl Fn(&Proc) -> u64 + Copy,
    ) -> BTreeMap<String, u64> {
        let ranges = self.run_time(arm, range);
        let grown = |samples: &[Sample]| -> f64 {
            let samples = with_reports(samples);
            ranges.iter().filter_map(|range| growth(&samples, range, figure)).map(|grown| grown.amount).sum()
        };
        self.processes(arm).map(|(instance, samples)| (instance.to_owned(), grown(samples) as u64)).collect()
    }

    /// What each operation took while an arm had its load, over all its processes.
    pub fn operations(&self, arm: char, range: &TimeRange) -> BTreeMap<String, OperationCost> {
        let ranges = self.run_time(arm, range);
        let mut sums: BTreeMap<String, OperationCost> = BTreeMap::new();
        for (_, samples) in self.processes(arm) {
            let samples = with_reports(samples);
            let all = || samples.iter().flat_map(|(_, proc)| &proc.operations);
            let names: BTreeSet<&String> = all().map(|(name, _)| name).collect();
            for name in names {
                let grown = |figure: &dyn Fn(&OperationCost) -> u64| {
                    let figure = |proc: &Proc| proc.operations.get(name).map_or(0, figure);
                    let grown = ranges.iter().filter_map(|range| growth(&samples, range, figure));
                    grown.map(|grown| grown.amount).sum::<f64>() as u64
                };
                let sum = sums.entry(name.clone()).or_default();
                sum.served += grown(&|cost| cost.served);
                sum.business_ns += grown(&|cost| cost.business_ns);
                sum.blocking_ns += grown(&|cost| cost.blocking_ns);
                sum.database_ns += grown(&|cost| cost.database_ns);
                let topics: BTreeSet<&String> =
                    all().filter(|(of, _)| *of == name).flat_map(|(_, cost)| cost.published.keys()).collect();
                for topic in topics {
                    let count = grown(&|cost| cost.published.get(topic).copied().unwrap_or(0));
                    *sum.published.entry(topic.clone()).or_default() += count;
                }
            }
        }
        sums
    }
}

/// Those in which a process reported, or had nothing to report yet.
fn with_reports(samples: &[Sample]) -> Vec<Sample> {
    samples.iter().filter(|(_, proc)| proc.scraped || proc.cpu_ns == 0).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SECOND;

    /// A run of which one round's load takes five seconds.
    fn run() -> Run {
        let steady =
            record::PhasePlan { name: "steady".into(), start_ns: 0, length_ns: 5 * SECOND, measure: true };
        let mut run = Run::new(record::Header {
            schema_version: record::SCHEMA_VERSION,
            phases: vec![steady],
            rounds: 1,
            ..record::Header::default()
        });
        let phase = record::Phase { index: 0, name: "steady".into(), round: 1, arms: String::new() };
        run.add(&record::Line { t: 0, entry: record::Entry::Phase(phase) });
        run
    }

    #[test]
    fn what_operations_took_is_known_across_a_missed_scrape() {
        let mut run = run();
        for second in 0..=5_u64 {
            let cost = OperationCost {
                served: 10 * second,
                business_ns: 100 * second,
                published: BTreeMap::from([("photo.liked".to_owned(), second)]),
                ..OperationCost::default()
            };
            let scraped = second != 2;
            let operations = scraped.then(|| ("photo/POST /v1/likes".to_owned(), cost)).into_iter().collect();
            let parts = scraped.then(|| ("business".to_owned(), 100 * second)).into_iter().collect();
            let proc = Proc {
                arm: 'A',
                instance: "app#0".into(),
                pid: 1,
                cpu_ns: 200 * second + 1,
                scraped,
                operations,
                parts,
                ..Proc::default()
            };
            run.add(&record::Line { t: second * SECOND, entry: record::Entry::from(proc) });
        }
        let range = TimeRange { round: 1, seconds: 0..5 };
        let cost = &run.operations('A', &range)["photo/POST /v1/likes"];
        assert_eq!((cost.served, cost.business_ns, cost.published["photo.liked"]), (50, 500, 5), "{cost:?}");
        let parts = run.reported_by_instance('A', &range, |proc| proc.parts.values().sum());
        assert_eq!(parts["app#0"], 500);
    }
}
