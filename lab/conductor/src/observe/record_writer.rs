//! Where lines go: the record's file, its subscribers, and the model that judges.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Instant;

use fault::DelayCounts;
use model::Run;
use record::{Delay, Entry, Event, EventKind, Line, ReadError, Reader, Writer};
use tokio::sync::broadcast;

/// Lines a subscriber may be behind before it loses some: a minute of a busy run.
const MAX_QUEUED_LINES: usize = 8_192;

/// Lines that wait for the header. A suite that is kept up never has one, and loses what comes later.
const MAX_LINES_BEFORE_HEADER: usize = 1_024;

/// The run's record. Cheap to clone.
#[derive(Clone)]
pub struct RecordWriter {
    shared: Arc<Shared>,
}

struct Shared {
    began: Instant,
    inner: Mutex<Inner>,
    subscribers: broadcast::Sender<Arc<Line>>,
    dropped: AtomicU64,
}

/// The lines of a record as they are appended. A slow subscriber loses lines, which are counted; the record loses none.
/// Does not keep the record open.
pub struct RecordSubscription {
    lines: broadcast::Receiver<Arc<Line>>,
    shared: Weak<Shared>,
}

impl RecordSubscription {
    /// The next line; `None` when there will be no more. Blocks its thread.
    pub fn blocking_next(&mut self) -> Option<Arc<Line>> {
        loop {
            let received = self.lines.blocking_recv();
            if let Some(end) = self.take(received) {
                return end;
            }
        }
    }

    /// The next line; `None` when there will be no more.
    pub async fn next(&mut self) -> Option<Arc<Line>> {
        loop {
            let received = self.lines.recv().await;
            if let Some(end) = self.take(received) {
                return end;
            }
        }
    }

    /// What was received; `None` where lines were missed, which is counted, and the next is to be received.
    fn take(&self, received: Result<Arc<Line>, broadcast::error::RecvError>) -> Option<Option<Arc<Line>>> {
        match received {
            Ok(line) => Some(Some(line)),
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                if let Some(shared) = self.shared.upgrade() {
                    shared.dropped.fetch_add(missed, Ordering::Relaxed);
                }
                None
            }
            Err(broadcast::error::RecvError::Closed) => Some(None),
        }
    }
}

struct Inner {
    writer: Writer,
    tally: Option<Run>,
    before_header: Vec<Line>,
    counts: std::collections::BTreeMap<String, u64>,
    /// The first failure to write: the run goes on to its end and then reports it.
    failure: Option<std::io::Error>,
}

impl RecordWriter {
    /// The record of a run that began at `began`.
    pub fn new(began: Instant, writer: Writer) -> Self {
        let inner = Inner {
            writer,
            tally: None,
            before_header: Vec::new(),
            counts: std::collections::BTreeMap::new(),
            failure: None,
        };
        let shared = Shared {
            began,
            inner: Mutex::new(inner),
            subscribers: broadcast::channel(MAX_QUEUED_LINES).0,
            dropped: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Nanoseconds since the run began.
    pub fn now(&self) -> u64 {
        u64::try_from(runtime::clock::now().saturating_duration_since(self.shared.began).as_nanos())
            .unwrap_or(u64::MAX)
    }

    /// Writes a line now.
    pub fn append(&self, entry: Entry) {
        self.append_at(self.now(), entry);
    }

    /// Writes a line about an earlier moment. A line that comes before the header waits for it: a record begins with its
    /// header.
    pub fn append_at(&self, t: u64, entry: Entry) {
        let line = Line { t, entry };
        let mut inner = self.lock();
        if let Entry::Header(header) = &line.entry {
            inner.tally = Some(Run::new((**header).clone()).live());
            let before_header = std::mem::take(&mut inner.before_header);
            self.write(&mut inner, line);
            before_header.into_iter().for_each(|line| self.write(&mut inner, line));
        } else if inner.tally.is_some() {
            self.write(&mut inner, line);
        } else if inner.before_header.len() < MAX_LINES_BEFORE_HEADER {
            inner.before_header.push(line);
        }
    }

    fn write(&self, inner: &mut Inner, mut line: Line) {
        *inner.counts.entry(line.entry.kind().to_owned()).or_default() += 1;
        if let Err(error) = inner.writer.write(&line) {
            inner.failure.get_or_insert(error);
        }
        if let Some(tally) = &mut inner.tally {
            if tally.is_planned_long() {
                leave_to_judge(&mut line);
            }
            tally.add(&line);
        }
        // A record may have no subscriber.
        let _ = self.shared.subscribers.send(Arc::new(line));
    }

    /// Writes how long delays took; nothing where there was none.
    pub fn append_delays(&self, arm: char, round: u32, step: u32, delays: &DelayCounts) {
        let (Some(asked_us), Some(late_us)) = (delays.asked_us_p50(), delays.late_us_p50()) else { return };
        self.append(Entry::Delay(Delay { arm, round, step, n: delays.count(), asked_us, late_us }));
    }

    /// Writes an event.
    pub fn event(&self, what: EventKind, number: u32, text: impl Into<String>) {
        self.append(Entry::Event(Event {
            number,
            what,
            active: None,
            mark: None,
            targets: std::collections::BTreeMap::new(),
            text: text.into(),
        }));
    }

    /// Lines from now on.
    pub fn subscribe(&self) -> RecordSubscription {
        RecordSubscription {
            lines: self.shared.subscribers.subscribe(),
            shared: Arc::downgrade(&self.shared),
        }
    }

    /// Lines that subscribers were too slow for.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Asks the tally; `None` before the header is written.
    pub fn query<R>(&self, query: impl FnOnce(&Run) -> R) -> Option<R> {
        self.lock().tally.as_ref().map(query)
    }

    /// Asks the run as the judge needs it. Where the tally has let go of some of it, the record is folded once more, which
    /// takes seconds; `None` where it cannot be read, and before the header is written.
    pub fn query_judgeable<R>(&self, query: impl FnOnce(&Run) -> R) -> Option<R> {
        let path = {
            let inner = self.lock();
            let tally = inner.tally.as_ref()?;
            if tally.is_judgeable() {
                return Some(query(tally));
            }
            inner.writer.path().to_owned()
        };
        fold(&path).ok().map(|run| query(&run))
    }

    /// Makes the tally what the judge needs, when the run is over.
    ///
    /// # Errors
    /// When the record cannot be read back.
    pub fn recall(&self) -> std::io::Result<()> {
        let mut inner = self.lock();
        if inner.tally.as_ref().is_none_or(Run::is_judgeable) {
            return Ok(());
        }
        // One of them in memory at a time.
        inner.tally = None;
        inner.tally = Some(fold(inner.writer.path()).map_err(std::io::Error::other)?);
        Ok(())
    }

    /// Lines by kind so far.
    pub fn counts(&self) -> std::collections::BTreeMap<String, u64> {
        self.lock().counts.clone()
    }

    /// Whether a line could not be written.
    pub fn is_failing(&self) -> bool {
        self.lock().failure.is_some()
    }

    /// The first failure to write, if there was one.
    pub fn take_failure(&self) -> Option<std::io::Error> {
        self.lock().failure.take()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared.inner.lock().expect("no panic while held")
    }
}

/// Takes out of a line what only the judge asks, who reads the record of a long run: it is most of what a process reports.
fn leave_to_judge(line: &mut Line) {
    if let Entry::Proc(proc) = &mut line.entry {
        Arc::make_mut(proc).operations.clear();
    }
}

/// The run of a record, all of it.
fn fold(record: &Path) -> Result<Run, ReadError> {
    Run::read(Reader::open(record)?)
}

#[cfg(test)]
mod tests {
    use record::Reader;
    use tempfile::TempDir;

    use super::*;
    use crate::fixture;

    fn lines_of(folder: &TempDir) -> Vec<Line> {
        let reader = Reader::open(&folder.path().join("run.jsonl")).expect("a record");
        reader.collect::<Result<_, _>>().expect("readable")
    }

    #[tokio::test]
    async fn what_comes_before_the_header_waits_for_it() {
        let (record, folder) = fixture::record();
        let mut subscription = record.subscribe();
        record.event(EventKind::Log, 0, "early");
        assert_eq!(record.query(|_| ()), None, "nothing can be judged before the header");
        record.append(Entry::Header(Box::new(fixture::header_line())));
        record.event(EventKind::Log, 0, "late");
        let mut kinds = Vec::new();
        for _ in 0..3 {
            let line = subscription.next().await.expect("three lines");
            kinds.push(match &line.entry {
                Entry::Event(event) => event.text.clone(),
                other => other.kind().to_owned(),
            });
        }
        assert_eq!(kinds, ["header", "early", "late"]);
        assert_eq!(record.query(|run| run.header.run_id.clone()).as_deref(), Some("r1"));
        assert_eq!(record.counts()["event"], 2);
        drop(record);
        assert!(subscription.next().await.is_none(), "a subscription does not keep the record open");
        let lines = lines_of(&folder);
        assert!(matches!(lines[0].entry, Entry::Header(_)) && lines.len() == 3);
    }

    #[tokio::test]
    async fn the_record_of_a_long_run_is_folded_again_to_be_judged() {
        let (record, _folder) = fixture::record();
        record.append(Entry::Header(Box::new(fixture::header_line())));
        let is_judgeable = || record.query(Run::is_judgeable).expect("a header");
        record.append_at(599 * model::SECOND, Entry::Host(record::Host::default()));
        record.recall().expect("nothing is read");
        assert!(is_judgeable(), "ten minutes are kept whole");
        record.append_at(700 * model::SECOND, Entry::Host(record::Host::default()));
        assert!(!is_judgeable());
        let hosts = |run: &Run| (run.all_hosts().count(), run.is_judgeable());
        assert_eq!(record.query_judgeable(hosts), Some((2, true)), "and the tally stays as it is");
        assert!(!is_judgeable());
        record.recall().expect("the record can be read");
        assert_eq!(record.query(hosts), Some((2, true)));
    }

    #[tokio::test]
    async fn what_operations_cost_in_a_long_run_is_in_its_record_alone() {
        let (record, _folder) = fixture::record();
        let mut header = fixture::header_line();
        header.phases.last_mut().expect("a phase").length_ns = 601 * model::SECOND;
        record.append(Entry::Header(Box::new(header)));
        let mut subscription = record.subscribe();
        let operations = [("feed/feed.home".to_owned(), record::OperationCost::default())].into();
        let process =
            record::Proc { arm: 'A', instance: "feed#0".into(), operations, ..record::Proc::default() };
        record.append_at(model::SECOND, Entry::from(process));
        let line = subscription.next().await.expect("a line");
        assert!(matches!(&line.entry, Entry::Proc(proc) if proc.operations.is_empty()), "views show none");
        let known =
            |run: &Run| run.processes('A').map(|(_, samples)| samples[0].1.operations.len()).sum::<usize>();
        assert_eq!(record.query(known), Some(0));
        assert_eq!(
            record.query_judgeable(known),
            Some(1),
            "the judge reads the record, however short the run is"
        );
    }

    #[tokio::test]
    async fn a_slow_subscriber_loses_lines_and_the_record_none() {
        let (record, folder) = fixture::record();
        record.append(Entry::Header(Box::new(fixture::header_line())));
        let mut slow = record.subscribe();
        for _ in 0..MAX_QUEUED_LINES + 10 {
            record.event(EventKind::Log, 0, "line");
        }
        assert!(slow.next().await.is_some(), "the oldest line that is left");
        assert_eq!(record.dropped(), 10);
        drop(record);
        let lines = lines_of(&folder);
        assert_eq!(lines.len(), MAX_QUEUED_LINES + 11);
    }
}
