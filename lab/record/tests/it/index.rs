//! The index of a record: written with it, used as it is, and made anew where it does not fit.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use record::{Entry, Host, Index, Kind, Line, Place, Reader, Writer};

const SECOND: u64 = 1_000_000_000;

fn host(t_ms: u64) -> Line {
    Line { t: t_ms * 1_000_000, entry: Entry::Host(Host::default()) }
}

fn text(t_ms: u64) -> String {
    serde_json::to_string(&host(t_ms)).expect("json") + "\n"
}

/// Appends to a record that no writer keeps an index of.
fn append(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("run.jsonl");
    let mut file = OpenOptions::new().create(true).append(true).open(&path).expect("opens");
    file.write_all(text.as_bytes()).expect("writes");
    path
}

/// An index made without the one that is kept.
fn scanned(record: &Path) -> Index {
    let mut index = Index::default();
    index.refresh(record).expect("reads");
    index
}

/// Makes the first line of a record unreadable, in its place: who scans it finds other seconds.
fn damage_first_line(record: &Path) {
    let mut file = OpenOptions::new().write(true).open(record).expect("opens");
    file.seek(SeekFrom::Start(0)).expect("seeks");
    file.write_all(br#"{"t":7000000000}"#).expect("writes");
}

#[test]
fn a_second_is_found_without_what_came_before_it() {
    let folder = tempfile::tempdir().expect("a folder");
    // Nothing in second 1, a late line of second 2 in second 3, a torn line at the end.
    let lines = [text(100), text(900), text(2_500), text(3_100), text(2_900), text(3_200)];
    let path = append(folder.path(), &(lines.concat() + "{\"t\":4"));
    let index = Index::of(&path).expect("reads");
    let before = |n: usize| Place { bytes: lines[..n].concat().len() as u64, lines: n as u64 };
    let places = [0, 1, 2, 3, 9].map(|second| index.place(second * SECOND));
    assert_eq!(places, [before(0), before(2), before(2), before(3), before(6)]);
    assert_eq!(index.end(), before(6), "a torn line has not been written yet");
}

#[test]
fn an_index_is_written_with_its_record_and_read_while_it_grows() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.jsonl");
    let mut writer = Writer::create(&path).expect("creates");
    let index_path = path.with_extension("idx");
    let inode = || std::fs::metadata(&index_path).expect("is there").ino();
    let first = inode();
    let mut held = Index::of(&path).expect("reads");
    for t_ms in [100, 900, 2_500, 3_100, 2_900, 3_200, 90_000, 90_100] {
        writer.write(&host(t_ms)).expect("writes");
        held.refresh(&path).expect("reads");
        assert_eq!(Index::of(&path).expect("reads"), scanned(&path), "at {t_ms} ms");
        assert_eq!(held, scanned(&path), "at {t_ms} ms");
        let mut reader = std::fs::read_to_string(&path).expect("reads");
        let last = reader.split_off(usize::try_from(held.place(t_ms * 1_000_000).bytes).expect("small"));
        assert!(
            last.contains(&format!("\"t\":{t_ms}000000,")),
            "the second of {t_ms} ms begins before its line"
        );
    }
    drop(writer);
    assert_eq!(inode(), first, "readers left the index to its writer");
    damage_first_line(&path);
    assert_eq!(Index::of(&path).expect("reads"), held, "what was indexed is not read again");
    assert_ne!(scanned(&path), held);
}

#[test]
fn an_index_that_does_not_fit_is_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = [text(100), text(1_100), text(2_200)];
    let path = append(folder.path(), &lines.concat());
    let index_path = path.with_extension("idx");
    let first = Index::of(&path).expect("reads");
    let kept = std::fs::read_to_string(&index_path).expect("kept");
    assert_eq!(kept.lines().count(), 4, "the record, and three seconds");
    assert_eq!(Index::of(&path).expect("reads"), first);

    for damaged in ["", "{\"version\":1,\"fi", &kept[..kept.len() - 4]] {
        std::fs::write(&index_path, damaged).expect("writes");
        let made = Index::of(&path).expect("reads");
        let is_whole =
            made.place(SECOND).bytes == first.place(SECOND).bytes && made.end().bytes == first.end().bytes;
        assert!(is_whole, "{damaged}");
    }

    std::fs::remove_file(&path).expect("removes");
    append(folder.path(), &text(100));
    assert_eq!(Index::of(&path).expect("reads"), scanned(&path), "another file's");
    File::create(&path).expect("empties");
    append(folder.path(), &(text(500) + &text(4_000)));
    assert_eq!(Index::of(&path).expect("reads"), scanned(&path), "the same file, written again");
    let left = std::fs::read_dir(folder.path()).expect("lists").count();
    assert_eq!(left, 2, "nothing but the record and its index is left");
}

#[test]
fn a_reader_begins_at_a_place_and_skips_what_is_not_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let phase = r#"{"t":1200000000,"kind":"phase","index":0,"name":"steady","round":1,"arms":""}"#;
    let header = r#"{"t":0,"kind":"header","schema_version":2}"#;
    let path = append(folder.path(), &format!("{header}\n{}{}{phase}\nnot a line\n", text(100), text(1_100)));
    let index = Index::of(&path).expect("reads");
    let mut reader = Reader::open(&path).expect("opens").only(&[Kind::Phase]);
    reader.seek(index.place(SECOND)).expect("seeks");
    let line = reader.next_line().expect("reads").expect("there is one");
    assert_eq!((line.entry.kind(), reader.place().lines), ("phase", 4));
    let error = reader.next_line().expect_err("no line of a record").to_string();
    assert!(error.ends_with("run.jsonl:5:2: invalid line of a run record: expected ident"), "{error}");
}
