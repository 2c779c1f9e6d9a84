//! What a log keeps, whatever happens to its file.

use tempfile::TempDir;

use super::*;
use crate::instance::{Epoch, InstanceId, Revision, ServiceName, State};

fn instance(id: &str) -> Instance {
    let (service, id) = (ServiceName::new("photo").expect("plain"), InstanceId::new(id).expect("plain"));
    Instance::new(service, id, Epoch(1), ([127, 0, 0, 1], 4001).into())
}

fn snapshot(instances: &[Instance]) -> Snapshot {
    Snapshot { registry: RegistryEpoch(9), instances: instances.to_vec(), ..Snapshot::default() }
}

fn put(rev: u64, id: &str) -> Delta {
    Delta { rev: Revision(rev), put: vec![instance(id)], del: Vec::new() }
}

fn del(rev: u64, id: &str) -> Delta {
    Delta { rev: Revision(rev), put: Vec::new(), del: vec![instance(id).key()] }
}

/// A log in a folder of its own.
struct Fixture {
    log: RegistryLog,
    options: LogOptions,
    _folder: TempDir,
}

impl Fixture {
    fn new(compact_bytes: u64, instances: &[Instance]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = LogOptions { path: folder.path().join("data/registry.log"), compact_bytes };
        let log = RegistryLog::create(options.clone(), snapshot(instances)).expect("a folder of ours");
        Self { log, options, _folder: folder }
    }

    fn append(&mut self, deltas: &[Delta]) {
        self.log.append(deltas.to_vec()).expect("a folder of ours");
    }

    fn text(&self) -> Vec<u8> {
        fs::read(&self.options.path).expect("a file of ours")
    }

    /// What is read once the file holds this.
    fn read_as(&self, text: &[u8]) -> Result<Recovered, LogError> {
        fs::write(&self.options.path, text).expect("a file of ours");
        read(&self.options.path)
    }

    fn ids(&self) -> Vec<String> {
        ids(&read(&self.options.path).expect("a log"))
    }
}

fn ids(recovered: &Recovered) -> Vec<String> {
    recovered.instances.iter().map(|instance| instance.id.to_string()).collect()
}

#[test]
fn what_is_written_is_read() {
    let mut fixture = Fixture::new(COMPACT_BYTES, &[instance("a"), instance("b")]);
    let draining = Instance { state: State::Draining, ..instance("c") };
    fixture.append(&[
        put(1, "c"),
        del(2, "a"),
        Delta { rev: Revision(3), put: vec![draining.clone()], del: Vec::new() },
    ]);
    let expected = Recovered {
        registry: Some(RegistryEpoch(9)),
        instances: vec![instance("b"), draining],
        skipped: 0,
        torn_bytes: 0,
    };
    assert_eq!(read(&fixture.options.path).expect("a log"), expected);
}

#[test]
fn no_file_and_an_empty_file_hold_nothing() {
    let fixture = Fixture::new(COMPACT_BYTES, &[]);
    assert_eq!(fixture.read_as(b"").expect("as after a loss of power"), Recovered::default());
    fs::remove_file(&fixture.options.path).expect("a file of ours");
    assert_eq!(read(&fixture.options.path).expect("none yet"), Recovered::default());
}

#[test]
fn a_torn_last_line_is_cut_off_wherever_it_is_torn() {
    let mut fixture = Fixture::new(COMPACT_BYTES, &[instance("a")]);
    let whole = fixture.text().len();
    fixture.append(&[put(1, "b")]);
    let text = fixture.text();
    for length in whole..text.len() {
        let recovered = fixture.read_as(&text[..length]).expect("a log");
        assert_eq!(ids(&recovered), ["a"], "{length}");
        assert_eq!((recovered.torn_bytes, recovered.skipped), (length - whole, 0), "{length}");
    }
    assert_eq!(ids(&fixture.read_as(&text).expect("a log")), ["a", "b"]);
}

#[test]
fn a_damaged_line_is_skipped_and_counted_wherever_it_is_damaged() {
    let mut fixture = Fixture::new(COMPACT_BYTES, &[instance("a")]);
    let begin = fixture.text().len();
    fixture.append(&[put(1, "b")]);
    let end = fixture.text().len() - 1;
    fixture.append(&[put(2, "c")]);
    let text = fixture.text();
    for at in begin..end {
        let mut damaged = text.clone();
        // Another byte, and no end of a line.
        damaged[at] ^= 0x40;
        let recovered = fixture.read_as(&damaged).expect("a log");
        assert_eq!(ids(&recovered), ["a", "c"], "byte {at}");
        assert_eq!((recovered.skipped, recovered.torn_bytes), (1, 0), "byte {at}");
    }
    // Two lines without the end between them are one that is damaged.
    let mut damaged = text.clone();
    damaged[end] = b' ';
    let recovered = fixture.read_as(&damaged).expect("a log");
    assert_eq!((ids(&recovered), recovered.skipped), (vec!["a".to_owned()], 1));
}

#[test]
fn another_file_and_another_format_are_refused_by_name() {
    let fixture = Fixture::new(COMPACT_BYTES, &[]);
    let error = fixture.read_as(b"[arms]\nname = \"not ours\"\n").expect_err("no log");
    assert!(matches!(error, LogError::NotALog { .. }), "{error}");
    assert!(error.to_string().contains("registry.log is not a registry's log"), "{error}");

    let mut text = Vec::new();
    encode(&Entry::Header { format: 2, registry: RegistryEpoch(9) }, &mut text);
    let error = fixture.read_as(&text).expect_err("another format");
    assert!(matches!(error, LogError::Format { format: 2, .. }), "{error}");

    let folder = fixture.options.path.parent().expect("a folder");
    assert!(matches!(read(folder), Err(LogError::Read { .. })), "a folder is no file");
}

#[test]
fn a_file_without_an_end_and_the_last_epoch_are_refused_by_name() {
    let error = read(Path::new("/dev/zero")).expect_err("it has no end");
    assert!(matches!(error, LogError::TooLong { .. }), "{error}");
    assert!(error.to_string().contains("/dev/zero is longer than 64 MiB"), "{error}");

    let fixture = Fixture::new(COMPACT_BYTES, &[]);
    let header = |registry| {
        let mut text = Vec::new();
        encode(&Entry::Header { format: FORMAT, registry: RegistryEpoch(registry) }, &mut text);
        text
    };
    let error =
        fixture.read_as(&header(u64::MAX)).expect_err("a registry has a later epoch after every start");
    assert!(matches!(error, LogError::LastEpoch { .. }), "{error}");
    fixture.read_as(&header(u64::MAX - 1)).expect("one is later");
}

#[test]
fn a_log_that_cannot_be_written_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a folder of ours");
    let options = LogOptions::at(file.join("registry.log"));
    let error = RegistryLog::create(options, snapshot(&[])).map(|_| ()).expect_err("a file is no folder");
    assert!(matches!(error, LogError::Write { .. }), "{error}");
}

#[test]
fn a_log_is_bounded_by_its_limit_or_twice_its_snapshot() {
    const LIMIT: u64 = 4_096;
    let mut fixture = Fixture::new(LIMIT, &[]);
    let mut compactions = 0;
    for rev in 0..1_000 {
        // One instance comes as another goes: ten at most.
        let (new, old) = (format!("i{rev}"), format!("i{}", rev.max(10) - 10));
        let line = fixture.text().len();
        fixture.append(&[put(2 * rev, &new), del(2 * rev + 1, &old)]);
        let written = (fixture.text().len() - line) as u64;
        assert!(fixture.text().len() as u64 <= LIMIT + written, "one append beyond its limit at most");
        if fixture.log.needs_snapshot() {
            let before = read(&fixture.options.path).expect("a log");
            fixture.log.replace(snapshot(&before.instances)).expect("a folder of ours");
            assert_eq!(read(&fixture.options.path).expect("a log").instances, before.instances);
            assert!(!fixture.log.needs_snapshot());
            compactions += 1;
        }
    }
    assert!(compactions > 10, "{compactions}");

    // What is longer than the limit by itself is not replaced with every change.
    let many: Vec<Instance> = (0..100).map(|n| instance(&format!("i{n}"))).collect();
    let mut fixture = Fixture::new(LIMIT, &many);
    let snapshot_bytes = fixture.text().len();
    assert!(snapshot_bytes as u64 > LIMIT && !fixture.log.needs_snapshot());
    while !fixture.log.needs_snapshot() {
        fixture.append(&[put(1, "i0")]);
    }
    assert!(fixture.text().len() > 2 * snapshot_bytes);
    assert_eq!(fixture.ids().len(), 100);
}
