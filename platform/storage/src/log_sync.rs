//! The log of a SQLite file on its way to the disk: commits that wait for it share a sync.
//!
//! SQLite itself syncs its log with each commit, and the next writer's turn comes after that: ten writers make ten syncs, one
//! after the other. Here a commit writes the log alone (`synchronous = NORMAL`), and the turn passes on before it is synced. The
//! first commit that finds no sync under way makes one, and goes on for those that came meanwhile until none is left: however
//! many writers commit while a sync lasts, the next one serves them all. Each has a transaction of its own, so that one that
//! fails fails alone.
//!
//! A commit is answered when it is durable. Others see it before that, for as long as a sync takes. So what goes to another
//! database, or repeats an earlier answer, waits for [`LogSync::settled`].
//!
//! After a sync that failed no later commit is durable for certain: the log is read up to the first piece that is missing, and
//! the kernel may have dropped what it could not write. All of them fail from then on, until the database is opened anew
//! (PostgreSQL ends its server for the same reason).

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::StorageError;

/// What became of a sync.
pub(crate) type SyncResult = Result<(), Arc<io::Error>>;
/// What is done once it is known what became of a commit's sync.
type Finish = Box<dyn FnOnce(&SyncResult) + Send>;
/// Syncs the log; `None` before it is open.
type SyncFile = Box<dyn Fn(Option<&File>) -> io::Result<()> + Send + Sync>;

/// The syncs of a database's log.
pub(crate) struct LogSync {
    sync_file: SyncFile,
    /// Kept open: a process without descriptors can still commit.
    log: Mutex<Option<Arc<File>>>,
    state: Mutex<State>,
    /// Commits that have begun to write the log.
    begun: AtomicU64,
    /// Those of which it is known what became of them.
    ended: watch::Sender<u64>,
    syncs: AtomicU64,
}

#[derive(Default)]
struct State {
    /// Commits in the log that no sync has begun for.
    waiting: Vec<Finish>,
    is_syncing: bool,
    failure: Option<Arc<io::Error>>,
}

impl LogSync {
    /// Nothing is committed yet.
    pub fn new() -> Arc<Self> {
        let unopened = || io::Error::from(io::ErrorKind::NotFound);
        Self::with(Box::new(move |log| log.ok_or_else(unopened)?.sync_data()))
    }

    fn with(sync_file: SyncFile) -> Arc<Self> {
        let (log, state, begun, syncs) = Default::default();
        Arc::new(Self { sync_file, log, state, begun, ended: watch::Sender::new(0), syncs })
    }

    /// Opens the log of a database whose writing connection has just been opened. It stays the same file for as long as that
    /// connection is there.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened.
    pub fn open(&self, database: &Path) -> Result<(), StorageError> {
        let mut path = database.to_owned().into_os_string();
        path.push("-wal");
        let log = File::open(&path).map_err(|source| StorageError::File { path: path.into(), source })?;
        *self.log.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(log));
        Ok(())
    }

    /// A commit is about to write the log: [`LogSync::enqueue`] has to follow.
    pub fn begin(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    /// It has been written, or was refused. Comes before the writer's turn passes on; if it is true, [`LogSync::lead`] has to
    /// follow after that.
    pub fn enqueue(&self, finish: impl FnOnce(&SyncResult) + Send + 'static) -> bool {
        let mut state = self.state();
        state.waiting.push(Box::new(finish));
        !std::mem::replace(&mut state.is_syncing, true)
    }

    /// Syncs the log until no commit waits for it. Blocks.
    pub fn lead(&self) {
        let _led = LeadGuard(self);
        while let Some(batch) = self.next_batch() {
            let commits = batch.len() as u64;
            let result = self.sync();
            if result.is_ok() {
                telemetry::log_synced(commits);
            }
            self.ended.send_modify(|ended| *ended += commits);
            batch.into_iter().for_each(|finish| finish(&result));
        }
    }

    /// Waits until all that can be seen now is durable.
    ///
    /// # Errors
    /// When it is not known whether it is.
    pub async fn settled(&self) -> Result<(), StorageError> {
        let begun = self.begun.load(Ordering::SeqCst);
        let mut ended = self.ended.subscribe();
        // It cannot be closed: the sender is ours.
        let _ = ended.wait_for(|ended| *ended >= begun).await;
        let failure = self.state().failure.clone();
        failure.map_or(Ok(()), |failure| Err(StorageError::Lost(failure.into())))
    }

    /// Syncs so far.
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The commits that wait; none ends the lead.
    fn next_batch(&self) -> Option<Vec<Finish>> {
        let mut state = self.state();
        state.is_syncing = !state.waiting.is_empty();
        state.is_syncing.then(|| std::mem::take(&mut state.waiting))
    }

    fn sync(&self) -> SyncResult {
        if let Some(failure) = self.state().failure.clone() {
            return Err(failure);
        }
        self.syncs.fetch_add(1, Ordering::Relaxed);
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (self.sync_file)(log.as_deref()).map_err(|error| {
            tracing::error!(%error, "the log could not be synced: nothing more is committed");
            let failure = Arc::new(error);
            self.state().failure = Some(failure.clone());
            failure
        })
    }
}

/// Where a commit panics at its end, the next one leads in place of this.
struct LeadGuard<'a>(&'a LogSync);

impl Drop for LeadGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.state().is_syncing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::mpsc;
    use std::task::{Context, Waker};

    use super::*;

    /// Commits, and returns whether it has to lead; `durable` counts it when it is.
    fn commit(log: &LogSync, durable: &Arc<AtomicU64>) -> bool {
        let durable = durable.clone();
        log.begin();
        log.enqueue(move |result| {
            durable.fetch_add(u64::from(result.is_ok()), Ordering::SeqCst);
        })
    }

    #[test]
    fn commits_that_come_while_a_sync_lasts_share_the_next() {
        let (entering, entered) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let released = Mutex::new(released);
        let log = LogSync::with(Box::new(move |_| {
            entering.send(()).expect("the test waits");
            released.lock().expect("no panic while held").recv().expect("the test goes on");
            Ok(())
        }));
        let durable = Arc::new(AtomicU64::new(0));
        assert!(commit(&log, &durable), "it finds no sync under way");
        let leading = {
            let log = log.clone();
            std::thread::spawn(move || log.lead())
        };
        entered.recv().expect("the first sync");
        assert!((0..9).all(|_| !commit(&log, &durable)), "they leave theirs to the first");
        assert_eq!(durable.load(Ordering::SeqCst), 0, "nothing is on the disk");
        release.send(()).expect("it waits");
        entered.recv().expect("the second sync");
        assert_eq!(durable.load(Ordering::SeqCst), 1, "what came meanwhile is not part of the first");
        release.send(()).expect("it waits");
        leading.join().expect("no panic");
        assert_eq!((durable.load(Ordering::SeqCst), log.syncs()), (10, 2));
        assert!(commit(&log, &durable), "no commit leads any more");
    }

    #[test]
    fn after_a_sync_that_failed_nothing_is_durable() {
        let calls = AtomicU64::new(0);
        let log = LogSync::with(Box::new(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
            1 => Err(io::Error::other("a bad block")),
            _ => Ok(()),
        }));
        let durable = Arc::new(AtomicU64::new(0));
        for expected in [1, 1, 1] {
            assert!(commit(&log, &durable));
            log.lead();
            assert_eq!(durable.load(Ordering::SeqCst), expected);
        }
        assert_eq!(log.syncs(), 2, "the third has not been tried");
    }

    #[tokio::test]
    async fn what_can_be_seen_is_settled_when_it_is_durable() {
        let log = LogSync::with(Box::new(|_| Ok(())));
        log.settled().await.expect("nothing is committed");
        log.begin();
        // The commit can be seen from its own end on, which is before it is in line.
        let mut settled = pin!(log.settled());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(settled.as_mut().poll(&mut cx).is_pending());
        assert!(log.enqueue(|result| assert!(result.is_ok())));
        assert!(settled.as_mut().poll(&mut cx).is_pending());
        log.lead();
        settled.await.expect("it is on the disk");
    }
}
