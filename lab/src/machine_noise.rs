//! What `cleave noise` has measured of this machine, kept in the user's state folder: by how much two starts of one program
//! differ in each row of a scenario. Used by runs side by side, and by `cleave explain` to plan rounds.

mod plan;

use std::io;
use std::path::{Path, PathBuf};

use contract::hash::fnv1a64_with;
use record::{Header, Machine};
use runtime::bounded_file;
use scenario::Scenario;
use scorecard::inference::StoredStarts;
use scorecard::inference::noise::StoredStart;
use serde::{Deserialize, Serialize};

use crate::whole_file;

pub use plan::{lines, predicted_power};

/// Rounds from which a run's standard errors are of its rounds, and contain what starts differ by.
pub const ROUNDS_AS_UNITS: u32 = 3;

/// The machine and the program that were measured. Another one has another noise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Kernel release.
    pub kernel: String,
    /// Model name of the first CPU.
    pub cpu: String,
    /// Logical CPUs that may be used.
    pub cores: u32,
    /// Version of Cleave, with its commit.
    pub version: String,
    /// `release` or `debug`.
    pub profile: String,
}

impl Identity {
    /// That of a machine and a version.
    pub fn new(machine: &Machine, version: &str) -> Self {
        let (kernel, cpu, profile) = (machine.kernel.clone(), machine.cpu.clone(), machine.profile.clone());
        Self { kernel, cpu, cores: machine.cores, version: version.to_owned(), profile }
    }

    /// That of this machine and this program.
    pub fn here() -> Self {
        Self::new(&conductor::process::host::machine(), crate::cli::VERSION)
    }
}

/// One row over the runs of an arm against itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowNoise {
    /// Its id.
    pub id: String,
    /// Its window.
    pub window: String,
    /// Logarithm of the second arm over the first, run by run.
    pub log_ratios: Vec<f64>,
    /// Mean of the squared standard errors that the runs themselves found.
    pub within: f64,
    /// Seconds of the window, in each round.
    pub seconds: f64,
}

/// An arm of a scenario against itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScenarioNoise {
    /// Who was measured.
    pub identity: Identity,
    /// The day of the last run, UTC: `20261129`.
    pub date: String,
    /// The scenario's name.
    pub scenario: String,
    /// Digest of the scenario's text, in hexadecimal: an edited scenario has another noise.
    pub text: String,
    /// The arm.
    pub arm: String,
    /// Rounds of each run; 1 side by side.
    pub rounds: u32,
    /// Rows that findings are looked for in.
    pub family: usize,
    /// The rows that have ratios.
    pub rows: Vec<RowNoise>,
}

impl ScenarioNoise {
    /// Whom the runs with this header measured; without rows.
    pub fn of_run(header: &Header, scenario: &Scenario, arm: &str) -> Self {
        Self {
            identity: Identity::new(&header.machine, &header.version),
            date: header.run_id.chars().take_while(char::is_ascii_digit).collect(),
            scenario: scenario.name.clone(),
            text: digest(scenario),
            arm: arm.to_owned(),
            rounds: header.rounds,
            family: 0,
            rows: Vec::new(),
        }
    }

    /// Whether standard errors are of rounds.
    pub fn is_by_rounds(&self) -> bool {
        self.rounds >= ROUNDS_AS_UNITS
    }

    /// By how much starts differ in a row; `None` where too few runs measured it. Where the runs had rounds, one round's
    /// variance is given as that of its seconds: rounds do not separate the two.
    pub fn start(&self, id: &str, window: &str) -> Option<StoredStart> {
        let row = self.rows.iter().find(|row| row.id == id && row.window == window)?;
        self.start_of(row)
    }

    fn start_of(&self, row: &RowNoise) -> Option<StoredStart> {
        let rounds = if self.is_by_rounds() { f64::from(self.rounds) } else { 1.0 };
        StoredStart::new(row.log_ratios.clone(), row.within * rounds, row.seconds)
    }

    /// Whether it can be used at all.
    pub fn is_usable(&self) -> bool {
        self.rows.iter().any(|row| self.start_of(row).is_some())
    }

    fn has_same_subject(&self, other: &Self) -> bool {
        (&self.identity, &self.scenario, self.is_by_rounds())
            == (&other.identity, &other.scenario, other.is_by_rounds())
    }
}

/// The file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MachineNoise {
    /// What was measured, one entry for each machine, scenario and way.
    scenarios: Vec<ScenarioNoise>,
}

impl MachineNoise {
    /// What the user's state folder holds; nothing where there is no file, or none that can be read.
    pub fn load() -> Self {
        path().map(|path| Self::read(&path)).unwrap_or_default()
    }

    /// What a file holds; nothing where it cannot be read.
    pub fn read(path: &Path) -> Self {
        let bytes = bounded_file::read(path, bounded_file::MAX_BYTES).ok();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Adds an entry in place of an older one.
    pub fn insert(&mut self, noise: ScenarioNoise) {
        self.scenarios.retain(|other| !other.has_same_subject(&noise));
        self.scenarios.push(noise);
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// When the folder cannot be made or written to.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        whole_file::write(path, &serde_json::to_vec_pretty(self).expect("plain data"))
    }

    /// What was measured of a scenario, as its text is now, by one who is `identity`; by rounds or side by side.
    pub fn find(&self, identity: &Identity, scenario: &Scenario, by_rounds: bool) -> Option<&ScenarioNoise> {
        let text = digest(scenario);
        self.scenarios.iter().find(|noise| {
            noise.identity == *identity
                && noise.scenario == scenario.name
                && noise.text == text
                && noise.is_by_rounds() == by_rounds
        })
    }

    /// What runs of a scenario side by side allow for.
    pub fn starts(&self, identity: &Identity, scenario: &Scenario) -> StoredStarts {
        let mut starts = StoredStarts::default();
        let Some(noise) = self.find(identity, scenario, false) else { return starts };
        for row in &noise.rows {
            if let Some(start) = noise.start_of(row) {
                starts.insert(&row.id, &row.window, start);
            }
        }
        starts
    }
}

/// `noise.json` in the user's state folder (XDG Base Directory Specification); `None` without a home.
pub fn path() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state =
        absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("cleave/noise.json"))
}

fn digest(scenario: &Scenario) -> String {
    format!("{:016x}", fnv1a64_with(scenario.source.text.as_bytes(), 0))
}

/// Seconds of a window of a run: its phase's length, or those from the first measured phase to the end of the last.
pub fn window_seconds(header: &Header, window: &str) -> f64 {
    let phase = header.phases.iter().find(|phase| phase.name == window);
    let whole = || {
        let measured = || header.phases.iter().filter(|phase| phase.measure);
        let from = measured().map(|phase| phase.start_ns).min().unwrap_or(0);
        let to = measured().map(|phase| phase.start_ns + phase.length_ns).max().unwrap_or(0);
        to - from
    };
    phase.map_or_else(whole, |phase| phase.length_ns) as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A noise of `hop-tax` or `first-look` with one row, measured in six runs of so many rounds.
    pub(super) fn noise(
        scenario: &Scenario,
        rounds: u32,
        log_ratios: Vec<f64>,
        within: f64,
    ) -> ScenarioNoise {
        let header = Header { rounds, run_id: "20261129-101500-a7f3".into(), ..Header::default() };
        let (id, window) = ("cpu_per_journey".into(), "steady".into());
        ScenarioNoise {
            family: 20,
            rows: vec![RowNoise { id, window, log_ratios, within, seconds: 6.0 }],
            ..ScenarioNoise::of_run(&header, scenario, "mono")
        }
    }

    fn scenario() -> Scenario {
        crate::scenario_files::find("hop-tax").expect("shipped")
    }

    #[test]
    fn what_is_written_is_read_and_an_older_entry_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cleave/noise.json");
        assert_eq!(MachineNoise::read(&path), MachineNoise::default(), "no file yet");
        let mut kept = MachineNoise::default();
        kept.insert(noise(&scenario(), 1, vec![0.5; 6], 0.1));
        kept.insert(noise(&scenario(), 6, vec![0.2; 6], 0.1));
        kept.insert(noise(&scenario(), 1, vec![0.01; 6], 0.1));
        kept.write(&path).expect("a writable folder");
        let read = MachineNoise::read(&path);
        assert_eq!((read.scenarios.len(), &read), (2, &kept));
        let identity = read.scenarios[0].identity.clone();
        let found = read.find(&identity, &scenario(), false).expect("measured");
        assert_eq!((found.rows[0].log_ratios[0], found.date.as_str()), (0.01, "20261129"));
        std::fs::write(&path, "not JSON").expect("a writable file");
        assert_eq!(MachineNoise::read(&path), MachineNoise::default());
        assert_eq!(MachineNoise::read(Path::new("/dev/zero")), MachineNoise::default(), "it has no end");
    }

    #[test]
    fn the_noise_of_another_machine_program_or_text_is_not_used() {
        let mut kept = MachineNoise::default();
        let entry = noise(&scenario(), 1, vec![0.01; 6], 0.1);
        let same = entry.identity.clone();
        kept.insert(entry);
        assert!(kept.starts(&same, &scenario()).of("cpu_per_journey", "steady").is_some());
        for other in [
            Identity { kernel: "6.9".into(), ..same.clone() },
            Identity { cpu: "another".into(), ..same.clone() },
            Identity { cores: 64, ..same.clone() },
            Identity { version: "0.2.0+0".into(), ..same.clone() },
            Identity { profile: "debug".into(), ..same.clone() },
        ] {
            assert!(kept.starts(&other, &scenario()).is_empty(), "{other:?}");
        }
        let mut edited = scenario();
        edited.source.text.push_str("# another load\n");
        assert!(kept.starts(&same, &edited).is_empty());
    }

    #[test]
    fn five_runs_are_too_few_and_rounds_are_no_starts_side_by_side() {
        let five = noise(&scenario(), 1, vec![0.01; 5], 0.1);
        assert!(!five.is_usable());
        let rounds = noise(&scenario(), 6, vec![0.01; 6], 0.1);
        let identity = rounds.identity.clone();
        assert!(rounds.is_usable());
        let mut kept = MachineNoise::default();
        kept.insert(rounds);
        assert!(kept.starts(&identity, &scenario()).is_empty());
    }
}
