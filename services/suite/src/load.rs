//! Tables filled in bulk from a history: what every arm starts from.

use contract::placement::StorePlan;
use history::History;
use storage::{Database, Location, Options, StorageError};

use crate::catalogue;

/// Makes and fills databases, and closes them, so that files can be copied.
///
/// # Errors
/// When one cannot be made or a table refuses its rows.
pub async fn load(
    stores: impl IntoIterator<Item = (StorePlan, Location)>,
    history: &History,
) -> Result<(), StorageError> {
    for (store, location) in stores {
        let db = Database::open(location, Options::bulk()).await?;
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
