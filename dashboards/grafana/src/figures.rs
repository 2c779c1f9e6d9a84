//! The lines of a record as metrics: the same whether a run goes on or is long over.

use std::collections::BTreeMap;

use record::{Edge, Entry, Event, EventKind, Header, Host, Latencies, Line, Proc, Trace, Window};
use telemetry::names::{self, run};

use crate::families::{Exemplar, FAMILIES, Labels, Value, bucket};

/// A gauge that was not said again for so long is not known any more: three samples of one second.
const FRESH_NS: u64 = 3_000_000_000;
/// How long a step without a length is shown to act: a scrape every second must not miss it.
const MOMENT_NS: u64 = 2_000_000_000;
/// Until a line says otherwise.
const LASTING: u64 = u64::MAX;

/// How what two copies of a caller say of one edge becomes one figure.
type Join = fn(f64, f64) -> f64;
/// One second of one journey in one round of an arm: it is said again while answers come in.
type Slot = (char, u32, u32, String);

/// What a run's lines have added up to.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    header: Option<Box<Header>>,
    families: BTreeMap<&'static str, BTreeMap<Labels, Value>>,
    /// Windows that may come again with more in them.
    open: BTreeMap<Slot, Window>,
    /// Moments that are shown for a while: labels of the step, and until when.
    moments: Vec<(Labels, u64)>,
    /// When each edge was last said; copies of a caller say theirs one by one.
    edges: BTreeMap<Labels, u64>,
    now: u64,
}

impl Figures {
    /// Takes a line in.
    pub fn add(&mut self, line: &Line) {
        self.pass(line.t);
        match &line.entry {
            Entry::Header(header) => self.begin(header),
            Entry::Phase(phase) => self.phase(phase),
            Entry::Window(window) => self.window(window),
            Entry::Edge(edge) => self.edge(edge, line.t),
            Entry::Proc(proc) => self.process(proc, line.t),
            Entry::Host(host) => self.host(host, line.t),
            Entry::Event(event) => self.event(event, line.t),
            Entry::Trace(trace) => self.trace(trace),
            Entry::Audit(audit) => {
                let found = [
                    ("acknowledged", audit.acknowledged),
                    ("found", audit.found),
                    ("lost", audit.lost),
                    ("duplicated", audit.duplicated),
                    ("orphaned", audit.orphaned),
                ];
                for (outcome, count) in found {
                    let labels = self.of(audit.arm, [(names::OUTCOME, outcome)]);
                    self.set(run::AUDITED, labels, count as f64, LASTING);
                }
            }
            Entry::End(_) => self.end(),
            Entry::Check(_) | Entry::Score(_) | Entry::Cost(_) | Entry::Split(_) => {}
        }
    }

    /// Time goes on to `t`, ns since the run's start, even if nothing is said.
    pub fn pass(&mut self, t: u64) {
        self.now = self.now.max(t);
        let (over, lasting) =
            std::mem::take(&mut self.moments).into_iter().partition(|(_, until)| *until <= self.now);
        self.moments = lasting;
        for (labels, _) in over {
            self.set(run::STEP_ACTIVE, labels, 0.0, LASTING);
        }
    }

    /// The run's header, once it was said.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_deref()
    }

    /// Everything known now, family by family in the order of [`FAMILIES`].
    pub fn series(&self) -> impl Iterator<Item = (&'static str, &Labels, &Value)> {
        let known = |value: &Value| !matches!(value, Value::Number(_, until) if *until < self.now);
        FAMILIES.iter().flat_map(move |(name, ..)| {
            let series = self.families.get(name).into_iter().flatten();
            series.filter(move |(_, value)| known(value)).map(|(labels, value)| (*name, labels, value))
        })
    }

    fn begin(&mut self, header: &Header) {
        self.header = Some(Box::new(header.clone()));
        for arm in &header.arms {
            let labels = self.of(arm.letter, [(names::SCENARIO, header.scenario.as_str())]);
            self.set(run::INFO, labels, 1.0, LASTING);
            for phase in &header.phases {
                let labels = self.of(arm.letter, [(names::PHASE, phase.name.as_str())]);
                self.set(run::PHASE_ACTIVE, labels, 0.0, LASTING);
            }
            for number in header.steps.iter().map(|step| step.number) {
                if let Some(labels) = self.step(number, arm.letter) {
                    self.set(run::STEP_ACTIVE, labels, 0.0, LASTING);
                }
            }
        }
    }

    fn phase(&mut self, begun: &record::Phase) {
        let Some(header) = self.header.clone() else { return };
        let concerned = |letter: &char| begun.arms.is_empty() || begun.arms.contains(*letter);
        for letter in header.arms.iter().map(|arm| arm.letter).filter(concerned) {
            for (index, phase) in header.phases.iter().enumerate() {
                let labels = self.of(letter, [(names::PHASE, phase.name.as_str())]);
                let lasts = usize::try_from(begun.index) == Ok(index);
                self.set(run::PHASE_ACTIVE, labels, f64::from(u8::from(lasts)), LASTING);
            }
        }
    }

    fn window(&mut self, window: &Window) {
        let slot = (window.arm, window.round, window.second, window.journey.clone());
        let before = self.open.remove(&slot).unwrap_or_default();
        let journey = (names::JOURNEY, window.journey.as_str());
        let labels = self.of(window.arm, [journey]);
        for (name, now, before) in [
            (run::OFFERED, window.offered, before.offered),
            (run::SENT, window.sent, before.sent),
            (run::OK, window.ok, before.ok),
            (run::GOOD, window.good, before.good),
            (run::DROPPED, window.dropped, before.dropped),
            (run::PROBES, window.probes, before.probes),
            (run::STALE, window.stale, before.stale),
        ] {
            self.count(name, labels.clone(), now.saturating_sub(before));
        }
        for (cause, count) in &window.errors {
            let labels = self.of(window.arm, [journey, (names::ERROR_TYPE, cause)]);
            let before = before.errors.get(cause).copied().unwrap_or(0);
            self.count(run::FAILED, labels, count.saturating_sub(before));
        }
        for (outcome, now, before) in
            [("ok", &window.intended, &before.intended), ("failed", &window.failed, &before.failed)]
        {
            let labels = self.of(window.arm, [journey, (names::OUTCOME, outcome)]);
            self.spread(run::DURATION, labels, now, before);
        }
        for (name, now, before) in [
            (run::LAG, &window.pace_lag, &before.pace_lag),
            (run::SLOT_WAIT, &window.slot_wait, &before.slot_wait),
            (run::STALENESS, &window.staleness, &before.staleness),
        ] {
            let labels = self.of(window.arm, []);
            self.spread(name, labels, now, before);
        }
        if !window.closed {
            self.open.insert(slot, window.clone());
        }
    }

    fn edge(&mut self, edge: &Edge, t: u64) {
        let ends = [(names::SERVICE, edge.caller.as_str()), (names::PEER_SERVICE, edge.callee.as_str())];
        let labels = self.of(edge.arm, ends);
        // What copies of the caller say in the same moment belongs together.
        let together = self.edges.insert(labels.clone(), t) == Some(t);
        let sum = |before: f64, now: f64| before + now;
        let figures: [(&str, Option<f64>, Join); 6] = [
            (run::EDGE_CALLS, Some(edge.effective_rps), sum),
            (run::EDGE_TRIES, Some(edge.actual_rps), sum),
            (run::EDGE_ERRORS, Some(edge.errors_rps), sum),
            (run::EDGE_P99, edge.p99_ms.map(|ms| ms / 1e3), f64::max),
            (run::EDGE_BREAKER, Some(f64::from(edge.breaker)), f64::max),
            (run::EDGE_QUEUE, Some(edge.queue as f64), sum),
        ];
        for (name, value, join) in figures {
            let before = self.number(name, &labels).filter(|_| together);
            if !together {
                self.forget(name, &labels);
            }
            let Some(value) = value else { continue };
            let value = before.map_or(value, |before| join(before, value));
            self.set(name, labels.clone(), value, t + FRESH_NS);
        }
    }

    fn process(&mut self, proc: &Proc, t: u64) {
        let labels = self.of(proc.arm, [(names::INSTANCE, proc.instance.as_str())]);
        let is_up = proc.state == "up";
        self.set(run::UP, labels.clone(), f64::from(u8::from(is_up)), t + FRESH_NS);
        self.set(run::RESTARTS, labels.clone(), f64::from(proc.restarts), t + FRESH_NS);
        if proc.state == "down" {
            // It has no figures: a gap, not a zero.
            return;
        }
        for (name, value) in [
            (run::CPU, proc.cpu_ns as f64 / 1e9),
            (run::CPU_WAIT, proc.run_queue_ns as f64 / 1e9),
            (run::MEMORY, proc.pss_kib as f64 * 1024.0),
            (run::THREADS, f64::from(proc.threads)),
            (run::FDS, f64::from(proc.fds)),
            (run::SWITCHES, proc.switches as f64),
            (run::DATABASE, proc.db_bytes as f64),
        ] {
            self.set(name, labels.clone(), value, t + FRESH_NS);
        }
    }

    fn host(&mut self, host: &Host, t: u64) {
        for (name, value) in [
            (run::CPU_STALL, host.cpu_stall / 100.0),
            (run::OTHER_CPU, host.other_cpu / 100.0),
            (run::MEMORY_LEFT, host.memory_available_mib as f64 * 1_048_576.0),
        ] {
            let labels = self.of('-', []);
            self.set(name, labels, value, t + FRESH_NS);
        }
    }

    fn event(&mut self, event: &Event, t: u64) {
        let acts = matches!(event.what, EventKind::Fault | EventKind::Scale | EventKind::Deploy);
        if !acts || event.mark.is_some() {
            return;
        }
        for (letter, target) in &event.targets {
            // A step that has no target in an arm is said as well.
            if target.starts_with("n/a") {
                continue;
            }
            let Some(labels) = self.step(event.number, *letter) else { continue };
            if event.active.is_none() {
                self.moments.push((labels.clone(), t + MOMENT_NS));
            }
            self.set(run::STEP_ACTIVE, labels, f64::from(u8::from(event.active != Some(false))), LASTING);
        }
    }

    fn trace(&mut self, trace: &Trace) {
        let outcome = if trace.error.is_empty() { "ok" } else { "failed" };
        let labels = self.of(trace.arm, [(names::JOURNEY, &trace.journey), (names::OUTCOME, outcome)]);
        let seconds = trace.felt as f64 / 1e9;
        if let Some(Value::Spread(spread)) =
            self.families.get_mut(run::DURATION).and_then(|series| series.get_mut(&labels))
        {
            let kept = Exemplar { trace_id: trace.trace_id.clone(), seconds };
            spread.exemplars.insert(bucket(seconds), kept);
        }
    }

    /// Nothing acts after the end, whatever was left unsaid.
    fn end(&mut self) {
        self.moments.clear();
        for value in self.families.get_mut(run::STEP_ACTIVE).into_iter().flat_map(BTreeMap::values_mut) {
            *value = Value::Number(0.0, LASTING);
        }
    }

    /// Labels of a step in an arm; `None` where it has no target there.
    fn step(&self, number: u32, letter: char) -> Option<Labels> {
        let steps = &self.header.as_ref()?.steps;
        let step = steps.iter().find(|step| step.number == number)?;
        let kind = if step.is_fault { "fault" } else { "action" };
        (!step.not_applicable.contains_key(&letter))
            .then(|| self.of(letter, [(names::STEP, step.id.as_str()), (names::KIND, kind)]))
    }

    /// Labels of something in an arm; `-` is the lab itself.
    fn of<const N: usize>(&self, letter: char, more: [(&'static str, &str); N]) -> Labels {
        let mut labels = Labels::new();
        if let Some(header) = &self.header {
            labels.push((names::RUN_ID, header.run_id.clone()));
            if let Some(arm) = header.arms.iter().find(|arm| arm.letter == letter) {
                labels.push((names::ARM, arm.name.clone()));
                labels.push((names::LETTER, letter.to_string()));
            }
        }
        labels.extend(more.into_iter().map(|(name, value)| (name, value.to_owned())));
        labels
    }

    fn number(&self, name: &str, labels: &Labels) -> Option<f64> {
        match self.families.get(name)?.get(labels)? {
            Value::Number(value, _) => Some(*value),
            Value::Spread(_) => None,
        }
    }

    fn set(&mut self, name: &'static str, labels: Labels, value: f64, until: u64) {
        self.families.entry(name).or_default().insert(labels, Value::Number(value, until));
    }

    fn forget(&mut self, name: &str, labels: &Labels) {
        if let Some(series) = self.families.get_mut(name) {
            series.remove(labels);
        }
    }

    fn count(&mut self, name: &'static str, labels: Labels, more: u64) {
        let before = self.number(name, &labels).unwrap_or(0.0);
        self.set(name, labels, before + more as f64, LASTING);
    }

    fn spread(&mut self, name: &'static str, labels: Labels, now: &Latencies, before: &Latencies) {
        let value = self.families.entry(name).or_default().entry(labels);
        if let Value::Spread(spread) = value.or_insert_with(|| Value::Spread(Box::default())) {
            spread.add(now, before);
        }
    }
}
