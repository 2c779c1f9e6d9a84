//! What the files of a database show from outside: their size, and how often its write-ahead log began anew.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Where the header of a write-ahead log has its checkpoint sequence number, four bytes with the highest first (SQLite,
/// Database File Format, section 4.1).
const CHECKPOINT_SEQUENCE: u64 = 12;

/// Bytes of a database, its write-ahead log included; `database` is its path without the extension.
pub(super) fn bytes(database: &Path) -> u64 {
    let sizes = ["db", "db-wal", "db-shm"]
        .iter()
        .filter_map(|extension| std::fs::metadata(database.with_added_extension(extension)).ok());
    sizes.map(|file| file.len()).sum()
}

/// Bytes of all files in a folder and below it.
pub(super) fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => folder_bytes(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

/// How often the write-ahead log of a database began anew since it was made: the first write after a checkpoint that took
/// all of it does that. 0 without a log.
pub(super) fn checkpoints(database: &Path) -> u64 {
    let mut number = [0; 4];
    let read = File::open(database.with_added_extension("db-wal"))
        .and_then(|log| log.read_exact_at(&mut number, CHECKPOINT_SEQUENCE));
    read.map_or(0, |()| u32::from_be_bytes(number).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_the_number_of_its_checkpoints() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("feed");
        assert_eq!(checkpoints(&database), 0, "no log");
        // Magic number, format, page size, sequence number.
        let header: [u32; 4] = [0x377f_0682, 3_007_000, 4_096, 7];
        let header: Vec<u8> = header.iter().flat_map(|word| word.to_be_bytes()).collect();
        std::fs::write(folder.path().join("feed.db-wal"), &header[..10]).expect("half a header");
        assert_eq!(checkpoints(&database), 0);
        std::fs::write(folder.path().join("feed.db-wal"), &header).expect("the header");
        assert_eq!((checkpoints(&database), bytes(&database)), (7, 16));
    }

    #[test]
    fn a_database_is_its_file_and_its_write_ahead_log() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("people");
        assert_eq!(bytes(&database), 0, "nothing is stored yet");
        for (name, length) in [("people.db", 100), ("people.db-wal", 20), ("people.json", 5_000)] {
            std::fs::write(folder.path().join(name), vec![0; length]).expect("a folder of ours");
        }
        assert_eq!(bytes(&database), 120);
    }
}
