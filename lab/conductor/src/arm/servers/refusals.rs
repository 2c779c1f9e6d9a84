//! Connections that a server refused because it has no more, from its log: it counts them nowhere else.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;

/// What it writes of each (SQLSTATE 53300), in the language that the lab makes its servers with: there are none left, or only
/// those that are kept for superusers.
const TEXTS: [&str; 2] =
    ["FATAL:  sorry, too many clients already", "FATAL:  remaining connection slots are reserved"];

/// Counts them, from when it was made.
pub struct Refusals {
    log: Option<BufReader<File>>,
    count: u64,
    /// The beginning of a line whose end is not written yet.
    line: Vec<u8>,
}

impl Refusals {
    /// Those that will be written to a log. Where it cannot be read there are none.
    pub fn in_log(path: &Path) -> Self {
        let log = File::open(path).and_then(|mut log| {
            log.seek(SeekFrom::End(0))?;
            Ok(BufReader::new(log))
        });
        Self { log: log.ok(), count: 0, line: Vec::new() }
    }

    /// How many there were until now.
    pub fn count(&mut self) -> u64 {
        let Some(log) = &mut self.log else { return 0 };
        while log.read_until(b'\n', &mut self.line).is_ok_and(|read| read > 0) {
            if !self.line.ends_with(b"\n") {
                break;
            }
            let line = String::from_utf8_lossy(&self.line);
            self.count += u64::from(TEXTS.iter().any(|text| line.contains(text)));
            self.line.clear();
        }
        self.count
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn refusals_are_counted_from_now_on_by_whole_lines() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let mut log = File::create(&path).expect("ours");
        let refused = "2026-01-01 00:00:00.000 UTC [7] FATAL:  sorry, too many clients already\n";
        log.write_all(refused.as_bytes()).expect("written");
        let mut refusals = Refusals::in_log(&path);
        assert_eq!(refusals.count(), 0, "that was before");
        let (begun, rest) = refused.split_at(60);
        log.write_all(format!("{refused}LOG:  checkpoint starting\n{begun}").as_bytes()).expect("written");
        assert_eq!(refusals.count(), 1);
        assert_eq!(refusals.count(), 1, "each once");
        log.write_all(rest.as_bytes()).expect("written");
        assert_eq!(refusals.count(), 2);
        assert_eq!(Refusals::in_log(&folder.path().join("none")).count(), 0);
    }
}
