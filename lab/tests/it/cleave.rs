//! The program under test, in a folder of its own.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use record::{Entry, Header, Line, ReadError, Reader};
use serde_json::Value;
use tempfile::TempDir;

use crate::places::Place;

/// Long enough for a loaded machine; a test that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A folder to run the program in.
pub struct Cleave {
    folder: TempDir,
    place: Option<Place>,
}

/// A scenario of these tests.
pub fn scenario(name: &str) -> String {
    format!("{}/tests/it/scenarios/{name}.toml", env!("CARGO_MANIFEST_DIR"))
}

/// The lines of a record, as far as it has come.
///
/// # Errors
/// When it is no record, or a line of it is none.
pub fn lines_of(record: &Path) -> Result<Vec<Line>, ReadError> {
    Reader::open(record)?.collect()
}

/// Names of the lints of a document.
pub fn lints(document: &Value) -> Vec<String> {
    let lints = document["lints"].as_array().expect("a list");
    lints.iter().map(|lint| lint["name"].as_str().expect("a name").to_owned()).collect()
}

/// Lints that say that the machine was too busy for an honest load, which is none of a test's business.
const STARVED: [&str; 7] =
    ["generator_lag", "generator_cpu", "pace", "noisy", "steal", "other_cpu", "io_pressure"];

/// Whether the machine had no room for the run.
pub fn is_starved(document: &Value) -> bool {
    // The load generator was not scheduled in the quarter of a second before the load begins.
    let is_late =
        |lint: &Value| lint["text"].as_str().is_some_and(|text| text.contains("the start time arrived"));
    let found = document["lints"].as_array().expect("a list");
    found.iter().any(is_late) || lints(document).iter().any(|name| starves(name))
}

/// Whether a lint of this name says that the machine had no room for a run.
pub fn starves(lint: &str) -> bool {
    STARVED.contains(&lint)
}

/// Whether at least this share of the journeys of each of so many arms went well, and as many of those while steps lasted. Where
/// fewer did, the machine had no room for them, and what journeys do is not decided.
#[track_caller]
pub fn went_well(document: &Value, arms: usize, share: f64) -> bool {
    let rows = document["scorecard"].as_array().expect("rows").iter();
    let values = |row: &Value| -> Vec<Option<f64>> {
        row["arms"].as_object().expect("arms").values().map(|arm| arm["value"].as_f64()).collect()
    };
    let goodput: Vec<Vec<Option<f64>>> = rows.filter(|row| row["id"] == "goodput").map(values).collect();
    let (whole, of_steps) = goodput.split_first().expect("a row of goodput");
    assert_eq!(whole.len(), arms, "{goodput:?}");
    // A step that does not apply to an arm has no figure of it.
    let mut known = of_steps.iter().flatten().flatten();
    if whole.iter().all(|value| value.is_some_and(|value| value >= share))
        && known.all(|value| *value >= share)
    {
        return true;
    }
    assert!(is_starved(document), "{goodput:?}");
    println!("not decided: the machine was too busy for all journeys: {}", document["lints"]);
    false
}

/// `cleave doctor --clean` looks for what dead runs left on the whole machine: of the tests that leave it something, or look at
/// what it found, one goes on at a time. A test takes its place first.
pub fn alone_with_doctor() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asserts that every check of a run passes, and so its verdict, unless the machine had no room for it.
#[track_caller]
pub fn passes(document: &Value) {
    if is_starved(document) {
        println!("not decided: the machine was too busy: {}", document["lints"]);
        return;
    }
    let checks = document["checks"].as_array().expect("a list").iter();
    let others = checks.filter(|check| check["verdict"] != "pass");
    let others: Vec<String> =
        others.map(|check| format!("{}: {} {}", check["text"], check["value"], check["reason"])).collect();
    assert_eq!(others, Vec::<String>::new(), "{}", document["lints"]);
    assert_eq!(document["verdict"], "pass", "{}", document["lints"]);
}

/// Asserts that these arms of a run without faults ended in the same state. Where the machine was too busy for every journey
/// nothing is compared: one that failed in one arm has perhaps written in another.
#[track_caller]
pub fn all_reach_one_state(document: &Value, arms: &[&str]) {
    if !went_well(document, arms.len(), 1.0) {
        return;
    }
    let audits = document["audits"].as_array().expect("audits");
    let states: Vec<Option<&str>> = audits.iter().map(|audit| audit["state_digest"].as_str()).collect();
    assert_eq!(states.len(), arms.len(), "{audits:#?}");
    assert!(states[0].is_some(), "{audits:#?}");
    assert!(states.iter().all(|state| *state == states[0]), "{arms:?} differ in state: {states:#?}");
}

/// Where runs keep their data sets, below their folder.
const SNAPSHOTS: &str = ".snapshots";

/// Where the data sets of all tests are laid: each is made once. None is of an earlier build.
fn snapshots() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("snapshots");
        // It is not there in a first build.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("cargo's folder for it");
        folder
    });
    &FOLDER
}

impl Cleave {
    /// Alone on the machine, so that figures mean something.
    pub fn new() -> Self {
        Self::at(Place::alone())
    }

    /// Beside one small run: for what takes more of the machine, and holds on a busy one as well.
    pub fn wide() -> Self {
        Self::at(Place::wide())
    }

    /// Beside other runs: for what holds on a busy machine as well.
    pub fn shared() -> Self {
        Self::at(Place::shared())
    }

    /// Beside other runs, of which more have room: for what is one process, and holds on a busy machine as well.
    pub fn small() -> Self {
        Self::at(Place::small())
    }

    fn at(place: Place) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let runs = folder.path().join("runs");
        std::fs::create_dir(&runs).expect("a folder of ours");
        std::os::unix::fs::symlink(snapshots(), runs.join(SNAPSHOTS)).expect("a folder of ours");
        Self { folder, place: Some(place) }
    }

    /// Leaves its place to others: what it started only waits from here on.
    pub fn rest(&mut self) {
        self.place = None;
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cleave"));
        command.args(arguments).current_dir(self.folder()).stdin(Stdio::null());
        command.env("NO_COLOR", "1").env_remove("OTEL_EXPORTER_OTLP_ENDPOINT");
        command
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program starts")
    }

    /// Runs it to its end: its exit code, and what it wrote to standard output and then to standard error.
    pub fn printed(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.run(arguments);
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    }

    /// Runs a scenario to its JSON document and the lines of its record.
    #[track_caller]
    pub fn document(&self, arguments: &[&str]) -> (Value, Vec<Line>) {
        let output = self.run(&[&["run"], arguments, &["--output", "json"]].concat());
        let stderr_text = String::from_utf8_lossy(&output.stderr);
        let document: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|why| panic!("no document: {why}\n{stderr_text}"));
        assert_eq!(document["exit_code"].as_i64(), output.status.code().map(i64::from), "{stderr_text}");
        let folder = document["run_dir"].as_str().expect("a folder");
        let lines = lines_of(&Path::new(folder).join("run.jsonl")).expect("a readable record");
        assert_eq!(self.processes(), Vec::<u32>::new(), "something is left running");
        (document, lines)
    }

    /// Starts it and goes on.
    pub fn start(&self, arguments: &[&str]) -> Started {
        self.start_with(arguments, &[])
    }

    /// Starts it in another environment and goes on.
    pub fn start_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Started {
        let mut command = self.command(arguments);
        command.envs(environment.iter().copied()).stderr(Stdio::null());
        Started::spawn(&mut command)
    }

    /// Starts it and goes on, with its progress to be read from standard error.
    pub fn start_with_progress(&self, arguments: &[&str]) -> Started {
        Started::spawn(self.command(arguments).stderr(Stdio::piped()))
    }

    /// Starts it as a terminal does: SIGHUP ends it, also where the tests themselves were started to outlive theirs.
    pub fn start_in_terminal(&self, arguments: &[&str]) -> Started {
        let program = self.command(arguments);
        let mut command = Command::new("env");
        command.arg("--default-signal=HUP").arg(program.get_program()).args(program.get_args());
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(self.folder()).stdin(Stdio::null());
        Started::spawn(command.stderr(Stdio::null()))
    }

    /// Waits until a run is in its measured part; returns its record's path and header.
    #[track_caller]
    pub fn in_mid_run(&self) -> (PathBuf, Header) {
        wait_for("a run in its course", || {
            let path = self.record()?;
            let lines = lines_of(&path).ok()?;
            let busy = lines.iter().any(|line| matches!(line.entry, Entry::Window(_)));
            let header = lines.into_iter().find_map(|line| match line.entry {
                Entry::Header(header) => Some(*header),
                _ => None,
            });
            header.filter(|_| busy).map(|header| (path, header))
        })
    }

    /// Whether a run has left anything in this folder.
    pub fn has_runs(&self) -> bool {
        let runs = std::fs::read_dir(self.folder().join("runs")).expect("a folder of ours").flatten();
        runs.map(|entry| entry.file_name()).any(|name| name != SNAPSHOTS)
    }

    /// The record of the one run in this folder.
    pub fn record(&self) -> Option<PathBuf> {
        let runs = std::fs::read_dir(self.folder().join("runs")).ok()?.flatten();
        runs.map(|entry| entry.path().join("run.jsonl")).find(|path| record::file::find(path).is_some())
    }

    /// Children of runs in this folder that are alive: their configuration lies in it.
    pub fn processes(&self) -> Vec<u32> {
        let folder = self.folder().canonicalize().expect("it is there");
        let folder = folder.to_string_lossy().into_owned();
        let entries = std::fs::read_dir("/proc").expect("Linux").flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&folder)
        })
        .collect()
    }

    /// Kills the guardian of the run in this folder.
    #[track_caller]
    pub fn kill_guardian(&self) {
        let is_guardian = |pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0).any(|word| word == b"guard")
        };
        // Its name is there a moment after it is.
        let pid = wait_for("the guardian", || self.processes().into_iter().find(is_guardian));
        let pid = Pid::from_raw(i32::try_from(pid).expect("a pid"));
        nix::sys::signal::kill(pid, Signal::SIGKILL).expect("it is ours");
    }

    /// Waits until no process of a run is left. What listened in a network of the run's own cannot be asked from here: its ports
    /// may be others' in this one.
    #[track_caller]
    pub fn no_process_is_left(&self) {
        wait_for("the end of every child", || self.processes().is_empty().then_some(()));
    }

    /// Waits until nothing of a run is left: no process, no port.
    #[track_caller]
    pub fn nothing_is_left(&self, header: &Header) {
        self.no_process_is_left();
        for instance in header.arms.iter().flat_map(|arm| &arm.instances) {
            for port in [Some(instance.port), instance.public_port].into_iter().flatten() {
                // A process loses its name in /proc a moment before its sockets.
                wait_for(&format!("`{}` to leave port {port}", instance.name), || {
                    std::net::TcpStream::connect(("127.0.0.1", port)).is_err().then_some(())
                });
            }
        }
    }
}

/// Waits until `probe` finds what it looks for.
#[track_caller]
pub fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(now() < deadline, "waited {PATIENCE:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn now() -> Instant {
    runtime::clock::now()
}

/// A running program; a test that fails takes it along.
pub struct Started(pub Child);

impl Started {
    fn spawn(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::piped()).spawn().expect("the program starts"))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.0.id()).expect("a pid");
        nix::sys::signal::kill(Pid::from_raw(pid), signal).expect("it is ours");
    }

    /// Everything it still prints until it ends, and its exit code.
    pub fn rest(mut self) -> (Option<i32>, String) {
        let mut text = String::new();
        if let Some(mut stdout) = self.0.stdout.take() {
            stdout.read_to_string(&mut text).expect("readable");
        }
        (self.0.wait().expect("it ends").code(), text)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It has ended by itself in every test that passes.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
