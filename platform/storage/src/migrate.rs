//! Tables, each component's own: several components may share one file, so
//! versions are counted per component.

use contract::ComponentName;

use crate::schema::MIGRATIONS;
use crate::{Database, StorageError, query};

pub use crate::schema::Migration;

/// Changes when storage's own tables do.
pub fn schema_checksum() -> u64 {
    MIGRATIONS.iter().fold(0, |sum, step| sum.rotate_left(7) ^ step.checksum())
}

impl Database {
    /// Brings a component's tables to the latest version, all in one
    /// transaction; copies that start together take turns.
    ///
    /// # Errors
    /// When a statement fails, or a step that was applied before has changed.
    pub async fn migrate(
        &self,
        component: ComponentName,
        steps: &'static [Migration],
    ) -> Result<(), StorageError> {
        let mut tx = self.write_alone().await?;
        let dialect = tx.conn().dialect();
        tx.conn()
            .batch(
                "CREATE TABLE IF NOT EXISTS storage_migrations (
                 component TEXT NOT NULL, version BIGINT NOT NULL, checksum BIGINT NOT NULL,
                 PRIMARY KEY (component, version))",
            )
            .await?;
        let applied: Vec<(i64, i64)> = query(
            "SELECT",
            "storage_migrations",
            "SELECT version, checksum FROM storage_migrations WHERE component = $1",
        )
        .bind(component.as_str())
        .all(tx.conn())
        .await?;
        for step in steps {
            let checksum = step.checksum_in(dialect).cast_signed();
            match applied.iter().find(|(version, _)| *version == step.version) {
                Some((_, known)) if *known == checksum => {}
                Some(_) => {
                    let text =
                        format!("migration {} of {component} has changed since it was applied", step.version);
                    return Err(StorageError::Other(text.into()));
                }
                None => {
                    tx.conn().batch(step.statements(dialect)).await?;
                    query(
                        "INSERT",
                        "storage_migrations",
                        "INSERT INTO storage_migrations (component, version, checksum) VALUES ($1, $2, $3)",
                    )
                    .bind(component.as_str())
                    .bind(step.version)
                    .bind(checksum)
                    .execute(tx.conn())
                    .await?;
                }
            }
        }
        tx.commit().await
    }
}
