//! A run's record, as any program may have written it: plain, or packed.

use std::fs;
use std::path::Path;

use record::{Kind, Reader};
use tempfile::TempDir;

use super::{Target, no_seeds};

pub(super) const TARGET: Target = Target { name: "record", run, seeds: no_seeds, words: WORDS };

const WORDS: &[&[u8]] = &[
    b"{\"t\":0,\"kind\":\"header\",\"schema_version\":",
    b"{\"t\":5,\"kind\":\"phase\",\"index\":0,\"name\":\"steady\",\"round\":1,\"arms\":\"\"}\n",
    b"{\"t\":7,\"kind\":\"hologram\"}\n",
    b"\"kind\":\"window\"",
    b"\"kind\":\"edge\"",
    b"\"kind\":\"event\"",
    b"\"kind\":\"end\"",
    b"\"kind\":\"trace\"",
    b"1e999",
    b"-1",
    b"18446744073709551616",
    b"null",
    b"[[[[[[[[",
    b"\\u0000",
    b"\xef\xbb\xbf",
    b"\n",
    b"\x1f\x8b\x08\0\0\0\0\0\0\xff",
];

/// Two kinds, for readers that ask for few.
const KINDS: [Kind; 2] = [Kind::Header, Kind::Phase];

thread_local! {
    static FOLDER: TempDir = tempfile::tempdir().expect("a folder");
}

fn run(input: &[u8]) {
    let path = FOLDER.with(|folder| folder.path().join("run.jsonl"));
    let (file, other) = (record::file::packed_path(&path), path.clone());
    let is_packed = input.starts_with(b"\x1f\x8b");
    let (written, removed) = if is_packed { (&file, &other) } else { (&other, &file) };
    // It may never have been there.
    let _missing = fs::remove_file(removed);
    fs::write(written, input).expect("a folder of ours");
    let lines = read(&path, &[]);
    let few = read(&path, &KINDS);
    assert!(few <= lines, "{few} of {lines} lines are of two kinds");
}

/// Lines that are whole, invalid ones included; after each of these the next one is asked for.
fn read(path: &Path, kinds: &[Kind]) -> usize {
    let Ok(reader) = Reader::open(path) else { return 0 };
    let mut reader = reader.only(kinds);
    let mut lines = 0;
    let mut last = reader.place();
    loop {
        match reader.next_line() {
            Ok(None) => return lines,
            Ok(Some(_)) => {}
            // The file itself, such as one that is packed wrongly: nothing follows.
            Err(record::ReadError::Io { .. }) => return lines,
            Err(why) => assert!(reader.place().bytes > last.bytes, "it does not get past {why}"),
        }
        last = reader.place();
        lines += 1;
    }
}
