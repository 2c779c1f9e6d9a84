//! A record that is packed once its run is over reads as it did before.

use std::path::{Path, PathBuf};

use record::{Index, Line, Place, ReadError, Reader, file, packing};

const SECOND: u64 = 1_000_000_000;

/// A record of this version in a folder of its own.
fn record_in(folder: &Path) -> PathBuf {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/records/v2.jsonl");
    let path = folder.join("run.jsonl");
    std::fs::copy(kept, &path).expect("a folder of ours");
    path
}

fn lines_of(path: &Path) -> Vec<Line> {
    Reader::open(path).and_then(Iterator::collect).expect("a record")
}

/// Places of seconds, and where the record ends.
fn places_of(index: &Index) -> Vec<Place> {
    (0..60).map(|second| index.place(second * SECOND)).chain([index.end()]).collect()
}

#[test]
fn a_packed_record_has_the_same_lines_and_the_same_places() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = record_in(folder.path());
    let (lines, places) = (lines_of(&path), places_of(&Index::of(&path).expect("reads")));
    let plain_bytes = std::fs::metadata(&path).expect("there").len();
    packing::pack(&path).expect("packs");
    assert!(!path.exists() && file::find(&path) == Some(file::packed_path(&path)));
    let packed_bytes = std::fs::metadata(file::packed_path(&path)).expect("there").len();
    assert!(packed_bytes * 2 < plain_bytes, "{packed_bytes} of {plain_bytes}");
    assert_eq!(lines_of(&path), lines);
    let mut index = Index::of(&path).expect("reads");
    assert_eq!(places_of(&index), places, "of the lines, not of the packed bytes");
    index.refresh(&path).expect("reads");
    assert_eq!(places_of(&index), places, "nothing is added to it");
    std::fs::remove_file(path.with_extension("idx")).expect("there");
    assert_eq!(places_of(&Index::of(&path).expect("reads")), places, "made anew");
    let names = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(names, 2, "the record and its index, and no part of either");
}

#[test]
fn a_reader_goes_to_a_place_of_a_packed_record_and_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = record_in(folder.path());
    let mut reader = Reader::open(&path).expect("opens");
    let first = reader.next_line().expect("reads").expect("a header");
    let after_header = reader.place();
    let second = reader.next_line().expect("reads").expect("a line");
    packing::pack(&path).expect("packs");
    assert!(reader.next_line().expect("reads").is_some(), "who reads it meanwhile goes on");
    let mut packed = Reader::open(&path).expect("opens");
    packed.seek(after_header).expect("seeks");
    assert_eq!(packed.next_line().expect("reads"), Some(second));
    packed.seek(Place::default()).expect("seeks");
    assert_eq!(packed.next_line().expect("reads"), Some(first));
}

#[test]
fn what_cannot_be_packed_stays_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.jsonl");
    assert!(packing::pack(&path).is_err() && file::find(&path).is_none());
    std::fs::write(&path, "").expect("a folder of ours");
    packing::pack(&path).expect("nothing to pack");
    assert_eq!(file::find(&path), Some(path.clone()), "a run that never began keeps its empty record");
    let packed = record_in(folder.path());
    packing::pack(&packed).expect("packs");
    let bytes = std::fs::read(file::packed_path(&packed)).expect("there");
    std::fs::write(file::packed_path(&packed), &bytes[..bytes.len() / 2]).expect("writable");
    let cut: Result<Vec<Line>, ReadError> = Reader::open(&packed).and_then(Iterator::collect);
    assert!(matches!(cut, Err(ReadError::Io { .. })), "half a packed record is no shorter record: {cut:?}");
}
