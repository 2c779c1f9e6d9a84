//! What a dead conductor cannot undo is undone by a guardian, from a journal written before each action.
//!
//! The guardian is a process of its own, in a session of its own, that holds the reading
//! end of a pipe the conductor never writes to. When the pipe closes and the journal does
//! not end with `clean`, it undoes every entry that is not done: it continues what is
//! stopped, lifts limits, kills what is left, and removes what lists it, each process known by its pid *and* its
//! start time, so that no other process is hit. Last it removes what the run kept on servers that stay.
//! `cleave doctor --clean` does the same for journals of guardians that died as well: conductor and guardian hold
//! a lock on the journal while they live, and what is locked is left alone. What is written as undone has been
//! looked at afterwards; what could not be undone stays in the journal for the next who looks.

use std::fs::{File, TryLockError};
use std::io::{self, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use record::LockedFile;
use runtime::clock;
use serde::{Deserialize, Serialize};

use crate::process::bounded_line;
use crate::process::program::Program;
use crate::process::server_data::{self, ServerSecrets};
pub use crate::process::undo::{LISTS_FOLDER, ProcessIdentity, UndoAction};
use crate::process::undo::{is_undone, undo};

/// The journal's name in a run's folder.
pub const JOURNAL: &str = "undo.jsonl";
/// Longest line of a journal, 1 MiB: an entry has a path or two. What has a longer one is damaged, or no journal.
const MAX_ENTRY_BYTES: u64 = 1 << 20;

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum JournalEntry {
    /// Something is about to be done.
    Undo { id: u64, undo: UndoAction },
    /// It has been undone.
    Done { id: u64 },
    /// Nothing is left to undo.
    Clean,
}

/// The conductor's side: writes the journal, and starts the guardian with the first entry.
pub struct Guardian {
    path: PathBuf,
    program: Program,
    journal: Mutex<Option<Journal>>,
    next: AtomicU64,
    /// The guardian, once there is something to guard. Its standard input is the pipe.
    process: Mutex<Option<Child>>,
    /// What opens the servers that are there already.
    secrets: Mutex<ServerSecrets>,
}

/// The journal, open for appending.
struct Journal {
    file: File,
    /// Whether its last line may be torn: a full disk takes a part of one.
    is_torn: bool,
}

impl Journal {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        hold(&file);
        Ok(Self { file, is_torn: false })
    }

    /// Writes an entry, on a line of its own, and has it on disk.
    fn append(&mut self, entry: &JournalEntry) -> io::Result<()> {
        let mut line = if self.is_torn { vec![b'\n'] } else { Vec::new() };
        serde_json::to_writer(&mut line, entry).expect("an entry is plain data");
        line.push(b'\n');
        self.is_torn = true;
        self.file.write_all(&line)?;
        self.is_torn = false;
        self.file.sync_data()
    }
}

/// What came of cleaning up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanUp {
    /// How much has been undone.
    pub undone: usize,
    /// Why some of what is on servers stays, for people.
    pub reasons: Vec<String>,
}

impl Guardian {
    /// A guardian that watches over nothing yet.
    pub fn new(folder: &Path, program: &Program) -> Self {
        let (journal, process, secrets) = Default::default();
        Self {
            path: folder.join(JOURNAL),
            program: program.clone(),
            journal,
            next: AtomicU64::new(1),
            process,
            secrets,
        }
    }

    /// Hands over what opens the servers that are there already: to a guardian that is started from now on, in its environment.
    pub fn hand_over(&self, secrets: ServerSecrets) {
        *self.secrets.lock().expect("no panic while held") = secrets;
    }

    /// Writes how an effect is undone, and has it on disk. `None` where it cannot be written: the fault is injected all
    /// the same, for the processes die with the conductor anyway.
    pub fn record_undo(&self, undo: &UndoAction) -> Option<u64> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.write(&JournalEntry::Undo { id, undo: undo.clone() }).ok()?;
        self.start_once();
        Some(id)
    }

    /// Notes that effects have been undone.
    pub fn mark_undone(&self, ids: Vec<u64>) {
        for id in ids {
            // What cannot be written is undone once more, which does no harm.
            let _ = self.write(&JournalEntry::Done { id });
        }
    }

    /// The run is over. Where nothing is left to undo, that is written; else the guardian undoes it.
    pub fn close(&self) {
        let is_begun = self.journal.lock().expect("no panic while held").is_some();
        if is_begun && open_actions(&self.path).is_ok_and(|open| open.iter().all(is_undone)) {
            let _ = self.write(&JournalEntry::Clean);
        }
        let guardian = self.process.lock().expect("no panic while held").take();
        if let Some(mut guardian) = guardian {
            // Its end of file; it finds the journal clean, or cleans up, and ends.
            drop(guardian.stdin.take());
            let _ = guardian.wait();
        }
    }

    fn write(&self, entry: &JournalEntry) -> io::Result<()> {
        let mut journal = self.journal.lock().expect("no panic while held");
        if journal.is_none() {
            *journal = Some(Journal::open(&self.path)?);
        }
        journal.as_mut().map_or(Ok(()), |journal| journal.append(entry))
    }

    /// Starts the guardian, once. It is no child like the others: it must outlive the conductor.
    fn start_once(&self) {
        let mut process = self.process.lock().expect("no panic while held");
        if process.is_some() {
            return;
        }
        let secrets = self.secrets.lock().expect("no panic while held").clone();
        let mut command = self.program.command();
        let started = server_data::without_secrets(&mut command)
            .envs(secrets.variables())
            .arg("guard")
            .arg(&self.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        // Without one the children still die with the conductor; the journal is for `doctor --clean`.
        *process = started.ok();
    }
}

/// The guardian's life: waits for the end of its standard input, then undoes what is left.
pub fn run(journal: &Path) -> io::Result<CleanUp> {
    // A session of its own, and no signal that asks to end: what ends the conductor, by the terminal, by name or as a service,
    // must not end the guardian before it. Without a conductor it ends by itself.
    let _ = nix::unistd::setsid();
    let ends: SigSet = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
    // A thread's own mask can always be set (pthread_sigmask(3)), and no other was started.
    let _ = ends.thread_block();
    let locked = File::open(journal)?;
    hold(&locked);
    // The pipe carries no data, and what comes all the same is not kept; an error is an end as well.
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
    clean_up_within(GUARDIAN_TIMEOUT, journal, &ServerSecrets::of_environment())
}

/// Keeps others from undoing what a journal says, until the file is closed.
fn hold(journal: &File) {
    // A shared lock: conductor and guardian both have one. A file system without locks has no protection.
    let _ = journal.lock_shared();
}

/// A journal that no conductor and no guardian holds, locked meanwhile; `None` where one of them lives. A file system without
/// locks has no protection.
fn lock_abandoned(journal: &Path) -> io::Result<Option<LockedFile>> {
    let file = File::open(journal)?;
    let is_held = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
    Ok((!is_held).then(|| file.into()))
}

/// Whether the conductor or the guardian of a journal lives; false where there is no journal.
pub fn is_held(journal: &Path) -> bool {
    lock_abandoned(journal).is_ok_and(|abandoned| abandoned.is_none())
}

/// Undoes what a journal leaves open whose conductor and guardian have ended; `None` where one of them lives.
///
/// # Errors
/// When the journal cannot be read or ended.
pub fn clean_abandoned(journal: &Path, secrets: &ServerSecrets) -> io::Result<Option<CleanUp>> {
    let Some(_abandoned) = lock_abandoned(journal)? else { return Ok(None) };
    let is_clean = open_actions(journal)?.is_empty();
    if is_clean { Ok(Some(CleanUp::default())) } else { clean_up(journal, secrets).map(Some) }
}

/// How long something may take to be undone: an ended process lingers in its control group.
const UNDO_TIMEOUT: Duration = Duration::from_secs(2);
/// The same for a guardian, which has killed it a moment before: on a busy machine it waits for a CPU, and within a quota for its
/// share of one.
const GUARDIAN_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is looked at.
const UNDO_INTERVAL: Duration = Duration::from_millis(10);

/// Undoes what a journal leaves open. Returns how much has been undone; the rest stays open.
///
/// # Errors
/// When the journal cannot be read or ended.
pub fn clean_up(journal: &Path, secrets: &ServerSecrets) -> io::Result<CleanUp> {
    clean_up_within(UNDO_TIMEOUT, journal, secrets)
}

fn clean_up_within(limit: Duration, journal: &Path, secrets: &ServerSecrets) -> io::Result<CleanUp> {
    let open = numbered_actions(journal)?;
    let (on_servers, mut left): (Vec<_>, Vec<_>) =
        open.iter().cloned().partition(|(_, action)| matches!(action, UndoAction::Server(_)));
    let until = clock::now() + limit;
    loop {
        left.retain(|(_, action)| {
            undo(action);
            !is_undone(action)
        });
        if left.is_empty() || clock::now() >= until {
            break;
        }
        std::thread::sleep(UNDO_INTERVAL);
    }
    // The processes that used it have ended by now.
    let reasons = remove_from_servers(on_servers, secrets, &mut left);
    let mut file = File::options().append(true).open(journal)?;
    let done =
        open.iter().filter(|entry| !left.contains(entry)).map(|(id, _)| JournalEntry::Done { id: *id });
    let entries: Vec<_> = if left.is_empty() { vec![JournalEntry::Clean] } else { done.collect() };
    // The last line may be torn: these begin on a new line.
    let mut text = String::from("\n");
    for entry in &entries {
        text.push_str(&serde_json::to_string(entry).expect("an entry is plain data"));
        text.push('\n');
    }
    file.write_all(text.as_bytes())?;
    file.sync_data()?;
    Ok(CleanUp { undone: open.len() - left.len(), reasons })
}

/// Removes what is on servers, and adds what stays to what is left. Returns the reasons.
fn remove_from_servers(
    entries: Vec<(u64, UndoAction)>,
    secrets: &ServerSecrets,
    left: &mut Vec<(u64, UndoAction)>,
) -> Vec<String> {
    let data = entries.iter().filter_map(|(_, action)| match action {
        UndoAction::Server(data) => Some(data.clone()),
        _ => None,
    });
    let removed = server_data::remove(&data.collect::<Vec<_>>(), secrets);
    let mut reasons = Vec::new();
    for (entry, removed) in entries.into_iter().zip(removed) {
        if let Err(reason) = removed {
            left.push(entry);
            reasons.push(reason);
        }
    }
    reasons
}

/// What a journal leaves open; nothing where it is clean.
///
/// # Errors
/// When it cannot be read, or has a line that is longer than any entry.
pub fn open_actions(journal: &Path) -> io::Result<Vec<UndoAction>> {
    Ok(numbered_actions(journal)?.into_iter().map(|(_, undo)| undo).collect())
}

fn numbered_actions(journal: &Path) -> io::Result<Vec<(u64, UndoAction)>> {
    let mut open: Vec<(u64, UndoAction)> = Vec::new();
    let (mut lines, mut line) = (BufReader::new(File::open(journal)?), Vec::new());
    while bounded_line::read(&mut lines, MAX_ENTRY_BYTES, &mut line)? {
        // A torn line was never acted on: it is written before the action. It may end within a letter.
        match serde_json::from_slice::<JournalEntry>(&line) {
            Ok(JournalEntry::Undo { id, undo }) => open.push((id, undo)),
            Ok(JournalEntry::Done { id }) => open.retain(|(other, _)| *other != id),
            Ok(JournalEntry::Clean) => open.clear(),
            Err(_) => {}
        }
    }
    Ok(open)
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::*;
    use crate::process::server_data::ServerData;
    use crate::process::usage;

    /// None: these servers ask for nothing, or are not there.
    fn secrets() -> ServerSecrets {
        ServerSecrets::default()
    }

    /// How much has been undone that was abandoned.
    fn abandoned(path: &Path) -> Option<usize> {
        clean_abandoned(path, &secrets()).expect("readable").map(|clean_up| clean_up.undone)
    }

    /// The same, once nothing holds the journal: a child that another test starts has all files for a moment.
    fn abandoned_at_last(path: &Path) -> usize {
        loop {
            if let Some(undone) = abandoned(path) {
                return undone;
            }
            std::thread::yield_now();
        }
    }

    fn write(path: &Path, entries: &[JournalEntry]) {
        let text: String =
            entries.iter().map(|entry| serde_json::to_string(entry).expect("plain") + "\n").collect();
        std::fs::write(path, text).expect("a folder of ours");
    }

    #[test]
    fn a_journal_leaves_open_what_is_neither_done_nor_clean() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(JOURNAL);
        let process = ProcessIdentity { pid: 1, started: 1 };
        let undo = |id| JournalEntry::Undo { id, undo: UndoAction::Continue(process) };
        write(&path, &[undo(1), undo(2), JournalEntry::Done { id: 1 }]);
        assert_eq!(open_actions(&path).expect("readable"), [UndoAction::Continue(process)]);
        write(&path, &[undo(1), JournalEntry::Clean, undo(2)]);
        assert_eq!(open_actions(&path).expect("readable").len(), 1, "a later block of the same run");
        let torn = std::fs::read_to_string(&path).expect("readable") + "{\"undo\":{\"id\":3,";
        std::fs::write(&path, torn).expect("a folder of ours");
        assert_eq!(open_actions(&path).expect("readable").len(), 1, "what is torn was never done");
        assert_eq!(clean_up(&path, &secrets()).expect("readable").undone, 1);
        assert!(open_actions(&path).expect("readable").is_empty());
        let error = open_actions(Path::new("/dev/zero")).expect_err("it has no end");
        assert_eq!(error.to_string(), "a line is longer than 1048576 bytes");
    }

    #[test]
    fn a_journal_that_is_torn_within_a_letter_leaves_the_rest_open() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(JOURNAL);
        let entry = |id, name: &str| {
            let undo = JournalEntry::Undo { id, undo: UndoAction::File(folder.path().join(name)) };
            serde_json::to_vec(&undo).expect("plain")
        };
        let torn = entry(2, "zoë");
        let within = torn.iter().position(|byte| !byte.is_ascii()).expect("a letter of two bytes");
        std::fs::write(&path, [&entry(1, "one")[..], b"\n", &torn[..=within]].concat())
            .expect("a folder of ours");
        let one = UndoAction::File(folder.path().join("one"));
        assert_eq!(open_actions(&path).expect("readable"), std::slice::from_ref(&one));

        // The disk has room again: what comes next is no part of the torn line.
        let mut journal = Journal { is_torn: true, ..Journal::open(&path).expect("a folder of ours") };
        journal.append(&JournalEntry::Undo { id: 3, undo: one.clone() }).expect("a folder of ours");
        assert!(!journal.is_torn);
        assert_eq!(open_actions(&path).expect("readable"), [one.clone(), one]);
    }

    #[test]
    fn a_journal_is_left_alone_as_long_as_its_conductor_or_guardian_lives() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(JOURNAL);
        let process = ProcessIdentity { pid: 1, started: 1 };
        let conductor = Guardian::new(folder.path(), &"/bin/true".into());
        conductor.record_undo(&UndoAction::Continue(process)).expect("a folder of ours");
        let guardian = File::open(&path).expect("readable");
        hold(&guardian);
        assert_eq!(abandoned(&path), None);
        assert!(is_held(&path) && !is_held(&folder.path().join("none")));
        drop(conductor);
        assert_eq!(abandoned(&path), None, "its guardian lives");
        assert_eq!(open_actions(&path).expect("readable").len(), 1);
        drop(guardian);
        assert_eq!(abandoned_at_last(&path), 1);
        while is_held(&path) {
            std::thread::yield_now();
        }
        assert_eq!(abandoned_at_last(&path), 0, "once is enough");
    }

    #[test]
    fn what_could_not_be_undone_is_never_written_as_undone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(JOURNAL);
        // A folder with a file in it is no control group, and cannot be removed as one.
        let stubborn = folder.path().join("cleave-stubborn");
        std::fs::create_dir(&stubborn).expect("a folder of ours");
        std::fs::write(stubborn.join("file"), "").expect("a folder of ours");
        let gone = ProcessIdentity { pid: 1, started: 1 };
        let group = UndoAction::Group(stubborn.clone());
        let undo = |id, undo| JournalEntry::Undo { id, undo };
        write(&path, &[undo(1, UndoAction::Kill(gone)), undo(2, group.clone())]);
        assert_eq!(
            clean_up(&path, &secrets()).expect("readable").undone,
            1,
            "the process has ended long ago"
        );
        assert_eq!(open_actions(&path).expect("readable"), [group]);

        let conductor = Guardian::new(folder.path(), &"/bin/true".into());
        conductor.record_undo(&UndoAction::Kill(gone)).expect("a folder of ours");
        conductor.close();
        assert_eq!(open_actions(&path).expect("readable").len(), 2, "a run does not end clean beside it");
        std::fs::remove_file(stubborn.join("file")).expect("ours");
        assert_eq!(clean_up(&path, &secrets()).expect("readable").undone, 2);
        assert!(open_actions(&path).expect("readable").is_empty() && !stubborn.exists());
    }

    #[test]
    fn what_is_on_a_server_that_is_not_there_stays_open_and_the_rest_is_undone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(JOURNAL);
        let gone = UndoAction::Kill(ProcessIdentity { pid: 1, started: 1 });
        let server = "host='/nowhere' port='5432' user='ada' dbname='app'".to_owned();
        let database =
            UndoAction::Server(ServerData::Database { server, name: "cleave_r1_A_0_app".to_owned() });
        let undo = |id, undo| JournalEntry::Undo { id, undo };
        write(&path, &[undo(1, database.clone()), undo(2, gone)]);
        let clean = clean_up(&path, &secrets()).expect("readable");
        assert_eq!(clean.undone, 1, "the process has ended long ago");
        let [reason] = &clean.reasons[..] else { panic!("one reason: {clean:?}") };
        assert!(reason.starts_with("database cleave_r1_A_0_app of host='/nowhere'"), "{reason}");
        assert_eq!(open_actions(&path).expect("readable"), [database]);
    }

    #[test]
    fn a_list_of_what_has_ended_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let lists = folder.path().join(LISTS_FOLDER);
        std::fs::create_dir(&lists).expect("a folder of ours");
        let (path, list) = (folder.path().join(JOURNAL), lists.join("r1.json"));
        std::fs::write(&list, "[]").expect("a folder of ours");
        write(&path, &[JournalEntry::Undo { id: 1, undo: UndoAction::File(list.clone()) }]);
        assert_eq!(clean_up(&path, &secrets()).expect("readable").undone, 1);
        assert!(!list.exists() && open_actions(&path).expect("readable").is_empty());
    }

    #[test]
    fn a_stopped_process_goes_on_and_another_of_its_id_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(JOURNAL);
        let mut child = std::process::Command::new("sleep").arg("30").spawn().expect("sleep is everywhere");
        let pid = Pid::from_raw(child.id().cast_signed());
        kill(pid, Signal::SIGSTOP).expect("ours");
        let stopped = |child: &std::process::Child| usage::state(child.id()) == Some('T');
        while !stopped(&child) {
            std::thread::yield_now();
        }
        let identity = ProcessIdentity::of(child.id());
        let other = ProcessIdentity { started: identity.started + 1, ..identity };
        write(&path, &[JournalEntry::Undo { id: 1, undo: UndoAction::Kill(other) }]);
        clean_up(&path, &secrets()).expect("readable");
        assert!(stopped(&child), "another process has that id");
        write(&path, &[JournalEntry::Undo { id: 1, undo: UndoAction::Continue(identity) }]);
        clean_up(&path, &secrets()).expect("readable");
        while stopped(&child) {
            std::thread::yield_now();
        }
        child.kill().and_then(|()| child.wait()).expect("it ends");
    }
}
