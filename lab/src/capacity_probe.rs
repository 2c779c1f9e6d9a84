//! Measures the capacity of each arm, where the rate is a share of it: `rate = "30% of slowest"`.
//!
//! Capacity is measured once per scenario and machine, each arm alone, in a closed loop without think
//! time. The rate is absolute from then on, and the same for every arm.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use conductor::{RunError, RunOptions};
use contract::hash::fnv1a64_with;
use policy::units::{HumanDuration, Rate};
use record::{Entry, Kind, ReadError, Reader};
use runtime::bounded_file;
use scenario::{Phase, Scenario, Stop};
use tokio::sync::watch;
use traffic::load::{Model, Rates, Shape, Users};

use crate::run_files::{self, RECORD_FILE};
use crate::run_view::View;
use crate::{cli, execution, output, runs_command, whole_file};

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
/// Folder, below that of runs, of the runs that measure.
pub const CAPACITY_FOLDER: &str = "capacity";
/// A run that measures takes seconds: one that began so long ago was interrupted or killed.
const ABANDONED_AFTER_US: i64 = 3_600 * 1_000_000;

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
    let key = key(&options.scenario);
    let mut known = read(&path).remove(&key).unwrap_or_default();
    for arm in &arms {
        if !known.contains_key(arm) {
            output::progress(format_args!("measuring the capacity of {arm}"));
            known.insert(arm.clone(), measure(&options, arm, interrupts)?);
            keep(&path, &key, &known).map_err(|source| RunError::Folder { path: path.clone(), source })?;
        }
    }
    let listed: Vec<String> = arms.iter().map(|arm| format!("{arm} {:.0}/s", known[arm])).collect();
    let slowest = arms.iter().map(|arm| known[arm]).fold(f64::INFINITY, f64::min);
    let rate = Rate::per_second((share.get() * slowest).round().max(1.0));
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
    let bytes = bounded_file::read(path, bounded_file::MAX_BYTES).ok();
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Adds what was measured of a scenario to what the file has by now: another run may have added to it.
fn keep(path: &Path, key: &str, known: &BTreeMap<String, f64>) -> io::Result<()> {
    let mut measured = read(path);
    measured.entry(key.to_owned()).or_default().extend(known.clone());
    whole_file::write(path, &serde_json::to_vec_pretty(&measured).expect("plain data"))
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
    let out = options.out.join(CAPACITY_FOLDER);
    remove_abandoned(&out);
    let probe = RunOptions {
        scenario: probe_scenario(&options.scenario),
        arms: vec![arm.to_owned()],
        against: None,
        interleaved: false,
        rounds: 1,
        out,
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

/// Removes runs that were to measure and did not come to their end: no list has them.
fn remove_abandoned(out: &Path) {
    let since = runtime::clock::wall_us() - ABANDONED_AFTER_US;
    for run in run_files::all(out).iter().filter(|run| run.started_us < since) {
        // What cannot be removed only takes room.
        let _ = runs_command::remove(&run.path);
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_files::tests::put;

    #[test]
    fn what_another_run_has_measured_meanwhile_is_kept() {
        let out = tempfile::TempDir::new().expect("a folder");
        let path = out.path().join(CAPACITY_FILE);
        let of = |arm: &str, rate| BTreeMap::from([(arm.to_owned(), rate)]);
        keep(&path, "one", &of("mono", 900.0)).expect("a folder of ours");
        keep(&path, "other", &of("mono", 500.0)).expect("a folder of ours");
        keep(&path, "one", &of("micro", 400.0)).expect("a folder of ours");
        let kept = read(&path);
        assert_eq!((kept["one"]["mono"], kept["one"]["micro"], kept["other"]["mono"]), (900.0, 400.0, 500.0));
    }

    #[test]
    fn runs_that_did_not_come_to_their_end_are_removed_in_time() {
        let out = tempfile::TempDir::new().expect("a folder");
        let now = runtime::clock::wall_us();
        put(out.path(), "killed", now - 2 * ABANDONED_AFTER_US, &[]);
        put(out.path(), "measuring", now, &[]);
        remove_abandoned(out.path());
        let left: Vec<String> = run_files::all(out.path()).into_iter().map(|run| run.id).collect();
        assert_eq!(left, ["measuring"]);
    }
}
