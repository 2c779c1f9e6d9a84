//! Measures the capacity of each arm, where the rate is a share of it: `rate = "30% of slowest"`.
//!
//! Capacity is measured once per scenario and machine, each arm alone, in a closed loop without think
//! time. The rate is absolute from then on, and the same for every arm.

use std::collections::BTreeMap;
use std::path::Path;

use conductor::{RunError, RunOptions};
use contract::hash::fnv1a64_with;
use policy::units::{HumanDuration, Rate};
use record::{Entry, Kind, ReadError, Reader};
use scenario::{Phase, Scenario, Stop};
use tokio::sync::watch;
use traffic::load::{Model, Rates, Shape, Users};

use crate::run_files::RECORD_FILE;
use crate::run_view::View;
use crate::{cli, execution, output};

/// Users of the closed loop: enough to keep two cores busy in any grouping.
const USERS: u32 = 16;
/// Time until caches are warm and connections are open.
const WARM_UP_SECONDS: u32 = 1;
/// Long enough for some hundred responses.
const PROBE_SECONDS: u32 = 4;
/// Upper bound of the closed loop, per second: more than any arm reaches on one machine.
const MAX_RATE: f64 = 5_000.0;
/// File in the folder of runs that keeps measured capacities.
const CAPACITY_FILE: &str = "capacity.json";

/// Good journeys per second: by scenario and machine, then by arm.
type MeasuredCapacity = BTreeMap<String, BTreeMap<String, f64>>;

/// The options with an absolute rate: where it is a share of what an arm can do, that is measured first.
///
/// # Errors
/// When an arm cannot be measured.
pub fn resolve_rate(
    mut options: RunOptions,
    interrupts: &watch::Sender<u32>,
) -> Result<RunOptions, RunError> {
    let Rates::OfSlowest(share) = options.scenario.load.rate else { return Ok(options) };
    let arms = arms_of(&options);
    let path = options.out.join(CAPACITY_FILE);
    let mut measured = read(&path);
    let known = measured.entry(key(&options.scenario)).or_default();
    for arm in &arms {
        if !known.contains_key(arm) {
            output::progress(format_args!("measuring the capacity of {arm}"));
            known.insert(arm.clone(), measure(&options, arm, interrupts)?);
        }
    }
    let listed: Vec<String> = arms.iter().map(|arm| format!("{arm} {:.0}/s", known[arm])).collect();
    let slowest = arms.iter().map(|arm| known[arm]).fold(f64::INFINITY, f64::min);
    let rate = Rate::per_second((share.get() * slowest).round().max(1.0));
    let text = serde_json::to_vec_pretty(&measured).expect("plain data");
    std::fs::write(&path, text).map_err(|source| RunError::Folder { path, source })?;
    options.notes.push(format!("{share} of the slowest is {rate}: {}", listed.join(", ")));
    options.scenario.load.rate = Rates::One(Shape::level(rate));
    Ok(options)
}

fn arms_of(options: &RunOptions) -> Vec<String> {
    if options.arms.is_empty() {
        options.scenario.default_arms().map(|arm| arm.name.clone()).collect()
    } else {
        options.arms.clone()
    }
}

/// The kept capacities; none where the file is missing or unreadable.
fn read(path: &Path) -> MeasuredCapacity {
    std::fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Key of the file: the scenario's text, the networks of its arms (`--rtt` sets them), the program's version and the machine.
fn key(scenario: &Scenario) -> String {
    let machine = conductor::process::host::machine();
    let text = fnv1a64_with(scenario.source.text.as_bytes(), 0);
    let networks = scenario.arms.iter().map(|arm| arm.network);
    let text = networks.fold(text, |digest, network| fnv1a64_with(format!("{network:?}").as_bytes(), digest));
    format!(
        "{} {text:016x} {} {} {}x {}",
        scenario.name,
        cli::VERSION,
        machine.profile,
        machine.cores,
        machine.cpu
    )
}

/// Good journeys per second of one arm that runs alone.
fn measure(options: &RunOptions, arm: &str, interrupts: &watch::Sender<u32>) -> Result<f64, RunError> {
    let probe = RunOptions {
        scenario: probe_scenario(&options.scenario),
        arms: vec![arm.to_owned()],
        against: None,
        interleaved: false,
        rounds: 1,
        out: options.out.join("capacity"),
        ..options.clone()
    };
    let outcome = execution::execute(probe, View::Silent, interrupts, cli::Screen::default())?;
    // A record that cannot be read has no good journeys.
    let good = good_journeys(&outcome.folder.join(RECORD_FILE)).unwrap_or(0);
    // Only the count is needed.
    let _ = std::fs::remove_dir_all(&outcome.folder);
    if *interrupts.borrow() > 0 {
        return Err(RunError::Interrupted);
    }
    if good == 0 {
        return Err(RunError::NoCapacity(arm.to_owned()));
    }
    Ok(good as f64 / f64::from(PROBE_SECONDS))
}

/// Good journeys of a record, after warming up.
fn good_journeys(record: &Path) -> Result<u64, ReadError> {
    let mut good = 0;
    for line in Reader::open(record)?.only(&[Kind::Window]) {
        if let Entry::Window(window) = line?.entry
            && window.closed
            && window.second >= WARM_UP_SECONDS
        {
            good += window.good;
        }
    }
    Ok(good)
}

/// The scenario without steps and claims, in a closed loop without think time.
fn probe_scenario(scenario: &Scenario) -> Scenario {
    let phase = |name: &str, seconds: u32, measure| Phase {
        name: name.to_owned(),
        length: HumanDuration::from_millis(u64::from(seconds) * 1_000),
        measure,
    };
    let mut probe_scenario = Scenario {
        phases: vec![phase("warm", WARM_UP_SECONDS, false), phase("probe", PROBE_SECONDS, true)],
        steps: Vec::new(),
        change: None,
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
