//! Database servers of an arm, on a machine that has PostgreSQL: started, accounted as a tree, ended, killed.

use std::path::Path;

use conductor::arm::servers::{DatabaseServers, availability, check};
use contract::ComponentName;
use storage::{Database, Options, query};

use crate::node::FakeNodes;

const FEED: ComponentName = ComponentName::of("feed");

fn is_running(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn a_server_keeps_the_databases_of_an_arm_and_ends_with_it() {
    if let Err(why) = availability() {
        eprintln!("skipped: {why}");
        return;
    }
    let nodes = FakeNodes::with_program("");
    let environment = nodes.environment();
    for (keys, stores) in [("", 1), ("servers = \"each\"", 1), ("shared_database = true", 1)] {
        let mut plan = nodes.plan(&format!("store = \"postgres\"\n{keys}"));
        plan.processes[0].on_postgres = vec![FEED];
        plan.folder = plan.folder.join(format!("arm{}", keys.len()));
        check(&plan.name, &plan.placement).expect("it can be had");
        let (servers, empty) = DatabaseServers::start(&environment, &plan).await.expect("it starts");
        assert_eq!((servers.databases().len(), empty.len()), (stores, stores), "{keys}");

        let (store, location) = empty.into_iter().next().expect("one");
        assert_eq!(store.hosts, [FEED]);
        let db = Database::open(location, Options::default()).await.expect("it is there");
        let mut tx = db.write().await.expect("a turn");
        query("CREATE", "t", "CREATE TABLE t (n BIGINT)").execute(tx.conn()).await.expect("made");
        tx.commit().await.expect("commits");

        let sampled = servers.sampled();
        assert!(sampled.iter().all(|server| server.is_server && server.is_up && is_running(server.pid)));
        let mut tracker = conductor::process::tree::TreeTracker::default();
        let tree = tracker.sample(sampled[0].pid).expect("it runs");
        assert!(
            conductor::process::tree::members(sampled[0].pid).len() > 2,
            "a process for each connection, and more"
        );
        assert!(tree.pss_kib > 0 && tree.usage.cpu_ns > 0, "{tree:?}");

        servers.shut_down(&environment).await;
        assert!(sampled.iter().all(|server| !is_running(server.pid)), "{keys}");
        db.write().await.map(drop).expect_err("there is no server any more");

        // What it kept is there when it starts again, and not to be filled again.
        let (again, empty) = DatabaseServers::start(&environment, &plan).await.expect("it starts again");
        assert!(empty.is_empty());
        drop(db.write().await.expect("the server is back"));
        db.close().await;
        let pid = again.sampled()[0].pid;
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(pid.cast_signed()),
            nix::sys::signal::Signal::SIGKILL,
        )
        .expect("it is ours");
        again.shut_down(&environment).await;
        assert!(!is_running(pid), "a killed one is reaped");
    }
}

#[test]
fn a_topology_with_files_needs_nothing_and_one_with_a_server_names_what_is_missing() {
    let placement = |keys: &str| {
        let text = format!("processes = {{ app = [\"gateway\", \"*\"] }}\n{keys}");
        toml::from_str::<contract::Placement>(&text).expect("a placement")
    };
    check("mono", &placement("")).expect("files are always there");
    match check("mono", &placement("store = \"postgres\"")) {
        Ok(()) => assert!(availability().is_ok()),
        Err(why) => {
            let text = why.to_string();
            assert!(text.contains("arm `mono`") && text.contains("PostgreSQL"), "{text}");
            let remedies = ["--features postgres", "apt-get install postgresql", "useradd"];
            assert!(remedies.iter().any(|how| text.contains(how)), "{text}");
        }
    }
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_server_is_paused_and_killed_as_a_whole_and_comes_back_with_what_it_kept() {
    use conductor::process::{tree, usage};

    if let Err(why) = availability() {
        eprintln!("skipped: {why}");
        return;
    }
    let nodes = FakeNodes::with_program("");
    let environment = nodes.environment();
    let mut plan = nodes.plan("store = \"postgres\"");
    plan.processes[0].on_postgres = vec![FEED];
    let (servers, empty) = DatabaseServers::start(&environment, &plan).await.expect("it starts");
    let (_, location) = empty.into_iter().next().expect("one");
    let db = Database::open(location.clone(), Options::default()).await.expect("it is there");
    let mut tx = db.write().await.expect("a turn");
    query("CREATE", "t", "CREATE TABLE t AS SELECT CAST(1 AS BIGINT) AS n")
        .execute(tx.conn())
        .await
        .expect("made");
    tx.commit().await.expect("commits");
    let kept = async |db: &Database| {
        let mut read = db.read().await.expect("a reader");
        query("SELECT", "t", "SELECT n FROM t").one::<i64>(&mut read).await.expect("it answers")
    };
    assert!(servers.named(&["feed#0".to_owned()]).is_empty());
    let server = servers.named(&["postgres#0".to_owned()]).pop().expect("by its name");

    let pid = servers.sampled()[0].pid;
    let stands_still = || tree::members(pid).iter().all(|pid| usage::state(*pid) == Some('T'));
    assert!(server.pause(&environment.guardian) && server.pause(&environment.guardian), "it runs");
    while !stands_still() {
        tokio::task::yield_now().await;
    }
    server.resume(&environment.guardian);
    assert!(stands_still(), "as long as one of two steps pauses it");
    assert_eq!(servers.sampled()[0].state, "paused");
    server.resume(&environment.guardian);
    assert_eq!(kept(&db).await, 1, "it goes on where it was");
    db.close().await;

    let processes = tree::members(pid);
    assert!(server.kill(None), "it runs");
    server.start(&environment).await.expect("it starts again");
    let again = servers.sampled().pop().expect("one");
    assert!(again.is_up && again.pid != pid && again.restarts == 1, "{again:?}");
    assert!(tree::members(again.pid).iter().all(|pid| !processes.contains(pid)));
    let db = Database::open(location, Options::default()).await.expect("it is back");
    assert_eq!(kept(&db).await, 1, "what was committed");
    db.close().await;

    servers.shut_down(&environment).await;
    server.start(&environment).await.expect("nothing is done");
    assert!(!server.kill(None), "it has ended for good");
}
