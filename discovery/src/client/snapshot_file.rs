//! The last snapshot on disk, for a start without a registry.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use runtime::bounded_file;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::instance::{EventId, Snapshot};
use crate::new_file;

/// Shortest interval between writes: each costs an fsync.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);
/// Longest file that is read, 64 MiB, as of a registry's log. A longer one is damaged, or has no end.
const MAX_SNAPSHOT_BYTES: u64 = 64 << 20;

/// Reads the file. Errors are logged only: the registry will send a snapshot.
pub(crate) async fn load(file: PathBuf) -> Option<Snapshot> {
    let read = runtime::blocking(move || match bounded_file::read(&file, MAX_SNAPSHOT_BYTES) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    });
    read.await.unwrap_or_else(|error| {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the registry snapshot on disk is unreadable"
        );
        None
    })
}

/// Writes every change, at most once a second.
pub(crate) async fn save_changes(
    file: PathBuf,
    snapshot: Arc<ArcSwap<Snapshot>>,
    mut changes: watch::Receiver<Option<EventId>>,
) {
    while changes.changed().await.is_ok() {
        let (file, snapshot) = (file.clone(), snapshot.load_full());
        if let Err(error) = runtime::blocking(move || write(&file, &snapshot)).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the registry snapshot was not written");
        }
        sleep(WRITE_INTERVAL).await;
    }
}

/// Writes atomically: a reader finds the old file or the new one.
fn write(path: &Path, snapshot: &Snapshot) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = new_file::create(&new)?;
    file.write_all(&serde_json::to_vec(snapshot)?)?;
    file.sync_all()?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::Revision;

    #[test]
    fn what_was_written_is_read_and_what_is_torn_is_not_believed() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("starts");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("registry.json");
        assert_eq!(runtime.block_on(load(file.clone())), None, "none yet");
        let snapshot = Snapshot { rev: Revision(7), ..Snapshot::default() };
        write(&file, &snapshot).expect("writes");
        assert_eq!(runtime.block_on(load(file.clone())), Some(snapshot));
        fs::write(&file, b"{\"rev\": 7").expect("writes");
        assert_eq!(runtime.block_on(load(file)), None);
        assert_eq!(runtime.block_on(load("/dev/zero".into())), None, "it has no end");
    }
}
