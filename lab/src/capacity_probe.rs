//! What each arm can do, where the load is a share of it: `rate = "30% of slowest"`.
//!
//! Measured once per scenario and machine, each arm alone, by users who come again as soon as
//! they are answered. From then on the rate is absolute, and the same for every arm.

use std::collections::BTreeMap;
use std::path::Path;

use conductor::{RunError, RunOptions};
use contract::id::fnv1a64;
use policy::units::{HumanDuration, Rate};
use record::Entry;
use scenario::{Phase, Scenario, Stop};
use tokio::sync::watch;
use traffic::load::{Model, Rates, Shape, Users};

use crate::cli;
use crate::run_command::{self, View};

/// Users at once: enough to keep two cores busy, whichever way an arm is cut.
const USERS: u32 = 16;
/// Until caches are warm and connections made.
const WARM_UP_SECONDS: u32 = 1;
/// Long enough for some hundred answers.
const PROBE_SECONDS: u32 = 4;
/// Of a closed loop, the most there may be: more than any arm does here.
const MAX_RATE: f64 = 5_000.0;
/// Where what was measured is kept, in the folder of runs.
const CAPACITY_FILE: &str = "capacity.json";

/// Good journeys per second by arm, by scenario and machine.
type MeasuredCapacity = BTreeMap<String, BTreeMap<String, f64>>;

/// Makes the rate of an order absolute.
///
/// # Errors
/// When an arm cannot be measured.
pub fn resolve_rate(options: &mut RunOptions, interrupts: &watch::Sender<u32>) -> Result<(), RunError> {
    let Rates::OfSlowest(share) = options.scenario.load.rate else { return Ok(()) };
    let arms = arms_of(options);
    let path = options.out.join(CAPACITY_FILE);
    let mut measured = read(&path);
    let known = measured.entry(key(&options.scenario)).or_default();
    for arm in &arms {
        if !known.contains_key(arm) {
            eprintln!("measuring what {arm} can do");
            known.insert(arm.clone(), measure(options, arm, interrupts)?);
        }
    }
    let listed: Vec<String> = arms.iter().map(|arm| format!("{arm} {:.0}/s", known[arm])).collect();
    let slowest = arms.iter().map(|arm| known[arm]).fold(f64::INFINITY, f64::min);
    let rate = Rate::per_second((share.get() * slowest).round().max(1.0));
    let text = serde_json::to_vec_pretty(&measured).expect("plain data");
    std::fs::write(&path, text).map_err(|source| RunError::Folder { path, source })?;
    options.notes.push(format!("{share} of the slowest is {rate}: {}", listed.join(", ")));
    options.scenario.load.rate = Rates::One(Shape::level(rate));
    Ok(())
}

fn arms_of(options: &RunOptions) -> Vec<String> {
    if options.arms.is_empty() {
        options.scenario.default_arms().map(|arm| arm.name.clone()).collect()
    } else {
        options.arms.clone()
    }
}

/// What is not readable was never measured.
fn read(path: &Path) -> MeasuredCapacity {
    std::fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// A scenario's text, the program and the machine.
fn key(scenario: &Scenario) -> String {
    let machine = conductor::process::usage::machine();
    let text = fnv1a64(scenario.source.text.as_bytes(), 0);
    format!(
        "{} {text:016x} {} {} {}x {}",
        scenario.name,
        crate::VERSION,
        machine.profile,
        machine.cores,
        machine.cpu
    )
}

/// Good journeys per second of one arm, alone.
fn measure(options: &RunOptions, arm: &str, interrupts: &watch::Sender<u32>) -> Result<f64, RunError> {
    let probe = RunOptions {
        scenario: probe_scenario(&options.scenario),
        arms: vec![arm.to_owned()],
        interleaved: false,
        rounds: 1,
        out: options.out.join("capacity"),
        ..options.clone()
    };
    let outcome = run_command::execute(probe, View::Silent, interrupts, cli::Screen::default())?;
    let lines = record::Reader::read_all(&outcome.folder.join("run.jsonl")).unwrap_or_default();
    let good = lines.iter().filter_map(|line| match &line.entry {
        Entry::Window(window) if window.closed && window.second >= WARM_UP_SECONDS => Some(window.good),
        _ => None,
    });
    let good: u64 = good.sum();
    if *interrupts.borrow() > 0 {
        return Err(RunError::Interrupted);
    }
    if good == 0 {
        return Err(RunError::NoCapacity(arm.to_owned()));
    }
    Ok(good as f64 / f64::from(PROBE_SECONDS))
}

/// The scenario without its steps and claims, and with users who wait for nothing but answers.
fn probe_scenario(scenario: &Scenario) -> Scenario {
    let phase = |name: &str, seconds: u32, measure| Phase {
        name: name.to_owned(),
        length: HumanDuration::from_millis(u64::from(seconds) * 1_000),
        measure,
    };
    let mut probe_scenario = Scenario {
        phases: vec![phase("warm", WARM_UP_SECONDS, false), phase("probe", PROBE_SECONDS, true)],
        steps: Vec::new(),
        valid: Vec::new(),
        check: Vec::new(),
        stop: Stop::default(),
        ..scenario.clone()
    };
    probe_scenario.load.model = Model::Closed;
    probe_scenario.load.users = Some(Users { count: USERS, think: HumanDuration::default() });
    probe_scenario.load.rate = Rates::One(Shape::level(Rate::per_second(MAX_RATE)));
    probe_scenario
}
