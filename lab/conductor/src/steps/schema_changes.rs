//! Changes of a schema under load, one part of expand and contract at a time, in the lab's sessions on a database server: as a
//! migration makes them that lets no statement wait for long.

use std::time::Duration;

use contract::ComponentName;
use fault::Target;
use fault::kinds::{ChangeSchema, SchemaChange};
use runtime::clock;
use storage::StorageError;
use storage::postgres::{Address, Session};

use super::server_answers::in_time;
use crate::process::cause::with_cause;
use crate::steps::context::ActiveStep;

/// Wait for a table that others hold: statements that come meanwhile wait behind it.
const LOCK_TIMEOUT: Duration = Duration::from_millis(50);
/// Those that have waited go on before it is tried again.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);
/// Rows that are filled in one transaction: they are locked as long as it lasts.
const BATCH_ROWS: u64 = 100;
/// Between batches, so that the application's statements have their turns.
const BATCH_INTERVAL: Duration = Duration::from_millis(20);

/// Changes the table in each database of the component. A hit is a statement that has changed it.
pub(super) async fn apply(active: &ActiveStep<'_>, change: &ChangeSchema) {
    let Some(Target::Store(component)) = active.step.target else { return };
    let databases = active.arm.servers().addresses_of(&active.arm.plan.processes, component);
    let changed = databases.iter().map(|database| change_in(active, change, component, database));
    futures_util::future::join_all(changed).await;
}

/// Changes the table in one database, and logs how long that took, or that it was not done.
async fn change_in(
    active: &ActiveStep<'_>,
    change: &ChangeSchema,
    component: ComponentName,
    database: &Address,
) {
    let began = clock::now();
    let left = active.end().saturating_duration_since(began);
    // What is under way then is rolled back by the server, with its session.
    let made = tokio::time::timeout(left, make(active, change, database)).await;
    let what = format!("{} {change} of {component}", active.letter());
    active.log(match made {
        Ok(Ok(statements)) => {
            let took = clock::now().saturating_duration_since(began).as_millis();
            format!("{what} in {took} ms; statements: {statements}")
        }
        Ok(Err(error)) => format!("{what}: it cannot be done, {}", with_cause(&error)),
        Err(_) => format!("{what}: it was not done when the step ended"),
    });
}

/// Makes a change, whatever holds the table for now. Returns how many statements were tried.
async fn make(
    active: &ActiveStep<'_>,
    change: &ChangeSchema,
    database: &Address,
) -> Result<u64, StorageError> {
    let mut session = in_time(Session::open(database)).await?;
    let table = change.table.as_str();
    let mut statements = 0;
    loop {
        statements += 1;
        let made = match change.change {
            SchemaChange::AddColumn => session.add_column(table, LOCK_TIMEOUT).await.map(|()| true),
            SchemaChange::FillColumn => fill_batch(active, &mut session, table).await,
            SchemaChange::DropColumn => session.drop_column(table, LOCK_TIMEOUT).await.map(|()| true),
        };
        match made {
            Ok(true) => break,
            Ok(false) => tokio::time::sleep(BATCH_INTERVAL).await,
            Err(StorageError::Busy(_) | StorageError::Conflict(_)) => {
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
            Err(error) => return Err(error),
        }
    }
    if change.change != SchemaChange::FillColumn {
        active.count_hits(1);
    }
    Ok(statements)
}

/// Fills a batch of rows; whether all have a value then.
async fn fill_batch(
    active: &ActiveStep<'_>,
    session: &mut Session,
    table: &str,
) -> Result<bool, StorageError> {
    let filled = session.fill_column(table, BATCH_ROWS).await?;
    active.count_hits(u64::from(filled > 0));
    // Rows that others had locked were left out.
    Ok(filled < BATCH_ROWS && session.rows_to_fill(table).await? == 0)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use storage::query;

    use super::*;
    use crate::steps::server_stage::Stage;

    const ROWS: i64 = 250;
    const INSERT_ROWS: &str = "INSERT INTO feed_posts (photo) SELECT * FROM generate_series(1, 250)";

    fn step(change: &str) -> String {
        let on = "do = \"change-schema\"\non = \"db:feed\"\ntable = \"feed_posts\"";
        format!("{on}\nchange = \"{change}\"\nfor = \"20s\"")
    }

    /// Columns of the table of posts, and how many rows have a value in the second.
    async fn columns_and_filled(stage: &Stage) -> (i64, i64) {
        let db = stage.open().await;
        let mut read = db.read().await.expect("a reader");
        let columns = "SELECT COUNT(*) FROM information_schema.columns WHERE table_name = 'feed_posts'";
        let columns: i64 = query("SELECT", "columns", columns).one(&mut read).await.expect("it answers");
        let filled = "SELECT COUNT(operator_column) FROM feed_posts";
        let filled = match columns {
            1 => 0,
            _ => query("SELECT", "feed_posts", filled).one(&mut read).await.expect("it answers"),
        };
        drop(read);
        db.close().await;
        (columns, filled)
    }

    #[tokio::test]
    async fn a_column_is_added_filled_in_lots_and_dropped_while_others_write() {
        let Some(add) = Stage::of(&step("add-column")).await else { return };
        let db = add.open_with_posts().await;
        let insert = async |photo: i64| {
            let mut tx = db.write().await.expect("a turn");
            let statement = "INSERT INTO feed_posts (photo) VALUES ($1)";
            query("INSERT", "feed_posts", statement).bind(photo).execute(tx.conn()).await.expect("written");
            tx.commit().await.expect("commits");
        };
        let mut tx = db.write().await.expect("a turn");
        query("INSERT", "feed_posts", INSERT_ROWS).execute(tx.conn()).await.expect("written");
        tx.commit().await.expect("commits");

        add.play().await;
        let added = (add.hits(), columns_and_filled(&add).await);
        assert_eq!(added, (1, (2, 0)), "rows that are there have no value");
        insert(1_000).await;
        assert_eq!(columns_and_filled(&add).await, (2, 1), "one that comes has one");
        add.play().await;
        assert_eq!(add.hits(), 0, "it is there already");

        let fill = add.replaced(&step("fill-column"));
        let has_ended = Cell::new(false);
        let play = async {
            fill.play().await;
            has_ended.set(true);
        };
        let write = async {
            let mut photo = 2_000;
            while !has_ended.get() {
                insert(photo).await;
                photo += 1;
            }
        };
        tokio::join!(play, write);
        assert_eq!(fill.hits(), 3, "{ROWS} rows in batches of {BATCH_ROWS}");
        let (_, filled) = columns_and_filled(&fill).await;
        assert!(filled > ROWS, "all of them, and those that came: {filled}");

        let contract = fill.replaced(&step("drop-column"));
        contract.play().await;
        assert_eq!((contract.hits(), columns_and_filled(&contract).await), (1, (1, 0)));
        db.close().await;
        contract.end().await;
    }

    #[tokio::test]
    async fn a_change_waits_for_those_that_hold_the_table_and_lets_others_go_first() {
        let Some(stage) = Stage::of(&step("add-column")).await else { return };
        let db = stage.open_with_posts().await;
        let mut holder = Session::open(&stage.address()).await.expect("room");
        let long = Duration::from_secs(60);
        holder.lock_table("feed_posts", long, long).await.expect("free");
        let has_ended = Cell::new(false);
        let play = async {
            stage.play().await;
            has_ended.set(true);
        };
        let free = async {
            // As long as a few tries take.
            tokio::time::sleep(RETRY_INTERVAL * 4).await;
            assert!(!has_ended.get(), "it is held");
            holder.unlock().await.expect("it was held to the end");
        };
        tokio::join!(play, free);
        assert_eq!((stage.hits(), columns_and_filled(&stage).await.0), (1, 2));
        db.close().await;
        stage.end().await;
    }
}
