//! The lines of a run as they come, and older ones read back from its record by the record's index.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use model::Run;
use model::source::{Progress, Source};
use model::startup::Startup;
use record::{Index, Line, ReadError, Reader};
use tokio::sync::watch;

/// A channel of lines, and the record they are written to.
pub struct RecordedSource {
    lines: Receiver<Arc<Line>>,
    record: PathBuf,
    /// Made when something is first read back.
    index: Option<Index>,
    /// How a run that begins here gets ready.
    startup: Option<watch::Receiver<Startup>>,
}

impl RecordedSource {
    /// Lines that are in `record`, or will be.
    pub fn new(lines: Receiver<Arc<Line>>, record: PathBuf) -> Self {
        Self { lines, record, index: None, startup: None }
    }

    /// The same with how the run gets ready before its first line.
    pub fn with_startup(self, startup: watch::Receiver<Startup>) -> Self {
        Self { startup: Some(startup), ..self }
    }

    /// Waits until no more lines come.
    pub fn drain(self) {
        self.lines.into_iter().for_each(drop);
    }

    fn index(&mut self) -> std::io::Result<&Index> {
        match &mut self.index {
            Some(index) => index.refresh(&self.record).map(drop)?,
            none => *none = Some(Index::of(&self.record)?),
        }
        Ok(self.index.get_or_insert_default())
    }

    fn read(&mut self, run: &Run, range: Range<u64>) -> Result<Run, ReadError> {
        let path = self.record.clone();
        let io_error = |source| ReadError::Io { path, source };
        let (from, to) = {
            let index = self.index().map_err(io_error)?;
            (index.place(range.start), index.place(range.end))
        };
        let mut reader = Reader::open(&self.record)?;
        reader.seek(from)?;
        let mut past = run.without_samples();
        while reader.place().bytes < to.bytes
            && let Some(line) = reader.next_line()?
        {
            past.add(&line);
        }
        past.settle();
        Ok(past)
    }
}

impl Source for RecordedSource {
    fn advance(&mut self, run: &mut Run) -> Progress {
        self.lines.advance(run)
    }

    fn step(&mut self, run: &mut Run) -> Progress {
        self.lines.step(run)
    }

    fn startup(&mut self) -> Option<Startup> {
        let startup = self.startup.as_mut()?;
        match startup.has_changed() {
            Ok(true) => Some(startup.borrow_and_update().clone()),
            // The run is over, or nothing is new.
            Ok(false) | Err(_) => None,
        }
    }

    fn read_back(&mut self, run: &Run, range: Range<u64>) -> Option<Run> {
        // What cannot be read is shown as far as memory goes.
        self.read(run, range).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use model::SECOND;

    use super::*;

    #[test]
    fn the_start_is_reported_when_it_has_changed() {
        let startup = watch::Sender::new(Startup::new("first-look", 42, []));
        let source = RecordedSource::new(mpsc::channel().1, PathBuf::new());
        let mut source = source.with_startup(startup.subscribe());
        assert_eq!(source.startup(), None, "what it was at first is nothing");
        startup.send_modify(|startup| startup.seed = 43);
        assert_eq!(source.startup().map(|startup| startup.seed), Some(43));
        assert_eq!(source.startup(), None, "once");
    }

    #[test]
    fn a_moment_is_read_back_as_it_was_folded() {
        let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/records/crash.jsonl"));
        let folder = tempfile::TempDir::new().expect("a folder");
        let record = folder.path().join("run.jsonl");
        std::fs::copy(path, &record).expect("copies");
        let lines: Vec<Line> = Reader::open(&record).and_then(Iterator::collect).expect("a record");
        let mut run = Run::default();
        run.take(&lines);
        let mut source = RecordedSource::new(mpsc::channel().1, record);
        let at = run.load_start() + 6 * SECOND;
        let past = source.read_back(&run, at - 3 * SECOND..at + SECOND).expect("it can be read");
        for arm in run.letters() {
            assert!(run.edges_at(arm, at).eq(past.edges_at(arm, at)), "edges of {arm}");
            assert!(run.processes_at(arm, at).eq(past.processes_at(arm, at)), "processes of {arm}");
            assert_eq!(run.position_at(arm, at), past.position_at(arm, at));
        }
        assert_eq!(past.edges_at('B', at + 9 * SECOND).count(), 0, "and nothing later was read");
    }
}
