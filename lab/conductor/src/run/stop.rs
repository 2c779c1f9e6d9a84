//! When a run stops before its end: the machine is running out of something, or the scenario says so.

use std::path::Path;
use std::time::{Duration, Instant};

use record::Verdict;
use runtime::clock;
use scenario::scenario::LONGEST_RUN;
use scenario::{Arm, Stop};
use scorecard::expect::{Query, Side};
use scorecard::{Expectation, judge};

use crate::observe::record_writer::RecordWriter;
use crate::process::host;
use crate::run::finish;
use crate::steps::held::HoldTimer;

/// Available memory below which every run stops, share of all.
const MIN_FREE_MEMORY_SHARE: f64 = 0.10;
/// Memory of everything the run started from which every run stops, share of the machine's.
const MAX_HELD_MEMORY_SHARE: f64 = 0.75;
/// Room on the disk below which every run stops, MiB.
const MIN_FREE_DISK_MIB: u64 = 1_024;
/// Files open on the machine from which every run stops, share of all it allows.
const MAX_OPEN_FILES_SHARE: f64 = 0.90;
/// Lag of the generator at the median of the last seconds from which a run measures nothing any more, us.
const MAX_GENERATOR_LAG_US: u64 = 500_000;

/// What may end a run early, as it is now. Unknown is no reason to stop.
#[derive(Clone, Debug, Default)]
struct Observation {
    running: Duration,
    is_record_failing: bool,
    memory_mib: u64,
    memory_available_mib: u64,
    /// Held by everything the run started.
    memory_held_mib: Option<f64>,
    disk_free_mib: Option<u64>,
    open_files_share: Option<f64>,
    generator_lag_us: Option<u64>,
}

/// A sentence for each condition that is about an arm which is not among those run, and so never stops the run.
pub(super) fn never_judged(stop: &Stop, arms: &[&Arm]) -> Vec<String> {
    let is_run = |query: &Query| arms.iter().any(|arm| query.fits(&arm.name, &arm.topology, &arm.variant));
    let is_judged = |condition: &Expectation| {
        [&condition.left, &condition.right].into_iter().all(|side| match side {
            Side::Measure { query, .. } => is_run(query),
            Side::Quantity { .. } => true,
        })
    };
    let unjudged = stop.when.iter().filter(|condition| !is_judged(condition));
    let sentence = |condition: &Expectation| {
        format!("the stop condition `{}` is not judged: its arm is not run", condition.text)
    };
    unjudged.map(sentence).collect()
}

/// Why a run whose load began at `start` must stop now, if it must.
///
/// `held` has a timer for every condition, in their order.
pub(crate) fn stop_reason(
    stop: &Stop,
    held: &mut [HoldTimer],
    record: &RecordWriter,
    folder: &Path,
    start: Instant,
) -> Option<String> {
    let running = clock::now().saturating_duration_since(start);
    let second = u32::try_from(running.as_secs()).unwrap_or(u32::MAX);
    let observed = Observation {
        running,
        is_record_failing: record.is_failing(),
        memory_mib: host::machine().memory_mib,
        memory_available_mib: host::usage().memory_available_mib,
        memory_held_mib: record.query(finish::pss_mib),
        disk_free_mib: host::disk_free_mib(folder),
        open_files_share: host::open_files_share(),
        generator_lag_us: record.query(|run| finish::generator_lag_us(run, second)).flatten(),
    };
    let mut holds = |(condition, timer): (&scorecard::Expectation, &mut HoldTimer)| {
        let checks = record.query(|run| judge::conditions(run, condition)).unwrap_or_default();
        let holds = checks.iter().any(|check| check.verdict == Verdict::Pass);
        let has_held = timer.has_held(holds, clock::now(), Duration::from_nanos(condition.held_ns));
        has_held.then(|| condition.text.clone())
    };
    // Each is judged every time: one that is left out would lose its time.
    let held: Vec<String> = stop.when.iter().zip(held).filter_map(&mut holds).collect();
    exhausted(stop.max_ns, &observed).or_else(|| held.into_iter().next())
}

/// What has run out.
fn exhausted(max_ns: u64, now: &Observation) -> Option<String> {
    if now.is_record_failing {
        return Some("the record cannot be written".to_owned());
    }
    let limit = if max_ns == 0 { LONGEST_RUN } else { Duration::from_nanos(max_ns).min(LONGEST_RUN) };
    if now.running > limit {
        return Some(format!("longer than {}s", limit.as_secs()));
    }
    let all = now.memory_mib;
    if all > 0 && (now.memory_available_mib as f64) < MIN_FREE_MEMORY_SHARE * all as f64 {
        return Some(format!("{} MiB of memory are left", now.memory_available_mib));
    }
    if let Some(held) = now.memory_held_mib
        && all > 0
        && held > MAX_HELD_MEMORY_SHARE * all as f64
    {
        return Some(format!("the run holds {held:.0} of {all} MiB of memory"));
    }
    if let Some(left) = now.disk_free_mib.filter(|left| *left < MIN_FREE_DISK_MIB) {
        return Some(format!("{left} MiB are left on the disk"));
    }
    if let Some(share) = now.open_files_share.filter(|share| *share > MAX_OPEN_FILES_SHARE) {
        return Some(format!("{:.0} % of all files the machine allows are open", share * 100.0));
    }
    let lag = now.generator_lag_us.filter(|lag| *lag > MAX_GENERATOR_LAG_US)?;
    Some(format!("the load generator is {} ms late", lag / 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn a_condition_of_an_arm_that_is_not_run_is_named() {
        let stop = "[stop]\nwhen = [\"errors(all) > 50%\", \"errors(all) for micro > 50%\"]";
        let scenario = fixture::scenario(&fixture::two_arms(stop));
        let named = |arms: &[&str]| {
            let asked: Vec<String> = arms.iter().map(|arm| (*arm).to_owned()).collect();
            never_judged(&scenario.stop, &scenario.arms_to_run(&asked))
        };
        assert_eq!(named(&[]), Vec::<String>::new(), "both are run");
        assert_eq!(named(&["micro"]), Vec::<String>::new());
        let of_mono = named(&["mono"]);
        let expected = "the stop condition `errors(all) for micro > 50%` is not judged: its arm is not run";
        assert_eq!(of_mono, [expected]);
    }

    /// A machine of 8 GiB that lacks nothing.
    fn healthy() -> Observation {
        Observation {
            running: Duration::from_secs(60),
            memory_mib: 8_000,
            memory_available_mib: 4_000,
            memory_held_mib: Some(300.0),
            disk_free_mib: Some(50_000),
            open_files_share: Some(0.01),
            generator_lag_us: Some(100),
            ..Observation::default()
        }
    }

    #[test]
    fn a_run_stops_for_each_thing_that_runs_out_and_names_it() {
        assert_eq!(exhausted(0, &healthy()), None);
        for (observed, reason) in [
            (Observation { is_record_failing: true, ..healthy() }, "the record"),
            (Observation { running: LONGEST_RUN + Duration::from_secs(1), ..healthy() }, "longer than 7200s"),
            (Observation { memory_available_mib: 799, ..healthy() }, "799 MiB of memory"),
            (Observation { memory_held_mib: Some(6_001.0), ..healthy() }, "holds 6001 of 8000"),
            (Observation { disk_free_mib: Some(1_023), ..healthy() }, "1023 MiB are left on the disk"),
            (Observation { open_files_share: Some(0.91), ..healthy() }, "91 % of all files"),
            (Observation { generator_lag_us: Some(500_001), ..healthy() }, "500 ms late"),
        ] {
            let stopped = exhausted(0, &observed).unwrap_or_else(|| panic!("{reason}"));
            assert!(stopped.contains(reason), "{stopped}");
        }
    }

    #[test]
    fn a_scenario_may_shorten_a_run_and_not_lengthen_it() {
        let after = |seconds| Observation { running: Duration::from_secs(seconds), ..healthy() };
        let minute = 60_000_000_000;
        assert!(exhausted(minute, &after(61)).is_some());
        assert_eq!(exhausted(60 * minute, &after(61)), None);
        assert!(exhausted(180 * minute, &after(7_201)).is_some(), "two hours are the longest of all");
    }

    #[test]
    fn unknown_is_no_reason_to_stop() {
        let unknown = Observation { running: Duration::from_secs(1), ..Observation::default() };
        assert_eq!(exhausted(0, &unknown), None);
    }
}
