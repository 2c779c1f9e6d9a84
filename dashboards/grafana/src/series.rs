//! A run as series of metrics: what a scrape at a moment reads, the same whether the run goes on or is long over.

use std::collections::BTreeMap;

use model::{Run, edges, host, processes, traces};
use record::{Edge, Latencies, Proc, Window};
use telemetry::names::{self, run as metric};

use crate::families::{Exemplar, FAMILIES, Labels, Spread, Value, bucket};

/// The letter of the lab's own processes.
const LAB: char = '-';

/// Everything known at `t`, ns since the run's start, family by family in the order of [`FAMILIES`].
pub fn series(run: &Run, t: u64) -> Vec<(&'static str, Labels, Value)> {
    let mut series = Series { run, t, families: BTreeMap::new() };
    for arm in run.letters() {
        series.plan(arm);
        series.edges(arm);
        series.processes(arm);
    }
    series.processes(LAB);
    series.journeys();
    series.host();
    series.audits();
    let mut families = series.families;
    let of_family = |(name, ..): &(&'static str, _, _)| {
        let of = families.remove(name).unwrap_or_default();
        of.into_iter().map(|(labels, value)| (*name, labels, value)).collect::<Vec<_>>()
    };
    let mut series: Vec<(&'static str, Labels, Value)> = FAMILIES.iter().flat_map(of_family).collect();
    if run.is_simulated() {
        // On every series: one that is looked at alone must not pass for measured.
        series.iter_mut().for_each(|(_, labels, _)| labels.push(("source", "simulated".to_owned())));
    }
    series
}

struct Series<'a> {
    run: &'a Run,
    t: u64,
    families: BTreeMap<&'static str, BTreeMap<Labels, Value>>,
}

impl Series<'_> {
    fn plan(&mut self, arm: char) {
        let header = &self.run.header;
        self.set(metric::INFO, self.labels(arm, [(names::SCENARIO, &header.scenario)]), 1.0);
        let current = self.run.phase_at(arm, self.t);
        for (index, phase) in header.phases.iter().enumerate() {
            let labels = self.labels(arm, [(names::PHASE, &phase.name)]);
            self.set(metric::PHASE_ACTIVE, labels, flag(current == Some(index)));
        }
        for (step, is_acting) in self.run.steps_at(arm, self.t) {
            let kind = if step.is_fault { "fault" } else { "action" };
            let labels = self.labels(arm, [(names::STEP, &step.id), (names::KIND, kind)]);
            self.set(metric::STEP_ACTIVE, labels, flag(is_acting));
        }
    }

    fn journeys(&mut self) {
        let mut by_arm: BTreeMap<char, [Latencies; 3]> = BTreeMap::new();
        for ((arm, journey), totals) in self.run.totals() {
            self.journey(arm, &journey, &totals);
            let [lag, wait, staleness] = by_arm.entry(arm).or_default();
            lag.merge(&totals.pace_lag);
            wait.merge(&totals.slot_wait);
            staleness.merge(&totals.staleness);
        }
        for (arm, latencies) in by_arm {
            for (name, latencies) in
                [metric::LAG, metric::SLOT_WAIT, metric::STALENESS].into_iter().zip(latencies)
            {
                self.spread(name, self.labels(arm, []), Spread::of(&latencies));
            }
        }
    }

    fn journey(&mut self, arm: char, journey: &str, totals: &Window) {
        let labels = self.labels(arm, [(names::JOURNEY, journey)]);
        for (name, count) in [
            (metric::OFFERED, totals.offered),
            (metric::SENT, totals.sent),
            (metric::OK, totals.ok),
            (metric::GOOD, totals.good),
            (metric::DROPPED, totals.dropped),
            (metric::PROBES, totals.probes),
            (metric::STALE, totals.stale),
        ] {
            self.set(name, labels.clone(), count as f64);
        }
        for (cause, count) in &totals.errors {
            let labels = self.labels(arm, [(names::JOURNEY, journey), (names::ERROR_TYPE, cause)]);
            self.set(metric::FAILED, labels, *count as f64);
        }
        for (outcome, latencies) in [("ok", &totals.intended), ("failed", &totals.failed)] {
            let mut spread = Spread::of(latencies);
            let is_of = |trace: &&record::Trace| {
                (trace.arm, trace.journey.as_str()) == (arm, journey)
                    && trace.error.is_empty() == (outcome == "ok")
            };
            for trace in self.run.known_traces().filter(is_of) {
                let seconds = traces::user_latency_seconds(trace);
                let exemplar = Exemplar { trace_id: trace.trace_id.clone(), seconds };
                spread.exemplars.insert(bucket(seconds), exemplar);
            }
            let labels = self.labels(arm, [(names::JOURNEY, journey), (names::OUTCOME, outcome)]);
            self.spread(metric::DURATION, labels, spread);
        }
    }

    fn edges(&mut self, arm: char) {
        for edge in self.run.edges_at(arm, self.t) {
            self.edge(edge);
        }
    }

    fn edge(&mut self, edge: &Edge) {
        let ends = [(names::SERVICE, edge.caller.as_str()), (names::PEER_SERVICE, edge.callee.as_str())];
        let labels = self.labels(edge.arm, ends);
        for (name, value) in [
            (metric::EDGE_CALLS, edge.effective_rps),
            (metric::EDGE_TRIES, edge.actual_rps),
            (metric::EDGE_ERRORS, edge.errors_rps),
            (metric::EDGE_BREAKER, f64::from(edge.breaker)),
            (metric::EDGE_QUEUE, edge.queue as f64),
        ] {
            self.set(name, labels.clone(), value);
        }
        // No call, no latency: a gap.
        if let Some(seconds) = edges::p99_seconds(edge) {
            self.set(metric::EDGE_P99, labels, seconds);
        }
    }

    fn processes(&mut self, arm: char) {
        for proc in self.run.processes_at(arm, self.t) {
            self.process(proc);
        }
    }

    fn process(&mut self, proc: &Proc) {
        let labels = self.labels(proc.arm, [(names::INSTANCE, proc.instance.as_str())]);
        self.set(metric::UP, labels.clone(), flag(processes::is_up(proc)));
        self.set(metric::RESTARTS, labels.clone(), f64::from(proc.restarts));
        if processes::is_down(proc) {
            // It has no figures: a gap, not a zero.
            return;
        }
        self.set(metric::CPU, labels.clone(), processes::cpu_seconds(proc));
        if self.run.is_simulated() {
            // No more than that is simulated: a gap as well.
            return;
        }
        for (name, value) in [
            (metric::CPU_WAIT, processes::wait_seconds(proc)),
            (metric::MEMORY, processes::memory_bytes(proc)),
            (metric::THREADS, f64::from(proc.threads)),
            (metric::FDS, f64::from(proc.fds)),
            (metric::SWITCHES, proc.switches as f64),
            (metric::DATABASE, proc.db_bytes as f64),
        ] {
            self.set(name, labels.clone(), value);
        }
    }

    fn host(&mut self) {
        let Some(now) = self.run.host_at(self.t) else { return };
        let measured = |value| (!self.run.is_simulated()).then_some(value);
        for (name, value) in [
            (metric::CPU_STALL, host::stall_share(now)),
            (metric::OTHER_CPU, measured(host::other_cores(now))),
            (metric::MEMORY_LEFT, measured(host::memory_available(now))),
        ] {
            if let Some(value) = value {
                self.set(name, self.labels(LAB, []), value);
            }
        }
    }

    fn audits(&mut self) {
        for audit in self.run.audits() {
            for (outcome, count) in [
                ("acknowledged", audit.acknowledged),
                ("found", audit.found),
                ("lost", audit.lost),
                ("unverified", audit.unverified),
                ("duplicated", audit.duplicated),
                ("orphaned", audit.orphaned),
            ] {
                let labels = self.labels(audit.arm, [(names::OUTCOME, outcome)]);
                self.set(metric::AUDITED, labels, count as f64);
            }
        }
    }

    /// Labels of something in an arm, or of the lab itself.
    fn labels<const N: usize>(&self, letter: char, more: [(&'static str, &str); N]) -> Labels {
        let mut labels = Labels::new();
        if self.run.has_begun() {
            labels.push((names::RUN_ID, self.run.header.run_id.clone()));
        }
        if let Some(arm) = self.run.arm(letter) {
            labels.push((names::ARM, arm.name.clone()));
            labels.push((names::LETTER, letter.to_string()));
        }
        labels.extend(more.into_iter().map(|(name, value)| (name, value.to_owned())));
        labels
    }

    fn set(&mut self, name: &'static str, labels: Labels, value: f64) {
        self.families.entry(name).or_default().insert(labels, Value::Number(value));
    }

    fn spread(&mut self, name: &'static str, labels: Labels, spread: Spread) {
        self.families.entry(name).or_default().insert(labels, Value::Spread(Box::new(spread)));
    }
}

fn flag(is_set: bool) -> f64 {
    f64::from(u8::from(is_set))
}
