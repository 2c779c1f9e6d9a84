//! Where the CPU and the time of a journey go, part by part.

use std::collections::BTreeMap;

use model::{Run, SECOND};
use record::{Better, Measured, Score};

use super::{LATENCY, name, pair};
use crate::expect::{Unit, Window};

/// CPU and time of an arm over a window, by part, per journey, seconds.
pub(super) struct Parts {
    pub cpu: BTreeMap<String, f64>,
    cpu_total: f64,
    wall: BTreeMap<String, f64>,
    pub journeys: u64,
    billed: u64,
    hops: f64,
}

/// Those of an arm; `None` without a journey.
pub(super) fn of(run: &Run, window: &Window, arm: char) -> Option<Parts> {
    let (mut cpu, mut wall) = (BTreeMap::<String, f64>::new(), BTreeMap::<String, f64>::new());
    let (mut journeys, mut billed, mut cpu_total, mut requests) = (0, 0, 0, 0.0);
    for cost in run.costs(arm, window) {
        journeys += cost.journeys;
        billed += cost.billed;
        cpu_total += cost.cpu_total_ns;
        requests += cost.hops * cost.journeys as f64;
        for (part, ns) in &cost.cpu_parts_ns {
            *cpu.entry(part.clone()).or_default() += *ns as f64;
        }
        for (part, ns) in &cost.wall_parts_ns {
            *wall.entry(part.clone()).or_default() += *ns as f64;
        }
    }
    if journeys == 0 {
        return None;
    }
    let per = |parts: BTreeMap<String, f64>, n: u64| -> BTreeMap<String, f64> {
        parts.into_iter().map(|(part, ns)| (part, ns / SECOND as f64 / n.max(1) as f64)).collect()
    };
    Some(Parts {
        cpu: per(cpu, journeys),
        cpu_total: cpu_total as f64 / SECOND as f64 / journeys as f64,
        wall: per(wall, billed),
        journeys,
        billed,
        hops: requests / journeys as f64,
    })
}

/// Whether it is known where an arm's CPU went: without it a ratio says nothing. Threads of
/// databases are known by name; the work of components only where it is watched.
pub(crate) fn is_known(run: &Run, arm: char) -> bool {
    let known = of(run, &Window::Whole, arm);
    known.is_some_and(|parts| parts.cpu.get("business").is_some_and(|seconds| *seconds > 0.0))
}

/// Parts that are the price of crossing a process boundary.
const CROSSING: [&str; 4] = ["encoding", "transport", "queueing", "waking"];
/// Parts that are the work itself.
const WORK: [&str; 2] = ["business", "database"];

/// `work 0.41ms · hop 0.12ms x 5.1 hops` for each arm.
pub(super) fn beside(run: &Run, window: &Window) -> Option<String> {
    let texts: Vec<String> = run
        .header
        .arms
        .iter()
        .map(|arm| {
            let parts = of(run, window, arm.letter)?;
            let sum = |names: &[&str]| names.iter().filter_map(|part| parts.cpu.get(*part)).sum::<f64>();
            let hop = if parts.hops > 0.0 { sum(&CROSSING) / parts.hops } else { 0.0 };
            Some(format!(
                "{}: work {} CPU, hop {} CPU x {:.1} hops",
                arm.letter,
                crate::judge::show_unit(Unit::Time, sum(&WORK)),
                crate::judge::show_unit(Unit::Time, hop),
                parts.hops
            ))
        })
        .collect::<Option<_>>()?;
    Some(texts.join("; "))
}

/// Where the CPU and the time of a journey go, part by part.
pub(super) fn rows(run: &Run, window: &Window) -> Vec<Score> {
    let all: Vec<(char, Option<Parts>)> =
        run.letters().into_iter().map(|arm| (arm, of(run, window, arm))).collect();
    let names = |which: fn(&Parts) -> &BTreeMap<String, f64>| -> Vec<String> {
        let mut names: Vec<String> =
            all.iter().flat_map(|(_, p)| p.iter().flat_map(|p| which(p).keys().cloned())).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let row = |id: String, measure: String, value: &dyn Fn(&Parts) -> (f64, u64)| {
        let arms: BTreeMap<char, Measured> = all
            .iter()
            .map(|(arm, parts)| {
                let measured = parts.as_ref().map_or_else(Measured::default, |parts| {
                    let (value, n) = value(parts);
                    Measured { value: Some(value), n, interval: None }
                });
                (*arm, measured)
            })
            .collect();
        let difference = pair(run).and_then(|(a, b)| Some(arms.get(&b)?.value? - arms.get(&a)?.value?));
        Score {
            id,
            claim: LATENCY.into(),
            measure,
            unit: Unit::Time.symbol().into(),
            better: Better::Lower,
            window: name(window),
            ratio: None,
            beside: None,
            finding: difference.map_or_else(String::new, |d| {
                format!("{}{}", if d < 0.0 { "-" } else { "+" }, crate::judge::show_unit(Unit::Time, d.abs()))
            }),
            arms,
        }
    };
    let mut scores =
        vec![row("cpu_total".into(), "CPU per journey, from /proc".into(), &|p| (p.cpu_total, p.journeys))];
    for part in names(|p| &p.cpu) {
        scores.push(row(format!("cpu_{part}"), format!("of it {part}"), &|p| {
            (p.cpu.get(&part).copied().unwrap_or(0.0), p.journeys)
        }));
    }
    scores.push(row("time_total".into(), "time per journey at the door, mean".into(), &|p| {
        (p.wall.values().sum(), p.billed)
    }));
    for part in names(|p| &p.wall) {
        scores.push(row(format!("time_{part}"), format!("of it {part}"), &|p| {
            (p.wall.get(&part).copied().unwrap_or(0.0), p.billed)
        }));
    }
    scores
}
