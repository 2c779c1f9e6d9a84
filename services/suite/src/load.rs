//! Tables filled in bulk from a history: what every arm starts from.

use std::path::Path;

use contract::ProcessPlan;
use history::History;
use node::database_path;
use storage::{Database, Options, StorageError};

use crate::catalogue;

/// Makes and fills the databases of a topology under `data`, and closes them,
/// so that the folder can be copied.
///
/// # Errors
/// When a file cannot be made or a table refuses its rows.
pub async fn load(data: &Path, processes: &[ProcessPlan], history: &History) -> Result<(), StorageError> {
    for store in processes.iter().flat_map(ProcessPlan::stores) {
        let db = Database::open(&database_path(data, &store.name), Options::bulk()).await?;
        for service in catalogue::hosted(&store.hosts) {
            db.migrate(service.name, service.migrations).await?;
            let mut tx = db.write().await?;
            (service.load)(&mut tx, history).await?;
            tx.commit().await?;
        }
        db.checkpoint_and_close().await?;
    }
    Ok(())
}

/// Changes when any table does: data laid out for other tables is of no use.
pub fn schema_checksum() -> u64 {
    let steps = catalogue::CATALOGUE.iter().flat_map(|service| service.migrations);
    steps.fold(storage::migrate::schema_checksum(), |sum, step| sum.rotate_left(7) ^ step.checksum())
}
