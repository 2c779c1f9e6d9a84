//! Who else used the machine, window by window: what two arms that ran side by side are not compared in.

use std::sync::Arc;

use model::{Run, Window, host};
use record::{Host, Proc, StepPlan};

use super::LintList;
use super::claim::{Doubt, compared};
use crate::expect::{Expectation, Query, Side};
use crate::measure::Property;
use crate::selection::name_of;

/// Share of time runnable tasks waited for a CPU from which latencies of arms side by side are not compared.
const MAX_CPU_STALL: f64 = 0.5;
/// The same of tasks that waited for a disk.
const MAX_IO_STALL: f64 = 0.5;
/// Share of all CPU time that the hypervisor may take: a tick in fifty is late by a scheduling period.
const MAX_STEAL: f64 = 0.02;
/// Share of all cores that processes outside the run may use; an idle machine's use 2 %.
const MAX_OTHER_CPU: f64 = 0.10;

/// A lint of the machine: its figure of a second, from which mean it is reported, and its words.
struct Rule {
    lint: &'static str,
    figure: fn(&Host, f64) -> Option<f64>,
    limit: f64,
    words: fn(f64) -> String,
}

const RULES: [Rule; 4] = [
    Rule {
        lint: "noisy",
        figure: |host, _| host::stall_share(host),
        limit: MAX_CPU_STALL,
        words: |percent| format!("tasks waited for a CPU {percent:.0} % of the time"),
    },
    Rule {
        lint: "steal",
        figure: |host, cores| Some(host.steal / 100.0 / cores),
        limit: MAX_STEAL,
        words: |percent| format!("the hypervisor took {percent:.1} % of the CPU time"),
    },
    Rule {
        lint: "other_cpu",
        figure: |host, cores| Some(host::other_cores(host) / cores),
        limit: MAX_OTHER_CPU,
        words: |percent| format!("processes outside the run used {percent:.0} % of the machine"),
    },
    Rule {
        lint: "io_pressure",
        figure: |host, _| host.io_stall.map(|percent| percent / 100.0),
        limit: MAX_IO_STALL,
        words: |percent| format!("tasks waited for a disk {percent:.0} % of the time"),
    },
];

impl Rule {
    /// What was found in a window, in words.
    fn found(&self, run: &Run, window: &Window) -> Option<String> {
        let mean = self.mean(run, window)?;
        (mean > self.limit).then(|| format!("{} in {}", (self.words)(mean * 100.0), name_of(window)))
    }

    /// Its mean over the seconds of a window in which it is known.
    fn mean(&self, run: &Run, window: &Window) -> Option<f64> {
        let cores = f64::from(run.header.machine.cores.max(1));
        let seconds = run.whole(window);
        let known: Vec<f64> = run.hosts(&seconds).filter_map(|host| (self.figure)(host, cores)).collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    }
}

/// Whether tasks waited for a CPU most of the time of the measured phases.
pub fn is_noisy(run: &Run) -> bool {
    RULES[0].found(run, &Window::Whole).is_some()
}

/// Whether latencies and capacities of two arms are not compared in a window. Arms that take turns are: what hits one of
/// their rounds is in the interval.
pub(crate) fn is_disturbed(run: &Run, window: &Window) -> bool {
    is_side_by_side(run) && RULES.iter().any(|rule| rule.found(run, window).is_some())
}

fn is_side_by_side(run: &Run) -> bool {
    run.header.way != "interleaved"
}

/// Why a comparison of latencies, or a claim about capacity, is not judged.
pub(super) fn doubts(run: &Run, claim: &Expectation) -> Vec<Doubt> {
    let needed = |rule: &Rule| {
        let mut sides = sides_that_need_an_idle_machine(claim).into_iter();
        let reason = sides.find_map(|side| rule.found(run, &side.window))?;
        Some(Doubt { lint: rule.lint, reason: format!("side by side, {reason}") })
    };
    if is_side_by_side(run) { RULES.iter().filter_map(needed).collect() } else { Vec::new() }
}

fn sides_that_need_an_idle_machine(claim: &Expectation) -> Vec<&Query> {
    let needs_idle = |query: &&Query| query.measure.has(Property::NeedsIdleMachine);
    match (compared(claim), &claim.left) {
        (Some((left, right)), _) => [left, right].into_iter().filter(needs_idle).collect(),
        // What one arm carries is what the other leaves it.
        (None, Side::Measure { query, .. }) if needs_idle(&query) && !query.measure.is_latency() => {
            vec![query]
        }
        _ => Vec::new(),
    }
}

/// What is found of the whole run where no claim is touched, and what is not known.
pub(super) fn notes(run: &Run, found: &mut LintList) {
    for rule in &RULES {
        if let Some(text) = rule.found(run, &Window::Whole) {
            found.add_note(rule.lint, text);
        }
    }
    let mut hosts = run.all_hosts().peekable();
    if hosts.peek().is_some() && hosts.all(|host| host.cpu_stall.is_none()) {
        let text =
            "this kernel reports no pressure (/proc/pressure): whether tasks waited for a CPU is not known";
        found.add("pressure_unknown", text.to_owned());
    }
    build(run, found);
    page_cache(run, found);
}

/// Figures of a program that is not the one that is shipped.
fn build(run: &Run, found: &mut LintList) {
    let header = &run.header;
    let mut reasons = Vec::new();
    if header.machine.profile == "debug" {
        reasons.push("a debug build: cargo build --release has other figures");
    }
    if header.version.contains(".dirty") {
        reasons.push("built with changes that no commit has");
    }
    if !reasons.is_empty() {
        found.add("build", format!("figures are not to be quoted: {}", reasons.join("; ")));
    }
}

/// A database's disk is made slow, full or faulty, and what is read lies in memory all the same.
fn page_cache(run: &Run, found: &mut LintList) {
    let is_of_disk = |step: &&StepPlan| {
        let text = &step.text;
        step.is_fault && text.starts_with("db:") && text.contains("disk")
    };
    let Some(step) = run.header.steps.iter().find(is_of_disk) else { return };
    let largest = |arm: char| {
        let of_process = |samples: &[(u64, Arc<Proc>)]| samples.iter().map(|(_, proc)| proc.db_bytes).max();
        run.processes(arm).filter_map(|(_, samples)| of_process(samples)).sum::<u64>()
    };
    let bytes = run.letters().into_iter().map(largest).max().unwrap_or(0) as f64;
    let Some(memory) = run.all_hosts().map(host::memory_available).reduce(f64::min) else { return };
    if bytes > 0.0 && bytes < memory {
        let size = |bytes: f64| model::format::value(Some(bytes), "B");
        let text = format!(
            "step {} (`{}`) acts on a disk, and the data set of {} lies in the page cache ({} of memory are left): outside the \
             fault no read meets a disk",
            step.number,
            step.id,
            size(bytes),
            size(memory)
        );
        found.add("page_cache", text);
    }
}
