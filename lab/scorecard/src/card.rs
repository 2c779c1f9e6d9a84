//! The scorecard: every trade-off as a row, with its samples, interval and direction of good.

pub(crate) mod parts;
mod traces;

use std::collections::BTreeMap;

use model::{Run, SECOND, TimeRange};
use record::{Better, Measured, Score};

use crate::expect::{Kind, Unit, Window};
use crate::measure::{measure, ratio, scaled};
use crate::stats;

/// What a row is, before it is measured.
struct Row {
    id: &'static str,
    claim: &'static str,
    measure: &'static str,
    unit: Unit,
    better: Better,
    kind: Kind,
    /// Latency and CPU ratios mean nothing without the work they sit on.
    beside: bool,
}

const LATENCY: &str = "network latency between services";
const SCALE: &str = "scalability";
const ISOLATION: &str = "fault isolation";
const CONSISTENCY: &str = "data consistency";
const COMPLEXITY: &str = "operational complexity";
const WATCHING: &str = "monitoring and tracing";

fn rows() -> Vec<Row> {
    let all = || "all".to_owned();
    let row = |id, claim, measure, better, kind: Kind, beside| Row {
        id,
        claim,
        measure,
        unit: kind.unit(),
        better,
        kind,
        beside,
    };
    use Better::{Higher, Lower, Neither};
    vec![
        row(
            "latency_p50",
            LATENCY,
            "p50 of ok journeys, from the intended start",
            Lower,
            Kind::Latency(0.5, all()),
            true,
        ),
        row(
            "latency_p99",
            LATENCY,
            "p99 of ok journeys, from the intended start",
            Lower,
            Kind::Latency(0.99, all()),
            true,
        ),
        row(
            "latency_p999",
            LATENCY,
            "p99.9 of ok journeys, from the intended start",
            Lower,
            Kind::Latency(0.999, all()),
            true,
        ),
        row("hops", LATENCY, "requests on the wire per journey", Neither, Kind::Hops, false),
        row("cpu_per_journey", LATENCY, "CPU of the arm per journey", Lower, Kind::CpuPerJourney, true),
        row("goodput", SCALE, "journeys answered ok and in time", Higher, Kind::Goodput(all()), false),
        row("rate", SCALE, "good journeys per second", Higher, Kind::Rate(all()), false),
        row(
            "recovery",
            ISOLATION,
            "from the last fault's end to 95 % goodput",
            Lower,
            Kind::Recovery(all()),
            false,
        ),
        row(
            "stale_reads",
            CONSISTENCY,
            "reads that missed an acknowledged write",
            Lower,
            Kind::StaleReads,
            false,
        ),
        row(
            "staleness_p50",
            CONSISTENCY,
            "acknowledged until visible elsewhere, p50",
            Lower,
            Kind::Staleness(0.5),
            false,
        ),
        row(
            "staleness_p99",
            CONSISTENCY,
            "acknowledged until visible elsewhere, p99",
            Lower,
            Kind::Staleness(0.99),
            false,
        ),
        row("lost_writes", CONSISTENCY, "acknowledged writes that are gone", Lower, Kind::LostWrites, false),
        row(
            "duplicated_writes",
            CONSISTENCY,
            "acknowledged writes found twice",
            Lower,
            Kind::DuplicatedWrites,
            false,
        ),
        row("memory", COMPLEXITY, "PSS of the arm at its highest", Lower, Kind::Pss, false),
    ]
}

/// Every row these lines can fill. `steady` is the phase undisturbed figures
/// come from; fault rows come from the phases of their steps.
pub fn scorecard(run: &Run) -> Vec<Score> {
    let steady = steady(run);
    let mut scores = Vec::new();
    for row in rows() {
        let window = match row.claim {
            LATENCY | SCALE => &steady,
            _ => &Window::Whole,
        };
        scores.push(score(run, &row, window));
    }
    scores.extend(parts::rows(run, &steady));
    scores.extend(faults(run));
    scores.extend(capacity(run, &steady));
    scores.extend(complexity(run));
    scores.extend(traces::rows(run, &steady));
    scores.extend(watching(run, &steady));
    scores.extend(crate::front::rows(run));
    scores.retain(|score| score.arms.values().any(|measured| measured.value.is_some()));
    scores
}

/// The phase called `steady`, or the first measured one.
fn steady(run: &Run) -> Window {
    let phases = &run.header.phases;
    let named = phases.iter().find(|phase| phase.name == "steady" && phase.measure);
    named
        .or_else(|| phases.iter().find(|phase| phase.measure))
        .map_or(Window::Whole, |p| Window::Phase(p.name.clone()))
}

fn name(window: &Window) -> String {
    match window {
        Window::Phase(name) => name.clone(),
        Window::Whole => "whole".into(),
        Window::Last(ns) => format!("last {}s", ns / SECOND),
        Window::Seconds(from, to) => format!("{from}s to {to}s"),
    }
}

fn score(run: &Run, row: &Row, window: &Window) -> Score {
    let arms: BTreeMap<char, Measured> =
        run.letters().into_iter().map(|arm| (arm, measure(run, &row.kind, window, arm))).collect();
    let ratio = pair(run).and_then(|(a, b)| ratio(run, &row.kind, window, a, b));
    let beside = row.beside.then(|| parts::beside(run, window)).flatten();
    Score {
        id: row.id.into(),
        claim: row.claim.into(),
        measure: row.measure.into(),
        unit: row.unit.symbol().into(),
        better: row.better,
        window: name(window),
        finding: finding(&row.kind, &arms, ratio.as_ref(), row.beside && beside.is_none()),
        // A latency or CPU ratio without work, hop cost and hops beside it is refused.
        ratio: ratio.filter(|_| !row.beside || beside.is_some()),
        beside,
        arms,
    }
}

/// The first two arms: ratios are B over A.
fn pair(run: &Run) -> Option<(char, char)> {
    match run.letters()[..] {
        [a, b, ..] => Some((a, b)),
        _ => None,
    }
}

fn finding(kind: &Kind, arms: &BTreeMap<char, Measured>, ratio: Option<&Measured>, refused: bool) -> String {
    if arms.values().any(|measured| measured.value.is_none()) {
        return "not measured".into();
    }
    if refused {
        return "no ratio without work, hop cost and hops".into();
    }
    let values: Vec<f64> = arms.values().filter_map(|m| m.value).collect();
    match ratio.and_then(|ratio| ratio.interval) {
        Some(interval) => of_ratio(interval),
        None if values.windows(2).all(|pair| pair[0] == pair[1]) => "no difference".into(),
        // A quantile has an interval as soon as there are samples beyond it.
        None if matches!(kind, Kind::Latency(..) | Kind::Staleness(_)) => "too few samples".into(),
        None => apart_of(arms),
    }
}

/// Finding of two figures that differ.
pub const DIFFERS: &str = "differs";

/// A ratio's interval that holds 1 finds no difference.
fn of_ratio((low, high): stats::Interval) -> String {
    if low > 1.0 || high < 1.0 { DIFFERS.into() } else { "no difference".into() }
}

/// Without a ratio: do the intervals of the first two arms stand apart?
fn apart_of(arms: &BTreeMap<char, Measured>) -> String {
    let mut arms = arms.values();
    match (arms.next(), arms.next()) {
        (Some(a), Some(b)) => apart(a, b).into(),
        _ => "no interval".into(),
    }
}

/// Whether two figures differ: their intervals do not overlap.
pub fn apart(one: &Measured, two: &Measured) -> &'static str {
    match (one.interval, two.interval) {
        (Some((_, high)), Some((low, _))) if high < low => DIFFERS,
        (Some((low, _)), Some((_, high))) if high < low => DIFFERS,
        (Some(_), Some(_)) => "no difference",
        _ => "no interval",
    }
}

/// Rows of each step: goodput while it lasted, and whom else it hurt.
fn faults(run: &Run) -> Vec<Score> {
    let mut scores = Vec::new();
    for step in &run.header.steps {
        let inside = |phase: &&record::PhasePlan| {
            (phase.start_ns..phase.start_ns + phase.length_ns).contains(&step.start_ns)
        };
        let Some(phase) = run.header.phases.iter().find(inside) else { continue };
        let window = Window::Phase(phase.name.clone());
        let of = |id: String, measure: String, better: Better, kind: Kind| {
            let row =
                Row { id: "", claim: ISOLATION, measure: "", unit: kind.unit(), better, kind, beside: false };
            Score { id, measure, ..score(run, &row, &window) }
        };
        scores.push(of(
            format!("goodput_{}", step.id),
            format!("goodput while {} lasts", step.id),
            Better::Higher,
            Kind::Goodput("all".into()),
        ));
        scores.push(of(
            format!("blast_radius_{}", step.id),
            format!("journeys hurt that do not need what {} hits", step.id),
            Better::Lower,
            Kind::BlastRadius(step.id.clone()),
        ));
    }
    scores
}

/// Journeys per second per core used, and per GiB held. The CPU of every stretch is known, so the first has
/// an interval; memory has one highest value a run, so the second has none.
fn capacity(run: &Run, window: &Window) -> Vec<Score> {
    let row = |id: &str, measure: &str, arms: BTreeMap<char, Measured>, finding: String| Score {
        id: id.into(),
        claim: SCALE.into(),
        measure: measure.into(),
        unit: Unit::Rate.symbol().into(),
        better: Better::Higher,
        window: name(window),
        ratio: None,
        beside: None,
        finding,
        arms,
    };
    let (whole, blocks) = (run.whole(window), run.blocks(window));
    // Journeys a second over cores is journeys over seconds of CPU.
    let per_core = |arm: char, stretch: &TimeRange| {
        let cpu = run.cpu_ns(arm, stretch).filter(|ns| *ns > 0)?;
        Some(run.sum(arm, stretch, "all", |w| w.good) as f64 * SECOND as f64 / cpu as f64)
    };
    let of_blocks =
        |arm: char| -> Vec<Option<f64>> { blocks.iter().map(|block| per_core(arm, block)).collect() };
    let cores: BTreeMap<char, Measured> = run
        .letters()
        .into_iter()
        .map(|arm| {
            let known: Vec<f64> = of_blocks(arm).into_iter().flatten().collect();
            let measured = Measured {
                value: per_core(arm, &whole),
                n: run.sum(arm, &whole, "all", |w| w.good),
                interval: stats::mean(&known).map(|(_, interval)| interval),
            };
            (arm, measured)
        })
        .collect();
    let letters = run.letters();
    let paired = match letters.as_slice() {
        [a, b, ..] => stats::paired_ratio(&of_blocks(*a), &of_blocks(*b)).map(|(_, interval)| interval),
        _ => None,
    };
    let found = paired.map_or_else(|| "no interval".into(), of_ratio);
    let held =
        |arm: char| measure(run, &Kind::Pss, window, arm).value.map(|bytes| bytes / f64::from(1 << 30));
    let memory: BTreeMap<char, Measured> = run
        .letters()
        .into_iter()
        .map(|arm| {
            let rate = measure(run, &Kind::Rate("all".into()), window, arm);
            let divided = held(arm).filter(|gib| *gib > 0.0).map(|gib| scaled(rate, 1.0 / gib));
            (arm, Measured { interval: None, ..divided.unwrap_or_default() })
        })
        .collect();
    let of_memory = apart_of(&memory);
    vec![
        row("rate_per_core", "good journeys per second and core used", cores, found),
        row("rate_per_gib", "good journeys per second and GiB held", memory, of_memory),
    ]
}

/// What there is to look after.
fn complexity(run: &Run) -> Vec<Score> {
    let row =
        |id: &str, measure: &str, unit: Unit, is_exact: bool, value: &dyn Fn(&record::Arm) -> Option<f64>| {
            let arms: BTreeMap<char, Measured> = run
                .header
                .arms
                .iter()
                .map(|arm| {
                    let value = value(arm);
                    // What is counted in a plan is itself; what was seen once may be otherwise next time.
                    let interval = value.filter(|_| is_exact).map(|v| (v, v));
                    (arm.letter, Measured { value, n: u64::from(value.is_some()), interval })
                })
                .collect();
            Score {
                id: id.into(),
                claim: COMPLEXITY.into(),
                measure: measure.into(),
                unit: unit.symbol().into(),
                better: Better::Lower,
                window: "whole".into(),
                ratio: None,
                beside: None,
                finding: apart_of(&arms),
                arms,
            }
        };
    let sockets = |arm: &record::Arm| {
        let most = |samples: &[(u64, record::Proc)]| samples.iter().map(|(_, proc)| proc.sockets).max();
        let counts: Vec<u32> = run.procs(arm.letter).filter_map(|(_, samples)| most(samples)).collect();
        (!counts.is_empty()).then(|| counts.iter().sum::<u32>().into())
    };
    vec![
        row("processes", "processes", Unit::Count, true, &|arm| Some(arm.instances.len() as f64)),
        row("ports", "listening ports", Unit::Count, true, &|arm| {
            Some(arm.instances.iter().map(|i| 1 + u32::from(i.public_port.is_some())).sum::<u32>().into())
        }),
        row("connections", "sockets open at most", Unit::Count, false, &sockets),
        row("databases", "databases", Unit::Count, true, &|arm| Some(arm.databases.into())),
        row("config_keys", "configuration keys", Unit::Count, true, &|arm| Some(arm.config_keys.into())),
        row("start_up", "from the first process to serving", Unit::Time, false, &|arm| {
            (arm.ready_ms > 0).then_some(arm.ready_ms as f64 / 1e3)
        }),
    ]
}

/// What watching costs.
fn watching(run: &Run, window: &Window) -> Vec<Score> {
    let whole = run.whole(window);
    let per_journey = |id: &str, measure: &str, unit: Unit, figure: &dyn Fn(char) -> Option<(f64, u64)>| {
        let arms: BTreeMap<char, Measured> = run
            .letters()
            .into_iter()
            .map(|arm| {
                let measured = figure(arm).map_or_else(Measured::default, |(value, n)| Measured {
                    value: Some(value),
                    n,
                    interval: None,
                });
                (arm, measured)
            })
            .collect();
        Score {
            id: id.into(),
            claim: WATCHING.into(),
            measure: measure.into(),
            unit: unit.symbol().into(),
            better: Better::Lower,
            window: name(window),
            ratio: None,
            beside: None,
            finding: String::new(),
            arms,
        }
    };
    let spans = |arm: char| {
        let journeys = run.sum(arm, &whole, "all", |w| w.sent);
        let ranges = run.run_time(arm, &whole);
        let ended = |samples: &[(u64, record::Proc)]| {
            let inside: Vec<u64> = samples
                .iter()
                .filter(|(t, _)| ranges.iter().any(|range| range.contains(t)))
                .map(|(_, proc)| proc.spans[0])
                .collect();
            inside.last().unwrap_or(&0).saturating_sub(*inside.first().unwrap_or(&0))
        };
        let total: u64 = run.procs(arm).map(|(_, samples)| ended(samples)).sum();
        (journeys > 0).then(|| (total as f64 / journeys as f64, journeys))
    };
    let cpu = |arm: char| {
        let parts = parts::of(run, window, arm)?;
        Some((*parts.cpu.get("telemetry")?, parts.journeys))
    };
    vec![
        per_journey("spans", "spans per journey", Unit::Count, &spans),
        per_journey("telemetry_cpu", "CPU of telemetry per journey", Unit::Time, &cpu),
    ]
}
