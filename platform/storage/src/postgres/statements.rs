//! What is prepared on a connection.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use tokio_postgres::Statement;

/// Prepared statements kept per connection, as with SQLite.
const CAPACITY: usize = 256;

/// Prepared statements by their text; the one that was not used for longest makes room.
#[derive(Default)]
pub(super) struct Statements {
    prepared: HashMap<Box<str>, (Statement, u64), RandomState>,
    uses: u64,
}

impl Statements {
    pub fn get(&mut self, sql: &str) -> Option<Statement> {
        self.uses += 1;
        let (statement, used) = self.prepared.get_mut(sql)?;
        *used = self.uses;
        Some(statement.clone())
    }

    pub fn insert(&mut self, sql: &str, statement: Statement) {
        if self.prepared.len() >= CAPACITY {
            let oldest = self.prepared.iter().min_by_key(|(_, (_, used))| *used);
            // Dropped, it is closed on the server as well.
            if let Some(oldest) = oldest.map(|(sql, _)| sql.clone()) {
                self.prepared.remove(&oldest);
            }
        }
        self.prepared.insert(sql.into(), (statement, self.uses));
    }
}
