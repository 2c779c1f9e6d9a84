//! What an arm did, as a number with its samples and interval.

use std::collections::BTreeMap;

use model::{Run, SECOND, TimeRange};
use record::{Latencies, Measured, StepPlan};

use crate::expect::{Kind, Thing, Window};
use crate::stats;

/// Microseconds in a second.
const MICROS: f64 = 1e6;
/// Goodput counts as recovered from here, for [`RECOVERED_FOR`] seconds in a row.
const RECOVERED: f64 = 0.95;
/// Seconds in a row.
const RECOVERED_FOR: u32 = 3;

/// The measure's value for an arm.
pub fn measure(run: &Run, kind: &Kind, window: &Window, arm: char) -> Measured {
    let whole = run.whole(window);
    match kind {
        Kind::Latency(q, selector) => {
            let latencies = run.merged(arm, &whole, selector, |w| &w.intended);
            quantile(&latencies, *q)
        }
        Kind::Staleness(q) => quantile(&run.merged(arm, &whole, "all", |w| &w.staleness), *q),
        Kind::Goodput(selector) => share(run, arm, &whole, selector, |w| w.good),
        Kind::Availability(selector) => share(run, arm, &whole, selector, |w| w.ok),
        Kind::Errors(selector) => share(run, arm, &whole, selector, |w| w.offered.saturating_sub(w.ok)),
        Kind::Rate(selector) => rate(run, arm, window, selector),
        Kind::Attempts(caller, callee) => attempts(run, arm, &whole, caller, callee),
        Kind::BreakerOpen(caller, callee) => breaker_open(run, arm, &whole, caller, callee),
        Kind::TimeToDetect(step) => marked(run, arm, step, &["detected"]),
        Kind::TimeToRollback(step) => marked(run, arm, step, &["rolled-back"]),
        Kind::TimeToFinish(step) => marked(run, arm, step, &["done"]),
        Kind::CacheHits(component) => {
            let figure =
                |which: usize| move |proc: &record::Proc| proc.cache.get(component).map_or(0, |c| c[which]);
            let reads = run.grown(arm, &whole, figure(1)).unwrap_or(0);
            proportion(run.grown(arm, &whole, figure(0)).unwrap_or(0).min(reads), reads)
        }
        Kind::Slower(selector, us) => {
            let latencies = run.merged(arm, &whole, selector, |w| &w.intended);
            proportion(latencies.above(*us), latencies.len())
        }
        Kind::Capacity(selector, us) => capacity(run, arm, selector, *us),
        Kind::Things(thing) => things(run, *thing, arm),
        Kind::StartUp => {
            let ready =
                run.header.arms.iter().find(|a| a.letter == arm).map(|a| a.ready_ms).filter(|ms| *ms > 0);
            Measured { value: ready.map(|ms| ms as f64 / 1e3), n: u64::from(ready.is_some()), interval: None }
        }
        Kind::Spans => spans(run, arm, &whole),
        Kind::Cpu => from_blocks(run, kind, window, arm),
        Kind::Wasted(component) => wasted(run, arm, &whole, component),
        Kind::Recovery(selector) => recovery(run, arm, selector),
        Kind::BlastRadius(step) => blast_radius(run, arm, step),
        Kind::CpuPerJourney => from_blocks(run, kind, window, arm),
        Kind::Cost => scaled(measure(run, &Kind::CpuPerJourney, window, arm), 1000.0),
        Kind::Hops => hops(run, arm, window),
        Kind::Pss => pss(run, arm, window, |_| true),
        Kind::PssOf(name) => pss(run, arm, window, |proc| holds(proc, name)),
        Kind::CpuOf(name) => cpu_of(run, arm, &whole, name),
        Kind::LostWrites => audited(run, arm, |audit| audit.lost),
        Kind::DuplicatedWrites => audited(run, arm, |audit| audit.duplicated),
        Kind::StaleReads => {
            let n = run.sum(arm, &whole, "all", |w| w.probes);
            counted(run.sum(arm, &whole, "all", |w| w.stale), n)
        }
        Kind::CpuStall => host(run, &whole, |host| host.cpu_stall / 100.0),
        Kind::MemoryAvailable => {
            let all = run.header.machine.memory_mib as f64;
            host(run, &whole, |host| host.memory_available_mib as f64 / all)
        }
    }
}

/// The measure over one stretch only: what paired ratios are made of. `None`
/// for measures that have no meaning in a part of a window.
pub fn in_stretch(run: &Run, kind: &Kind, stretch: &TimeRange, arm: char) -> Option<f64> {
    match kind {
        Kind::Latency(q, selector) => {
            let latencies = run.merged(arm, stretch, selector, |w| &w.intended);
            // A quantile needs a few samples beyond it to mean anything.
            let enough = latencies.len() as f64 * (1.0 - q) >= 2.0;
            latencies.quantile(*q).filter(|_| enough).map(|us| us as f64 / MICROS)
        }
        Kind::Rate(selector) => {
            let seconds = f64::from(stretch.seconds.end - stretch.seconds.start) * rounds(run, stretch);
            (seconds > 0.0).then(|| run.sum(arm, stretch, selector, |w| w.good) as f64 / seconds)
        }
        Kind::Cpu => {
            let seconds = f64::from(stretch.seconds.end - stretch.seconds.start) * rounds(run, stretch);
            (seconds > 0.0).then_some(run.cpu_ns(arm, stretch)? as f64 / SECOND as f64 / seconds)
        }
        Kind::CpuPerJourney | Kind::Cost => {
            let journeys = run.sum(arm, stretch, "all", |w| w.sent);
            let cpu = run.cpu_ns(arm, stretch)?;
            let scale = if matches!(kind, Kind::Cost) { 1000.0 } else { 1.0 };
            (journeys > 0).then(|| cpu as f64 / SECOND as f64 / journeys as f64 * scale)
        }
        _ => None,
    }
}

fn rounds(run: &Run, stretch: &TimeRange) -> f64 {
    if stretch.round == 0 { f64::from(run.header.rounds.max(1)) } else { 1.0 }
}

fn quantile(latencies: &Latencies, q: f64) -> Measured {
    Measured {
        value: latencies.quantile(q).map(|us| us as f64 / MICROS),
        n: latencies.len(),
        interval: stats::quantile(latencies, q).map(|(low, high)| (low / MICROS, high / MICROS)),
    }
}

fn share(
    run: &Run,
    arm: char,
    stretch: &TimeRange,
    selector: &str,
    part: impl Fn(&record::Window) -> u64,
) -> Measured {
    let n = run.sum(arm, stretch, selector, |w| w.offered);
    proportion(run.sum(arm, stretch, selector, part), n)
}

fn proportion(part: u64, n: u64) -> Measured {
    Measured { value: (n > 0).then(|| part as f64 / n as f64), n, interval: stats::proportion(part, n) }
}

fn rate(run: &Run, arm: char, window: &Window, selector: &str) -> Measured {
    let kind = Kind::Rate(selector.to_owned());
    let n = run.sum(arm, &run.whole(window), selector, |w| w.good);
    Measured { n, ..from_blocks(run, &kind, window, arm) }
}

/// Value over the whole window, interval from its blocks.
fn from_blocks(run: &Run, kind: &Kind, window: &Window, arm: char) -> Measured {
    let whole = run.whole(window);
    let blocks: Vec<f64> =
        run.blocks(window).iter().filter_map(|block| in_stretch(run, kind, block, arm)).collect();
    Measured {
        value: in_stretch(run, kind, &whole, arm),
        n: run.sum(arm, &whole, "all", |w| w.sent),
        interval: stats::mean(&blocks).map(|(_, interval)| interval),
    }
}

fn attempts(run: &Run, arm: char, stretch: &TimeRange, caller: &str, callee: &str) -> Measured {
    let (mut tries, mut calls) = (0.0, 0.0);
    for edge in run.edges(arm, stretch).filter(|edge| edge.caller == caller && edge.callee == callee) {
        tries += edge.actual_rps;
        calls += edge.effective_rps;
    }
    Measured { value: (calls > 0.0).then(|| tries / calls), n: calls as u64, interval: None }
}

/// What a component finished in vain. Cumulative figures of its processes: a share
/// has no interval of its own beyond that of a proportion.
fn wasted(run: &Run, arm: char, stretch: &TimeRange, component: &str) -> Measured {
    let figure =
        |which: usize| move |proc: &record::Proc| proc.work.get(component).map_or(0, |work| work[which]);
    let done = run.grown(arm, stretch, figure(0)).unwrap_or(0);
    let vain = run.grown(arm, stretch, figure(1)).unwrap_or(0);
    proportion(vain.min(done), done)
}

/// The highest rate among the measured phases that kept the limit at its 99th
/// percentile, with 99 % of its journeys good; from the arrivals themselves.
fn capacity(run: &Run, arm: char, selector: &str, limit_us: u64) -> Measured {
    let mut best = Measured::default();
    for phase in run.header.phases.iter().filter(|phase| phase.measure) {
        let stretch = run.whole(&Window::Phase(phase.name.clone()));
        let offered = run.sum(arm, &stretch, selector, |w| w.offered);
        let good = run.sum(arm, &stretch, selector, |w| w.good);
        let seconds = f64::from(stretch.seconds.end - stretch.seconds.start) * rounds(run, &stretch);
        let p99 = run.merged(arm, &stretch, selector, |w| &w.intended).quantile(0.99);
        let kept = p99.is_some_and(|us| us <= limit_us) && good as f64 >= 0.99 * offered as f64;
        let rate = offered as f64 / seconds.max(1.0);
        if kept && best.value.is_none_or(|value| rate > value) {
            best = Measured { value: Some(rate), n: offered, interval: None };
        }
    }
    // Not even the lowest rate: no capacity at that limit.
    if best.value.is_none() { Measured { value: Some(0.0), n: 1, interval: None } } else { best }
}

fn things(run: &Run, thing: Thing, arm: char) -> Measured {
    let Some(arm) = run.header.arms.iter().find(|a| a.letter == arm) else { return Measured::default() };
    let count = match thing {
        Thing::Processes => arm.instances.len() as u64,
        Thing::Ports => arm.instances.iter().map(|i| 1 + u64::from(i.public_port.is_some())).sum(),
        Thing::Databases => arm.databases.into(),
        Thing::ConfigKeys => arm.config_keys.into(),
    };
    counted(count, 1)
}

/// Spans that ended in a stretch, per journey sent in it.
pub(crate) fn spans(run: &Run, arm: char, stretch: &TimeRange) -> Measured {
    let journeys = run.sum(arm, stretch, "all", |w| w.sent);
    let ended = run.grown(arm, stretch, |proc| proc.spans[0]);
    let value = ended.filter(|_| journeys > 0).map(|ended| ended as f64 / journeys as f64);
    Measured { value, n: journeys, interval: None }
}

fn breaker_open(run: &Run, arm: char, stretch: &TimeRange, caller: &str, callee: &str) -> Measured {
    let seconds: Vec<bool> = run
        .edges(arm, stretch)
        .filter(|edge| edge.caller == caller && edge.callee == callee)
        .map(|edge| edge.breaker == 2)
        .collect();
    counted(seconds.iter().filter(|open| **open).count() as u64, seconds.len() as u64)
}

/// From the first mark of a step in an arm to one of those that end it. A step that
/// never got there has no number.
fn marked(run: &Run, arm: char, step: &str, ends: &[&str]) -> Measured {
    let Some(step) = run.header.steps.iter().find(|s| s.id == step || s.number.to_string() == step) else {
        return Measured::default();
    };
    let at = |marks: &[&str]| {
        let mut events = run.events().iter();
        let found = events.find(|(_, event)| {
            event.number == step.number
                && event
                    .mark
                    .as_ref()
                    .is_some_and(|(letter, mark)| *letter == arm && marks.contains(&mark.as_str()))
        });
        found.map(|(t, _)| *t)
    };
    match (at(&["began"]), at(ends)) {
        (Some(began), Some(end)) => {
            let value = Some(end.saturating_sub(began) as f64 / SECOND as f64);
            Measured { value, n: 1, interval: None }
        }
        _ => Measured::default(),
    }
}

/// End of the last fault, in phase seconds; a one-shot step ends when it happens.
fn last_fault_end(run: &Run) -> Option<u32> {
    let end = |step: &StepPlan| step.start_ns + step.length_ns;
    let faults = run.header.steps.iter().filter(|step| step.is_fault);
    faults.map(end).max().map(|ns| u32::try_from(ns / SECOND).unwrap_or(u32::MAX))
}

/// Seconds from the end of the last fault to the first second of three in a row
/// with goodput at 95 %, each second by the arrivals due in it.
fn recovery(run: &Run, arm: char, selector: &str) -> Measured {
    let Some(from) = last_fault_end(run) else { return Measured::default() };
    let end = run.seconds(&Window::Whole).end;
    let mut good_in_a_row = 0;
    let mut n = 0;
    for second in from..end {
        let stretch = TimeRange { round: 0, seconds: second..second + 1 };
        let offered = run.sum(arm, &stretch, selector, |w| w.offered);
        let good = run.sum(arm, &stretch, selector, |w| w.good);
        n += offered;
        let recovered = offered == 0 || good as f64 >= RECOVERED * offered as f64;
        good_in_a_row = if recovered { good_in_a_row + 1 } else { 0 };
        if good_in_a_row == RECOVERED_FOR {
            return Measured { value: Some(f64::from(second + 1 - RECOVERED_FOR - from)), n, interval: None };
        }
    }
    // Never within the run: no number, and the expectation on it fails.
    Measured { value: (n > 0).then_some(f64::INFINITY), n, interval: None }
}

/// Share of the journeys that do not need what a step hits, and still failed or
/// came too late, from the step to the end of its phase.
fn blast_radius(run: &Run, arm: char, step: &str) -> Measured {
    let header = &run.header;
    let Some(step) = header.steps.iter().find(|s| s.id == step || s.number.to_string() == step) else {
        return Measured::default();
    };
    let inside = |phase: &&record::PhasePlan| {
        (phase.start_ns..phase.start_ns + phase.length_ns).contains(&step.start_ns)
    };
    let Some(phase) = header.phases.iter().find(inside) else { return Measured::default() };
    let seconds = u32::try_from(step.start_ns / SECOND).unwrap_or(0)
        ..u32::try_from((phase.start_ns + phase.length_ns) / SECOND).unwrap_or(0);
    let stretch = TimeRange { round: 0, seconds };
    let bystander = |journey: &str| {
        header
            .journeys
            .iter()
            .any(|j| j.name == journey && !j.needs.iter().any(|need| step.hits.contains(need)))
    };
    let (mut offered, mut hurt) = (0, 0);
    for window in run.windows(arm, &stretch, bystander) {
        offered += window.offered;
        hurt += window.offered.saturating_sub(window.good);
    }
    proportion(hurt, offered)
}

fn hops(run: &Run, arm: char, window: &Window) -> Measured {
    let (mut requests, mut journeys) = (0.0, 0);
    for cost in run.costs(arm, window) {
        requests += cost.hops * cost.journeys as f64;
        journeys += cost.journeys;
    }
    Measured { value: (journeys > 0).then(|| requests / journeys as f64), n: journeys, interval: None }
}

/// Whether a process holds a component.
fn holds(proc: &record::Proc, name: &str) -> bool {
    proc.components.iter().any(|component| component == name)
}

fn cpu_of(run: &Run, arm: char, stretch: &TimeRange, name: &str) -> Measured {
    let seconds = f64::from(stretch.seconds.end - stretch.seconds.start) * rounds(run, stretch);
    let spent = run.grown(arm, stretch, |proc| if holds(proc, name) { proc.cpu_ns } else { 0 });
    let value = spent.filter(|_| seconds > 0.0).map(|ns| ns as f64 / SECOND as f64 / seconds);
    Measured { value, n: run.sum(arm, stretch, "all", |w| w.sent), interval: None }
}

/// The highest PSS of an arm's processes of a kind: those sampled in the same second are added.
/// Over the whole run the time before its first measured phase counts as well.
fn pss(run: &Run, arm: char, window: &Window, is_meant: impl Fn(&record::Proc) -> bool) -> Measured {
    let part = (*window != Window::Whole).then(|| run.run_time(arm, &run.whole(window)));
    let is_inside = |t: &u64| part.as_ref().is_none_or(|ranges| ranges.iter().any(|range| range.contains(t)));
    let mut by_second = BTreeMap::<u64, u64>::new();
    let mut n = 0;
    for (_, samples) in run.procs(arm) {
        // A process may be looked at twice in a second: at its tick, and at the end.
        let mut own = BTreeMap::<u64, u64>::new();
        let meant = samples.iter().filter(|(t, proc)| is_meant(proc) && is_inside(t));
        for (t, proc) in meant {
            let highest = own.entry(t / SECOND).or_default();
            *highest = proc.pss_kib.max(*highest);
            n += 1;
        }
        own.into_iter().for_each(|(second, kib)| *by_second.entry(second).or_default() += kib);
    }
    let highest = by_second.values().max().map(|kib| *kib as f64 * 1024.0);
    Measured { value: highest, n, interval: None }
}

fn audited(run: &Run, arm: char, which: impl Fn(&record::Audit) -> u64) -> Measured {
    run.audit(arm).map_or_else(Measured::default, |audit| counted(which(&audit), audit.acknowledged))
}

fn host(run: &Run, stretch: &TimeRange, which: impl Fn(&record::Host) -> f64) -> Measured {
    let values: Vec<f64> = run.hosts(stretch).map(which).collect();
    let n = values.len() as u64;
    Measured {
        value: (n > 0).then(|| values.iter().sum::<f64>() / n as f64),
        n,
        interval: stats::mean(&values).map(|(_, interval)| interval),
    }
}

/// A count is exact: its interval is itself.
fn counted(count: u64, n: u64) -> Measured {
    let value = (n > 0).then_some(count as f64);
    Measured { value, n, interval: value.map(|v| (v, v)) }
}

/// The same measure in another unit.
pub(crate) fn scaled(measured: Measured, by: f64) -> Measured {
    Measured {
        value: measured.value.map(|v| v * by),
        interval: measured.interval.map(|(low, high)| (low * by, high * by)),
        ..measured
    }
}

/// `b` over `a`: from paired blocks where the measure has them, else from the two intervals.
pub fn ratio(run: &Run, kind: &Kind, window: &Window, a: char, b: char) -> Option<Measured> {
    let (left, right) = (measure(run, kind, window, a), measure(run, kind, window, b));
    let value = match (left.value?, right.value?) {
        (a, b) if a > 0.0 => b / a,
        _ => return None,
    };
    let blocks = run.blocks(window);
    let of = |arm: char| -> Vec<Option<f64>> {
        blocks.iter().map(|block| in_stretch(run, kind, block, arm)).collect()
    };
    let interval = stats::paired_ratio(&of(a), &of(b)).map(|(_, interval)| interval).or_else(|| {
        let ((a_low, a_high), (b_low, b_high)) = (left.interval?, right.interval?);
        (a_low > 0.0).then(|| (b_low / a_high, b_high / a_low))
    });
    Some(Measured { value: Some(value), n: left.n.min(right.n), interval })
}
