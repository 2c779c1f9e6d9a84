//! Servers of an arm, on a machine that has PostgreSQL or NATS: started, accounted as a tree, paused, killed, ended.

use std::path::Path;
#[cfg(any(feature = "postgres", feature = "nats"))]
use std::time::Duration;

use conductor::arm::given_servers::GivenServers;
use conductor::arm::server_product::ServerProduct;
use conductor::arm::servers::disk::{self, Disk};
use conductor::arm::servers::{ArmServers, availability, check};
use conductor::observe::sampling::{SampledInstance, ServerRole};
#[cfg(any(feature = "postgres", feature = "nats"))]
use conductor::process::guardian::CleanUp;
use conductor::process::guardian::{self, UndoAction};
use conductor::process::server_data::ServerSecrets;
use contract::ComponentName;
#[cfg(any(feature = "postgres", feature = "nats"))]
use storage::Location;
use storage::{Database, Options, query};

use crate::node::FakeNodes;

const FEED: ComponentName = ComponentName::of("feed");
const TOKEN: &str = "5e3c437";

/// Whether a server can be had here; where not, the reason is printed.
fn can_be_had(product: ServerProduct) -> bool {
    availability(product).inspect_err(|why| eprintln!("skipped: {why}")).is_ok()
}

fn is_running(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn a_server_keeps_the_databases_of_an_arm_and_ends_with_it() {
    if !can_be_had(ServerProduct::Postgres) {
        return;
    }
    let nodes = FakeNodes::with_program("");
    let environment = nodes.environment();
    for (keys, stores) in [("", 1), ("servers = \"each\"", 1), ("shared_database = true", 1)] {
        let mut plan = nodes.plan(&format!("store = \"postgres\"\n{keys}"));
        plan.processes[0].on_postgres = vec![FEED];
        plan.folder = plan.folder.join(format!("arm{}", keys.len()));
        check(&plan.name, &plan.placement, &GivenServers::default()).expect("it can be had");
        let (servers, empty) = ArmServers::start(&environment, &plan).await.expect("it starts");
        assert_eq!((servers.databases().len(), empty.len()), (stores, stores), "{keys}");

        let (store, location) = empty.into_iter().next().expect("one");
        assert_eq!(store.hosts, [FEED]);
        let db = Database::open(location, Options::default()).await.expect("it is there");
        let mut tx = db.write().await.expect("a turn");
        query("CREATE", "t", "CREATE TABLE t (n BIGINT)").execute(tx.conn()).await.expect("made");
        tx.commit().await.expect("commits");

        let sampled = servers.sampled();
        let is_it = |server: &SampledInstance| server.server == Some(ServerRole::Databases) && server.is_up;
        assert!(sampled.iter().all(|server| is_it(server) && is_running(server.pid)));
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
        let (again, empty) = ArmServers::start(&environment, &plan).await.expect("it starts again");
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
fn a_topology_with_files_and_pulls_needs_nothing_and_one_with_a_server_names_what_is_missing() {
    let placement = |keys: &str| {
        let text = format!("processes = {{ each = [\"*\"] }}\n{keys}");
        toml::from_str::<contract::Placement>(&text).expect("a placement")
    };
    check("micro", &placement(""), &GivenServers::default()).expect("files are always there");
    for (product, key, remedies) in [
        (
            ServerProduct::Postgres,
            "store = \"postgres\"",
            &["--features postgres", "apt-get install postgresql", "useradd"] as &[&str],
        ),
        (ServerProduct::Nats, "events = \"nats\"", &["--features nats", "apt-get install nats-server"]),
    ] {
        match check("micro", &placement(key), &GivenServers::default()) {
            Ok(()) => assert!(availability(product).is_ok()),
            Err(why) => {
                let text = why.to_string();
                assert!(text.contains("arm `micro`") && text.contains(product.name()), "{text}");
                assert!(remedies.iter().any(|how| text.contains(how)), "{text}");
            }
        }
    }
}

/// Whatever a server is: it is paused and killed as a whole, and comes back with what it kept, on a disk of its own or on that
/// of the run. `put` gives it something to keep, and `is_kept` asks it for that.
#[cfg(any(feature = "postgres", feature = "nats"))]
async fn comes_back_with_what_it_kept<P>(
    product: ServerProduct,
    topology: &str,
    fills_disk: bool,
    put: impl AsyncFnOnce(&ArmServers, Vec<Location>) -> P,
    is_kept: impl AsyncFn(&P) -> bool,
) {
    use conductor::process::{tree, usage};

    if !can_be_had(product) {
        return;
    }
    let nodes = FakeNodes::with_program("");
    let environment = nodes.environment();
    let mut plan = nodes.plan(topology);
    plan.processes[0].on_postgres = vec![FEED];
    plan.config.broker_credentials = TOKEN.to_owned();
    plan.access.fills_disk = fills_disk;
    let (servers, empty) = ArmServers::start(&environment, &plan).await.expect("it starts");
    let put = put(&servers, empty.into_iter().map(|(_, location)| location).collect()).await;
    assert!(servers.named(&["feed#0".to_owned()]).is_empty());
    let server = servers.named(&[format!("{}#0", product.feature())]).pop().expect("by its name");
    assert_eq!(server.disk().is_some(), fills_disk);

    let first = servers.sampled().pop().expect("one");
    assert!(first.server.is_some() && first.is_up && is_running(first.pid), "{first:?}");
    let stands_still = || {
        tree::members(first.pid).iter().all(|pid| {
            // One that has just ended is looked at when its parent goes on.
            matches!(usage::state(*pid), None | Some('T' | 'Z'))
        })
    };
    assert!(server.pause(&environment.guardian) && server.pause(&environment.guardian), "it runs");
    while !stands_still() {
        tokio::task::yield_now().await;
    }
    server.resume(&environment.guardian);
    assert!(stands_still(), "as long as one of two steps pauses it");
    assert_eq!(servers.sampled()[0].state, "paused");
    server.resume(&environment.guardian);
    assert!(is_kept(&put).await, "it goes on where it was");

    let processes = tree::members(first.pid);
    assert!(server.kill(None), "it runs");
    server.start(&environment).await.expect("it starts again");
    let again = servers.sampled().pop().expect("one");
    assert!(again.is_up && again.pid != first.pid && again.restarts == 1, "{again:?}");
    assert!(tree::members(again.pid).iter().all(|pid| !processes.contains(pid)));
    assert!(is_kept(&put).await, "what it had acknowledged");

    assert!(server.stop(&environment, Duration::from_secs(3)).await, "it runs");
    assert!(!is_running(again.pid), "it is reaped");
    server.start(&environment).await.expect("it starts once more");
    assert!(is_kept(&put).await, "an end in order loses nothing either");

    let last = servers.sampled().pop().expect("one");
    servers.shut_down(&environment).await;
    assert!(!is_running(last.pid));
    server.start(&environment).await.expect("nothing is done");
    assert!(!server.kill(None), "it has ended for good");
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_database_server_comes_back_with_what_it_kept() {
    let put = async |_: &ArmServers, empty: Vec<Location>| {
        let location = empty.into_iter().next().expect("one");
        let db = Database::open(location.clone(), Options::default()).await.expect("it is there");
        let mut tx = db.write().await.expect("a turn");
        let create = query("CREATE", "t", "CREATE TABLE t AS SELECT CAST(1 AS BIGINT) AS n");
        create.execute(tx.conn()).await.expect("made");
        tx.commit().await.expect("commits");
        db.close().await;
        location
    };
    let is_kept = async |location: &Location| {
        let db = Database::open(location.clone(), Options::default()).await.expect("it is there");
        let mut read = db.read().await.expect("a reader");
        let found = query("SELECT", "t", "SELECT n FROM t").one::<i64>(&mut read).await.expect("it answers");
        drop(read);
        db.close().await;
        found == 1
    };
    comes_back_with_what_it_kept(ServerProduct::Postgres, "store = \"postgres\"", false, put, is_kept).await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn databases_on_a_server_that_is_there_are_the_runs_own_and_go_with_their_arm() {
    use conductor::arm::environment::RunEnvironment;
    use conductor::arm::given_servers::ServerUrls;

    if !can_be_had(ServerProduct::Postgres) {
        return;
    }
    let nodes = FakeNodes::with_program("");
    let environment = nodes.environment();
    let mut plan = nodes.plan("store = \"postgres\"");
    plan.processes[0].on_postgres = vec![FEED];
    let (server, empty) = ArmServers::start(&environment, &plan).await.expect("it starts");
    let url = server.databases().values().next().expect("one").address.clone();
    let arm = scenario::Arm::without_variant("mono", plan.placement.clone());
    let given = |url: &str| {
        GivenServers::new(&ServerUrls { postgres: Some(url), ..ServerUrls::default() }).expect("a URL")
    };
    let guest = RunEnvironment { given: given(&url), ..environment.clone() };
    guest.given.check_reachable(&[&arm]).await.expect("its user is a superuser");

    plan.config.run_id = "20260101-000000-abcd".to_owned();
    let (servers, made) = ArmServers::start(&guest, &plan).await.expect("databases are made");
    assert!(servers.sampled().is_empty(), "the server is another's");
    let (_, location) = made.into_iter().next().expect("one");
    assert!(location.to_string().ends_with("/cleave_20260101_000000_abcd_A_0_app"), "{location}");
    let read = async |location: Location| {
        let db = Database::open(location, Options::default()).await?;
        let found = db.read().await.map(drop);
        db.close().await;
        found
    };
    read(location.clone()).await.expect("it is there");
    ArmServers::start(&guest, &plan).await.map(drop).expect_err("it is there already");
    servers.shut_down(&guest).await;
    read(location).await.expect_err("it is dropped");

    let db = Database::open(empty[0].1.clone(), Options::default()).await.expect("it is there");
    let mut tx = db.write().await.expect("a turn");
    query("CREATE", "guest", "CREATE ROLE guest LOGIN").execute(tx.conn()).await.expect("made");
    tx.commit().await.expect("commits");
    db.close().await;
    for (url, part) in [
        (url.replace("user=cleave", "user=guest"), "CREATEDB"),
        ("host=/nowhere user=ada".to_owned(), "start it, or correct the URL"),
    ] {
        let why = given(&url).check_reachable(&[&arm]).await.expect_err("it cannot be used").to_string();
        assert!(why.starts_with("--postgres: ") && why.contains(part), "{why}");
    }
    server.shut_down(&environment).await;
}

/// Undoes what a journal leaves open, as a guardian does.
#[cfg(any(feature = "postgres", feature = "nats"))]
async fn clean_up(nodes: &FakeNodes, secrets: ServerSecrets) -> CleanUp {
    let journal = nodes.folder.path().join(guardian::JOURNAL);
    let text = std::fs::read_to_string(&journal).expect("it was written");
    assert!(!text.contains(TOKEN), "what opens servers is not in it: {text}");
    runtime::blocking(move || guardian::clean_up(&journal, &secrets)).await.expect("readable")
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn databases_of_a_dead_lab_are_removed_from_its_journal_and_without_it_and_no_others() {
    use conductor::arm::given_servers::ServerUrls;

    if !can_be_had(ServerProduct::Postgres) {
        return;
    }
    let (nodes, guests) = (FakeNodes::with_program(""), FakeNodes::with_program(""));
    let environment = nodes.environment();
    let mut plan = nodes.plan("store = \"postgres\"");
    plan.processes[0].on_postgres = vec![FEED];
    let (server, _) = ArmServers::start(&environment, &plan).await.expect("it starts");
    let address = &server.databases().values().next().expect("one").address;
    // The server asks for no password.
    let url = format!("{address} password='{TOKEN}'");
    let urls = ServerUrls { postgres: Some(&url), ..ServerUrls::default() };
    let guest = guests.environment().with_given(GivenServers::new(&urls).expect("a URL"));
    let described = async || {
        let described = guest.given.describe(ServerProduct::Postgres).await.expect("it is given");
        described.expect("it answers")
    };
    let one = CleanUp { undone: 1, reasons: Vec::new() };

    let mut plan = guests.plan("store = \"postgres\"");
    plan.processes[0].on_postgres = vec![FEED];
    plan.config.run_id = "20260101-000000-abcd".to_owned();
    let (servers, _) = ArmServers::start(&guest, &plan).await.expect("a database is made");
    assert!(described().await.ends_with("; databases of runs: 1"), "its run holds it");
    assert_eq!(guest.given.remove_abandoned().await.expect("it answers"), CleanUp::default());
    // A lab that is killed ends nothing in order.
    drop(servers);
    assert_eq!(clean_up(&guests, guest.given.secrets()).await, one, "from the journal");
    assert!(described().await.ends_with("; databases of runs: 0"));

    // A name alone makes a database none of a run's.
    let other: storage::postgres::Address = url.parse().expect("an address");
    storage::postgres::create_database(&other, "cleave_production").await.expect("made");

    let (servers, _) = ArmServers::start(&guest, &plan).await.expect("a database is made");
    drop(servers);
    // The server notices the end of a session a moment later.
    while !described().await.contains("databases of runs: 1, 1 of them without its run") {
        tokio::task::yield_now().await;
    }
    assert_eq!(guest.given.remove_abandoned().await.expect("it answers"), one, "without the journal");
    assert!(described().await.ends_with("; databases of runs: 0"));
    let mut session = storage::postgres::Session::open(&other).await.expect("it answers");
    assert!(session.has_database("cleave_production").await.expect("it answers"), "another's");
    drop(session);
    server.shut_down(&environment).await;
}

#[cfg(feature = "nats")]
#[tokio::test]
async fn streams_of_a_dead_lab_are_removed_from_its_journal() {
    use crate::broker::publish_one;
    use conductor::arm::given_servers::ServerUrls;

    if !can_be_had(ServerProduct::Nats) {
        return;
    }
    let (nodes, guests) = (FakeNodes::with_program(""), FakeNodes::with_program(""));
    let environment = nodes.environment();
    let mut plan = nodes.plan("events = \"nats\"");
    plan.config.broker_credentials = TOKEN.to_owned();
    let (server, _) = ArmServers::start(&environment, &plan).await.expect("it starts");
    let address = server.broker().expect("it runs").clone();
    let url = address.to_string();
    let urls = ServerUrls { nats: Some(&url), nats_credentials: TOKEN, ..ServerUrls::default() };
    let guest = guests.environment().with_given(GivenServers::new(&urls).expect("a URL"));

    let plan = guests.plan("events = \"nats\"");
    let arm = scenario::Arm::without_variant("mono", plan.placement.clone());
    guest.given.check_reachable(&[&arm]).await.expect("its user may make streams");
    let is_gone = async |stream: &str| {
        while has_folder(nodes.folder.path(), stream) {
            tokio::task::yield_now().await;
        }
    };
    is_gone("cleave-check-").await;
    let (servers, _) = ArmServers::start(&guest, &plan).await.expect("it is there");
    let name = plan.config.broker_name();
    let options = storage::nats::BrokerOptions { address, credentials: TOKEN.to_owned(), name: name.clone() };
    publish_one(&options, guests.folder.path()).await;
    // A stream is a folder of its name in the server's.
    let stream = format!("{name}-follower");
    assert!(has_folder(nodes.folder.path(), &stream), "{stream}");
    drop(servers);
    let cleaned = clean_up(&guests, guest.given.secrets()).await;
    assert_eq!(cleaned, CleanUp { undone: 1, reasons: Vec::new() });
    is_gone(&stream).await;
    server.shut_down(&environment).await;
}

/// Whether a folder whose name begins so is somewhere below another.
#[cfg(feature = "nats")]
fn has_folder(below: &Path, name: &str) -> bool {
    let entries = std::fs::read_dir(below).into_iter().flatten().flatten();
    let mut folders = entries.filter(|entry| entry.path().is_dir());
    folders.any(|folder| {
        folder.file_name().to_string_lossy().starts_with(name) || has_folder(&folder.path(), name)
    })
}

#[tokio::test]
async fn a_guardian_gets_what_opens_servers_in_its_environment_alone() {
    let got = "printf %s \"$CLEAVE_POSTGRES_PASSWORD $CLEAVE_NATS_CREDENTIALS\" > \"$2.got\"";
    let nodes = FakeNodes::with_program(got);
    let guardian = nodes.environment().guardian;
    guardian.hand_over(ServerSecrets {
        postgres_password: TOKEN.to_owned(),
        nats_credentials: format!("ada:{TOKEN}"),
    });
    let list = UndoAction::File(nodes.folder.path().join("list"));
    guardian.record_undo(&list).expect("a folder of ours");
    let journal = nodes.folder.path().join(guardian::JOURNAL);
    let got = journal.with_extension("jsonl.got");
    while std::fs::read_to_string(&got).unwrap_or_default() != format!("{TOKEN} ada:{TOKEN}") {
        tokio::task::yield_now().await;
    }
    assert!(!std::fs::read_to_string(&journal).expect("readable").contains(TOKEN));
}

/// Whether a disk can be mounted here; where not, the reason is printed.
fn can_be_mounted() -> bool {
    disk::availability().inspect_err(|why| eprintln!("skipped: {why}")).is_ok()
}

#[tokio::test]
async fn a_disk_of_its_own_is_full_until_it_is_emptied_and_is_no_other_servers() {
    if !can_be_mounted() {
        return;
    }
    let nodes = FakeNodes::with_program("");
    let environment = nodes.environment();
    let folder = environment.folder.join("store");
    let log = environment.folder.join("disk.log");
    let disk = Disk::mount(&environment, "disk".into(), folder.clone(), log).await.expect("it is mounted");
    let file = disk.path().join("kept");
    std::fs::write(&file, "kept").expect("there is room");
    assert!(disk.fill().await.expect("to the end"), "there was room");
    assert!(!disk.fill().await.expect("to the end"), "there is none any more");
    // More than fits in the last page of a file that is there.
    let full = std::fs::write(disk.path().join("more"), [1_u8; 8192]).expect_err("it is full");
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(std::fs::read(&file).expect("reads go on"), b"kept");
    std::fs::write(folder.join("beside"), [1_u8; 8192]).expect("the machine's disk is not full");

    disk.empty().expect("it is given back");
    disk.empty().expect("nothing is left to give back");
    std::fs::write(disk.path().join("more"), [1_u8; 8192]).expect("there is room again");
    assert_eq!(std::fs::read_dir(&folder).expect("ours").count(), 1, "others do not see it");
    let words = disk.entered();
    let [program, arguments @ ..] = &words[..] else { panic!("a command") };
    let listed = std::process::Command::new(program).args(arguments).arg("ls").arg(&folder).output();
    let listed = String::from_utf8(listed.expect("it starts").stdout).expect("names");
    assert!(listed.contains("kept") && !listed.contains("beside"), "{listed}");

    let path = disk.path();
    disk.unmount(&environment).await;
    assert!(!path.exists(), "it has ended with what was on it");
}

#[cfg(feature = "nats")]
#[tokio::test]
async fn a_broker_comes_back_with_what_it_kept() {
    keeps_an_event_with(false).await;
}

#[cfg(feature = "nats")]
#[tokio::test]
async fn a_broker_with_a_disk_of_its_own_comes_back_with_what_it_kept() {
    if can_be_mounted() {
        keeps_an_event_with(true).await;
    }
}

#[cfg(feature = "nats")]
async fn keeps_an_event_with(disk: bool) {
    use crate::broker::{publish_one, read_one};

    let folder = tempfile::tempdir().expect("a folder");
    let readers = std::sync::atomic::AtomicU32::new(0);
    let put = async |servers: &ArmServers, empty: Vec<Location>| {
        assert!(empty.is_empty(), "databases are files");
        let address = servers.broker().expect("it runs").clone();
        let options = storage::nats::BrokerOptions {
            address,
            credentials: TOKEN.to_owned(),
            name: node::NodeConfig::default().run_id,
        };
        publish_one(&options, folder.path()).await;
        options
    };
    // Each is new to the broker, and asks for all that it has.
    let is_kept = async |options: &storage::nats::BrokerOptions| {
        let number = readers.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let reader = ComponentName::intern(&format!("reader-{number}"));
        read_one(options, reader).await
    };
    comes_back_with_what_it_kept(ServerProduct::Nats, "events = \"nats\"", disk, put, is_kept).await;
}
