//! A run in a line: what it was of, how it ended, how old it is, how much room it takes.

use std::path::{Path, PathBuf};

use model::date::CivilTime;
use record::{Entry, Header, Kind, Reader, Verdict};
use serde_json::{Value, json};

use crate::run_files::{self, Progress, RECORD_FILE, RunFolder};

/// A minute, an hour and a day, seconds.
const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
/// Bytes of a KiB.
const KIB: f64 = 1_024.0;

/// A run in a line.
pub(super) struct RunSummary {
    pub(super) id: String,
    pub(super) path: PathBuf,
    /// Empty where the run recorded nothing.
    pub(super) scenario: String,
    /// The verdict's word, or why there is none.
    pub(super) verdict: &'static str,
    /// Whether it is a prediction.
    pub(super) is_simulated: bool,
    /// Microseconds since 1970.
    pub(super) started_us: i64,
    /// Of all files in its folder.
    pub(super) bytes: u64,
    pub(super) labels: Vec<String>,
}

impl RunSummary {
    pub(super) fn of(run: &RunFolder) -> Self {
        let header = run_files::header_of(&run.path).unwrap_or_default();
        let is_simulated = !header.source.is_live();
        let Header { scenario, labels, .. } = header;
        let verdict = match run_files::progress(&run.path) {
            Progress::Live => "running",
            Progress::Aborted if run.is_suite() => "ended",
            Progress::Aborted => "aborted",
            Progress::Recorded => verdict_of(&run.path.join(RECORD_FILE)),
        };
        let (id, path, started_us) = (run.id.clone(), run.path.clone(), run.started_us);
        Self { bytes: bytes_of(&path), id, path, scenario, verdict, is_simulated, started_us, labels }
    }

    /// Run, scenario, verdict, age, size and labels, for people.
    pub(super) fn cells(&self, now_us: i64) -> [String; 6] {
        let scenario = if self.scenario.is_empty() { "-".to_owned() } else { self.scenario.clone() };
        [
            self.id.clone(),
            scenario,
            if self.is_simulated { format!("{} (simulated)", self.verdict) } else { self.verdict.to_owned() },
            age(self.age_s(now_us)),
            size(self.bytes),
            self.labels.join(", "),
        ]
    }

    /// The same for programs.
    pub(super) fn document(&self, now_us: i64) -> Value {
        json!({
            "id": self.id,
            "run_dir": std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone()),
            "scenario": self.scenario,
            "verdict": self.verdict,
            "source": if self.is_simulated { "simulated" } else { "live" },
            "started": timestamp(self.started_us),
            "age_s": self.age_s(now_us),
            "bytes": self.bytes,
            "labels": self.labels,
        })
    }

    /// Seconds since it began; none where the clock was set back.
    pub(super) fn age_s(&self, now_us: i64) -> i64 {
        (now_us - self.started_us).max(0) / 1_000_000
    }
}

/// What the last line of a record that is over says.
fn verdict_of(record: &Path) -> &'static str {
    let Ok(reader) = Reader::open(record) else { return "unreadable" };
    let end = reader.only(&[Kind::End]).filter_map(Result::ok).find_map(|line| match line.entry {
        Entry::End(end) => Some(end.verdict),
        _ => None,
    });
    match end {
        Some(verdict) => verdict.map_or("interrupted", Verdict::word),
        None => "cut short",
    }
}

/// Bytes of all files in a folder.
pub(super) fn bytes_of(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_of(&entry.path()),
        Ok(found) => found.len(),
        // Gone in this moment.
        Err(_) => 0,
    };
    entries.map(bytes).sum()
}

/// `45s`, `12m`, `3h`, `9d`: in the largest unit of which there is one.
pub(super) fn age(seconds: i64) -> String {
    match seconds {
        s if s < MINUTE => format!("{s}s"),
        s if s < HOUR => format!("{}m", s / MINUTE),
        s if s < DAY => format!("{}h", s / HOUR),
        s => format!("{}d", s / DAY),
    }
}

/// `840 KiB`, `2.4 MiB`, `1.2 GiB`.
pub(super) fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        b if b < KIB * KIB => format!("{:.0} KiB", (b / KIB).ceil()),
        b if b < KIB.powi(3) => format!("{:.1} MiB", b / KIB.powi(2)),
        b => format!("{:.1} GiB", b / KIB.powi(3)),
    }
}

/// `2026-11-30T08:15:00Z` (RFC 3339).
fn timestamp(wall_us: i64) -> String {
    let CivilTime { year, month, day, hour, minute, second } = CivilTime::of_wall_us(wall_us);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_are_short() {
        assert_eq!([0, 59, 60, 3_600, 86_399, 86_400].map(age), ["0s", "59s", "1m", "1h", "23h", "1d"]);
        assert_eq!(
            [0, 1, 1_536, 2_516_582, 1_288_490_189].map(size),
            ["0 KiB", "1 KiB", "2 KiB", "2.4 MiB", "1.2 GiB"]
        );
        assert_eq!(timestamp(1_767_225_599_000_000), "2025-12-31T23:59:59Z");
    }

    #[test]
    fn a_run_is_summed_up_from_its_record_and_its_folder() {
        let out = tempfile::TempDir::new().expect("a folder");
        let kept = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/records/crash.jsonl"));
        let whole = out.path().join("whole");
        std::fs::create_dir_all(whole.join("mono/data")).expect("a folder of ours");
        std::fs::copy(kept, whole.join(RECORD_FILE)).expect("copies");
        std::fs::write(whole.join("mono/data/app.db"), [0; 1_000]).expect("writes");
        let text = std::fs::read_to_string(kept).expect("readable");
        let cut = out.path().join("cut");
        std::fs::create_dir(&cut).expect("a folder of ours");
        std::fs::write(cut.join(RECORD_FILE), &text[..text.len() / 2]).expect("writes");
        let none = out.path().join("none");
        std::fs::create_dir(&none).expect("a folder of ours");
        std::fs::write(none.join(RECORD_FILE), "").expect("writes");
        let of = |id: &str| {
            let runs = run_files::all(out.path());
            RunSummary::of(runs.iter().find(|run| run.id == id).expect("listed"))
        };
        assert_eq!((of("cut").verdict, of("none").verdict), ("cut short", "aborted"));
        assert_eq!(of("none").cells(0)[1], "-");
        let before = of("whole");
        assert_eq!(before.bytes, std::fs::metadata(kept).expect("there").len() + 1_000);
        assert!(["pass", "fail", "inconclusive", "invalid"].contains(&before.verdict), "{}", before.verdict);
        run_files::pack(&whole);
        let after = of("whole");
        assert_eq!((after.verdict, after.scenario), (before.verdict, before.scenario));
        assert!(after.bytes < before.bytes / 2, "packed: {} of {}", after.bytes, before.bytes);
    }
}
