//! Faults in sessions of a database server: a table is locked or changed, backends end, connections run out. The sessions are
//! the lab's, and end with it however it ends: the server undoes what a session held.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use contract::ComponentName;
use fault::kinds::{BackendSignal, KillBackend, LockTable};
use fault::{Fault, Target};
use nix::sys::signal::Signal;
use runtime::clock;
use storage::StorageError;
use storage::postgres::{Address, LockWait, Session};

use crate::arm::servers::server::Server;
use crate::process::cause::with_cause;
use crate::process::guardian::ProcessIdentity;
use crate::process::tree;
use crate::steps::context::ActiveStep;
use crate::steps::schema_changes;
use crate::steps::server_answers::in_time;

/// How often a server is asked what waits for a lock: statements wait until it is given back, so only those are missed that
/// begin in its last moment.
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(25);
/// How often it is asked whether it has room.
const ROOM_POLL_INTERVAL: Duration = Duration::from_millis(100);
/// The server ends a lock by itself so long after its step should have.
const GRACE: Duration = Duration::from_secs(1);
/// Connections that are opened at a time: each takes a new process of the server.
const OPENED_AT_ONCE: usize = 16;

/// Applies a fault to the servers of these names, and undoes it when the step ends.
pub(super) async fn apply(active: &ActiveStep<'_>, fault: &Fault, names: &[String]) {
    let servers = active.arm.servers().named(names);
    match fault {
        Fault::LockTable(lock) => {
            let Some(Target::Store(component)) = active.step.target else { return };
            let databases = active.arm.servers().addresses_of(&active.arm.plan.processes, component);
            let held = databases.iter().map(|database| hold_lock(active, lock, component, database));
            futures_util::future::join_all(held).await;
        }
        Fault::KillBackend(kill) => {
            for server in &servers {
                kill_backends(active, *kill, server).await;
            }
        }
        Fault::ExhaustConnections(_) => {
            let exhausted = servers.iter().map(|server| exhaust(active, server));
            futures_util::future::join_all(exhausted).await;
        }
        Fault::ChangeSchema(change) => schema_changes::apply(active, change).await,
        // Of kinds that take no session.
        _ => {}
    }
}

/// Holds the lock of a table in one database. Hits are the statements of others that waited for it.
async fn hold_lock(active: &ActiveStep<'_>, lock: &LockTable, component: ComponentName, database: &Address) {
    let opened = async { Ok((Session::open(database).await?, Session::open(database).await?)) };
    let (mut holder, mut watcher) = match in_time(opened).await {
        Ok(sessions) => sessions,
        Err(error) => return not_locked(active, lock, component, &error),
    };
    let pid = holder.pid();
    let left = active.end().saturating_duration_since(clock::now());
    let hold = async {
        let locked = holder.lock_table(&lock.table, left, left + GRACE);
        match tokio::time::timeout(left + GRACE, locked).await {
            Ok(Ok(())) => active.wait().await,
            Ok(Err(error)) => return not_locked(active, lock, component, &error),
            Err(_) => {
                let error = StorageError::Unreachable("the server does not answer".into());
                return not_locked(active, lock, component, &error);
            }
        }
        if !holder.is_open() || in_time(holder.unlock()).await.is_err() {
            active.log(format!(
                "{} `{}` of {component} was unlocked before the step ended: the server has ended the session",
                active.letter(),
                lock.table
            ));
        }
    };
    let watch = async {
        let mut waits: BTreeSet<LockWait> = BTreeSet::new();
        loop {
            // A server that has ended has no waiting statements.
            let Ok(waiting) = watcher.waiting_for(pid).await else {
                return std::future::pending::<()>().await;
            };
            let new = waiting.into_iter().filter(|wait| waits.insert(*wait)).count();
            active.count_hits(new as u64);
            tokio::time::sleep(LOCK_POLL_INTERVAL).await;
        }
    };
    tokio::select! {
        () = hold => {}
        () = watch => {}
    }
}

fn not_locked(active: &ActiveStep<'_>, lock: &LockTable, component: ComponentName, error: &StorageError) {
    let (letter, reason) = (active.letter(), with_cause(error));
    active.log(format!("{letter} `{}` of {component} could not be locked: {reason}", lock.table));
}

/// Ends backends of a server. Hits are those that were there and were signalled.
async fn kill_backends(active: &ActiveStep<'_>, kill: KillBackend, server: &Arc<Server>) {
    let found = async { Session::open(&server.address()?).await?.application_backends().await };
    let backends = match in_time(found).await {
        Ok(backends) => backends,
        Err(error) => return no_session(active, server, &error),
    };
    if backends.is_empty() {
        active.log(format!("{} {} has no backend of an application", active.letter(), server.name));
    }
    let signal = match kill.signal {
        BackendSignal::Term => Signal::SIGTERM,
        BackendSignal::Kill => Signal::SIGKILL,
    };
    let own = server.processes();
    let chosen: Vec<ProcessIdentity> = backends
        .iter()
        .take(kill.backends as usize)
        // Its number may be another's by now.
        .filter_map(|pid| own.iter().find(|process| i64::from(process.pid) == *pid).copied())
        .filter(|process| process.is_alive())
        .collect();
    tree::signal(&chosen, signal);
    active.count_hits(chosen.len() as u64);
}

/// Holds all connections that a server has left, and those that get free. Hits are the connections of others that it refused.
async fn exhaust(active: &ActiveStep<'_>, server: &Arc<Server>) {
    let Ok(address) = server.address() else { return };
    let mut refusals = server.refusals();
    let mut watcher: Option<Session> = None;
    let mut held: Vec<Session> = Vec::new();
    let (mut own_refusals, mut most, mut has_failed) = (0, 0, false);
    let mut counted = 0;
    // What the server writes of a refusal it writes before it answers: those of the lab are in its log.
    let mut count = |own: u64| {
        let of_others = refusals.count().saturating_sub(own);
        active.count_hits(of_others.saturating_sub(counted));
        counted = counted.max(of_others);
    };
    while clock::now() < active.end() && !active.has_ended_early() {
        if watcher.is_none() {
            // The first one, or the server has ended, and its connections with it.
            held.clear();
            match in_time(Session::open(&address)).await {
                Ok(session) => watcher = Some(session),
                Err(StorageError::Busy(_)) => own_refusals += 1,
                Err(_) => {}
            }
        }
        if let Some(session) = &mut watcher {
            match in_time(session.free_connections()).await {
                Ok(free) => {
                    let opened = open_sessions(&address, free).await;
                    own_refusals += opened.refused;
                    held.extend(opened.sessions);
                    if let Some(error) = opened.error.filter(|_| !std::mem::replace(&mut has_failed, true)) {
                        no_session(active, server, &error);
                    }
                    most = most.max(held.len());
                }
                Err(_) => watcher = None,
            }
        }
        count(own_refusals);
        active.wait_until((clock::now() + ROOM_POLL_INTERVAL).min(active.end())).await;
    }
    count(own_refusals);
    active.log(format!("{} {most} connections of {} were held", active.letter(), server.name));
}

/// What came of opening sessions.
#[derive(Default)]
struct OpenedSessions {
    sessions: Vec<Session>,
    /// How many the server had no room for any more.
    refused: u64,
    /// Another reason why it ended.
    error: Option<StorageError>,
}

/// Opens so many sessions, or as many as there is room for.
async fn open_sessions(address: &Address, wanted: usize) -> OpenedSessions {
    let mut all = OpenedSessions::default();
    while all.sessions.len() < wanted && all.refused == 0 && all.error.is_none() {
        let lot = OPENED_AT_ONCE.min(wanted - all.sessions.len());
        for session in futures_util::future::join_all((0..lot).map(|_| in_time(Session::open(address)))).await
        {
            match session {
                Ok(session) => all.sessions.push(session),
                Err(StorageError::Busy(_)) => all.refused += 1,
                Err(error) => all.error = Some(error),
            }
        }
    }
    all
}

fn no_session(active: &ActiveStep<'_>, server: &Arc<Server>, error: &StorageError) {
    active.log(format!("{} {} let no session in: {}", active.letter(), server.name, with_cause(error)));
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use storage::{Database, query};

    use super::*;
    use crate::steps::server_stage::Stage;

    async fn posts(db: &Database) -> i64 {
        let mut read = db.read().await.expect("a reader");
        query("SELECT", "feed_posts", "SELECT COUNT(*) FROM feed_posts")
            .one(&mut read)
            .await
            .expect("it answers")
    }

    /// The server's process behind a database's reader.
    async fn backend(db: &Database) -> Option<i64> {
        let mut read = db.read().await.ok()?;
        let pid = query("SELECT", "test", "SELECT CAST(pg_backend_pid() AS BIGINT)");
        pid.one(&mut read).await.ok()
    }

    const LOCK: &str = "do = \"lock-table\"\non = \"db:feed\"\ntable = \"feed_posts\"\nfor = \"2s\"";

    #[tokio::test]
    async fn a_reader_of_a_locked_table_waits_until_the_step_ends_and_is_a_hit() {
        let Some(stage) = Stage::of(LOCK).await else { return };
        let db = stage.open_with_posts().await;
        let (has_ended, longest) = (Cell::new(false), Cell::new(Duration::ZERO));
        let play = async {
            stage.play().await;
            has_ended.set(true);
        };
        let read = async {
            while !has_ended.get() {
                let began = clock::now();
                posts(&db).await;
                longest.set(longest.get().max(clock::now() - began));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::join!(play, read);
        assert!(longest.get() > Duration::from_secs(1), "locked for 2 s: {:?}", longest.get());
        assert_eq!(stage.hits(), 1, "one reader, which waited once");
        assert_eq!(posts(&db).await, 0, "it is read again");
        stage.end().await;
    }

    #[tokio::test]
    async fn a_lock_without_waiting_statements_has_no_hit_and_ends_by_itself() {
        let Some(stage) = Stage::of(LOCK).await else { return };
        stage.play().await;
        assert_eq!(stage.hits(), 0, "there is no such table yet");
        let db = stage.open_with_posts().await;
        stage.play().await;
        assert_eq!(stage.hits(), 0, "it was locked, and no statement asked for it");

        let mut session = Session::open(&stage.address()).await.expect("room");
        let (wait, most) = (Duration::from_secs(1), Duration::from_millis(100));
        session.lock_table("feed_posts", wait, most).await.expect("free");
        assert_eq!(posts(&db).await, 0, "the server ends what is held for longer than it should");
        assert!(!session.is_open());
        let mut session = Session::open(&stage.address()).await.expect("room");
        session.lock_table("feed_posts", wait, Duration::from_secs(60)).await.expect("free");
        drop(session);
        assert_eq!(posts(&db).await, 0, "a lock ends with its session");
        stage.end().await;
    }

    #[tokio::test]
    async fn one_backend_ends_alone_and_by_sigkill_with_all_others() {
        for (signal, others_stay) in [("term", true), ("kill", false)] {
            let step = format!("do = \"kill-backend\"\non = \"server:feed\"\nsignal = \"{signal}\"");
            let Some(stage) = Stage::of(&step).await else { return };
            let (first, last) = (stage.open().await, stage.open().await);
            let before = [backend(&first).await, backend(&last).await];
            assert!(before.iter().all(Option::is_some));
            let server = stage.server().processes()[0];
            stage.play().await;
            assert_eq!(stage.hits(), 1, "{signal}");
            // A reader finds out by asking; the server lets none in while it recovers.
            let answer = async |db: &Database| loop {
                if let Some(pid) = backend(db).await {
                    return Some(pid);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            };
            assert_ne!(answer(&last).await, before[1], "{signal}: it worked last");
            assert_eq!(answer(&first).await == before[0], others_stay, "{signal}");
            assert_eq!(stage.server().processes()[0], server, "{signal}: the server goes on");
            stage.end().await;
        }
    }

    #[tokio::test]
    async fn a_server_without_connections_refuses_each_until_the_step_ends() {
        const REFUSALS: u64 = 3;
        let step = "do = \"exhaust-connections\"\non = \"server:feed\"\nfor = \"12s\"";
        let Some(stage) = Stage::of(step).await else { return };
        let address = stage.address();
        let (has_ended, refused) = (Cell::new(false), Cell::new(0));
        let play = async {
            stage.play().await;
            has_ended.set(true);
        };
        let ask = async {
            while !has_ended.get() && refused.get() < REFUSALS {
                let is_busy = matches!(Session::open(&address).await, Err(StorageError::Busy(_)));
                refused.set(refused.get() + u64::from(is_busy));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::join!(play, ask);
        assert_eq!(
            (refused.get(), stage.hits()),
            (REFUSALS, REFUSALS),
            "each is a hit, and none of the lab's own"
        );
        // The server's processes end a moment after their connections.
        while Session::open(&address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stage.end().await;
    }
}
