//! Records of every version that is read, a line of each kind: what an earlier program wrote stays readable.
//!
//! `UPDATE_RECORD=1 cargo test -p record --test it versions` writes that of the present version, each field filled. Do so
//! before the version is raised: it stays as it is from then on.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Once;

use record::{Entry, Kind, Line, OLDEST_VERSION, Reader, SCHEMA_VERSION};

use crate::filled;

/// Whether the record of the present version was written anew.
static UPDATE: Once = Once::new();

fn record_of(version: u32) -> PathBuf {
    let path = |version| {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/records/v{version}.jsonl"))
    };
    if std::env::var_os("UPDATE_RECORD").is_some() {
        let line = |line| serde_json::to_string(&line).expect("json") + "\n";
        let text = || filled::lines().into_iter().map(line).collect::<String>();
        UPDATE.call_once(|| std::fs::write(path(SCHEMA_VERSION), text()).expect("a folder of ours"));
    }
    path(version)
}

#[test]
fn a_record_of_each_version_that_is_read_is_kept_and_read_whole() {
    for version in OLDEST_VERSION..=SCHEMA_VERSION {
        let path = record_of(version);
        let written =
            std::fs::read_to_string(&path).expect("a record of each version lies in tests/it/records");
        let lines: Vec<Line> = Reader::open(&path).and_then(Iterator::collect).expect("every line is read");
        assert_eq!(lines.len(), written.lines().count(), "version {version}");
        let Entry::Header(header) = &lines[0].entry else { panic!("it begins with its header") };
        assert_eq!(header.schema_version, version);
        let kinds: BTreeSet<&str> = lines.iter().map(|line| line.entry.kind()).collect();
        // Version 2 brought `trace_second` and `start`, and later `delay`.
        let expected = match version {
            1 => 14,
            2 => 16,
            _ => 17,
        };
        assert_eq!(kinds.len(), expected, "a line of each kind: {kinds:?}");
    }
}

#[test]
fn what_the_first_program_of_version_2_wrote_is_read_whole() {
    // Cut from a run: unlike the record above no later program writes it anew, with fields that came since.
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/records/v2-run.jsonl");
    let written = std::fs::read_to_string(&path).expect("it is kept");
    let lines: Vec<Line> = Reader::open(&path).and_then(Iterator::collect).expect("every line is read");
    assert_eq!(lines.len(), written.lines().count());
    let Entry::Header(header) = &lines[0].entry else { panic!("it begins with its header") };
    assert_eq!(header.schema_version, 2);
    assert!(!written.contains("\"resources\""), "a field that came later is not in it");
}

#[test]
fn a_field_of_version_1_that_was_renamed_is_read_by_its_old_name() {
    let latency = |version| {
        let mut lines = Reader::open(&record_of(version)).expect("a record").only(&[Kind::Trace]);
        match lines.next_line().expect("a line").expect("a trace").entry {
            Entry::Trace(trace) => trace.user_latency,
            other => panic!("a trace was asked for, not a {}", other.kind()),
        }
    };
    assert_eq!(latency(1), 2_754_000, "by its old name");
    assert_eq!(latency(2), 2);
}
