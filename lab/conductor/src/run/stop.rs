//! When a run stops before its end: the machine is running out of something, or the scenario says so.

use std::time::{Duration, Instant};

use record::Verdict;
use runtime::clock;
use scorecard::judge;

use crate::process::usage;
use crate::run::finish;
use crate::run::stage::Stage;

/// Longest run whatever a scenario says.
const MAX_RUN: Duration = Duration::from_secs(30 * 60);
/// Available memory below which every run stops, share of all.
const MIN_FREE_MEMORY_SHARE: f64 = 0.10;
/// Memory of everything the run started from which every run stops, share of the machine's.
const MAX_HELD_MEMORY_SHARE: f64 = 0.75;
/// Room on the disk below which every run stops, MiB.
const MIN_FREE_DISK_MIB: u64 = 1_024;
/// Files open on the machine from which every run stops, share of all it allows.
const MAX_OPEN_FILES_SHARE: f64 = 0.90;
/// Lateness of the generator at the median of the last seconds from which a run says nothing any more, us.
const MAX_GENERATOR_LAG_US: u64 = 500_000;

impl Stage {
    /// Why the run must stop now, if it must.
    pub(crate) fn stop_reason(&self, start: Instant) -> Option<String> {
        if self.record.is_failing() {
            return Some("the record cannot be written".to_owned());
        }
        let stop = &self.options.scenario.stop;
        let limit = if stop.max_ns == 0 { MAX_RUN } else { Duration::from_nanos(stop.max_ns).min(MAX_RUN) };
        let running = clock::now().saturating_duration_since(start);
        if running > limit {
            return Some(format!("longer than {}s", limit.as_secs()));
        }
        let host = usage::host();
        let all = usage::machine().memory_mib;
        if all > 0 && (host.memory_available_mib as f64) < MIN_FREE_MEMORY_SHARE * all as f64 {
            return Some(format!("{} MiB of memory are left", host.memory_available_mib));
        }
        if let Some(held) = self.record.query(finish::pss_mib)
            && all > 0
            && held > MAX_HELD_MEMORY_SHARE * all as f64
        {
            return Some(format!("the run holds {held:.0} of {all} MiB of memory"));
        }
        if let Some(left) = usage::disk_free_mib(&self.folder).filter(|left| *left < MIN_FREE_DISK_MIB) {
            return Some(format!("{left} MiB are left on the disk"));
        }
        if let Some(share) = usage::open_files_share().filter(|share| *share > MAX_OPEN_FILES_SHARE) {
            return Some(format!("{:.0} % of all files the machine allows are open", share * 100.0));
        }
        let second = u32::try_from(running.as_secs()).unwrap_or(u32::MAX);
        let late = self.record.query(|tally| finish::generator_lag_us(tally, second)).flatten();
        if let Some(late) = late.filter(|late| *late > MAX_GENERATOR_LAG_US) {
            return Some(format!("the load generator is {} ms late", late / 1_000));
        }
        let holds = |condition: &scorecard::Expectation| {
            let checks = self.record.query(|tally| judge::checks(tally, 0, condition)).unwrap_or_default();
            checks.iter().any(|check| check.verdict == Verdict::Pass).then(|| condition.text.clone())
        };
        stop.when.iter().find_map(holds)
    }
}
