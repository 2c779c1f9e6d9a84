//! Arms that keep their data on a server, in all groupings: the same state as with files, and rows of what there is to operate.

use std::os::unix::fs::PermissionsExt;

use conductor::arm::server_product::ServerProduct;
use conductor::arm::servers::availability;

use nix::sys::signal::Signal;
use postgres_server::scratch::OwnServer;

use crate::cleave::{Cleave, all_reach_one_state, alone_with_doctor, wait_for};
use crate::up::Suite;
use crate::views_of_servers::technology_is_shown;

/// One trace and no fault. `EVENTS` carries events between the processes of the last two arms.
const SCENARIO: &str = r#"schema = 1
name   = "kept"
title  = "One trace through files and through a database server"
why    = "A store decides how data are kept, not what they are."
seed   = 42
phases = [{ name = "steady", for = "3s" }]

[load]
rate    = "10/s"
size    = "tiny"
mix     = { home-feed = 15, search = 15, upload = 15, like = 20, follow = 20, edit-profile = 10, sign-up = 5 }
timeout = "10s"

[topology.mono]
processes = { app = ["gateway", "*"] }

[topology.mono-pg]
processes = { app = ["gateway", "*"] }
store     = "postgres"

[topology.pairs-pg]
processes = { people = ["profile", "follower"], feed = ["feed"], media = ["search", "photo"] }
store     = "postgres"
shared_database = true
events    = "EVENTS"

[topology.micro-pg]
processes = { each = ["*"] }
store     = { search = "sqlite", "*" = "postgres" }
events    = "EVENTS"
"#;

/// Writes it as `kept.toml`.
fn write_scenario(cleave: &Cleave, events: &str) {
    let text = SCENARIO.replace("EVENTS", events);
    std::fs::write(cleave.folder().join("kept.toml"), text).expect("a folder of ours");
}

#[test]
fn where_data_are_kept_decides_nothing_of_the_state() {
    if let Err(why) = availability(ServerProduct::Postgres) {
        eprintln!("skipped: {why}");
        return;
    }
    let broker = availability(ServerProduct::Nats).inspect_err(|why| eprintln!("no broker: {why}")).is_ok();
    let cleave = Cleave::wide();
    // The account of a database server enters it.
    std::fs::set_permissions(cleave.folder(), PermissionsExt::from_mode(0o711)).expect("a folder of ours");
    write_scenario(&cleave, if broker { "nats" } else { "pull" });
    let (document, _) = cleave.document(&["kept.toml", "--seed", "7"]);
    all_reach_one_state(&document, &["mono", "mono-pg", "pairs-pg", "micro-pg"]);
    technology_is_shown(&cleave, &document, "B");

    let rows = document["scorecard"].as_array().expect("rows");
    let values = |id: &str| {
        let row = rows.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("no row {id}"));
        ["A", "B", "C", "D"].map(|arm| row["arms"][arm]["value"].as_f64())
    };
    let brokers = f64::from(u8::from(broker));
    assert_eq!(values("servers"), [0.0, 1.0, 1.0 + brokers, 1.0 + brokers].map(Some));
    assert_eq!(values("databases"), [1.0, 1.0, 1.0, 5.0].map(Some), "schemas of a shared one are one");
    assert_eq!(values("backups"), [1.0, 1.0, 1.0, 2.0].map(Some), "a server's as one, and a file");
    // Three processes or five, the gateway and the registry.
    assert_eq!(values("upgrades"), [1.0, 2.0, 6.0 + brokers, 8.0 + brokers].map(Some));
    let [without, with @ ..] = values("server_start_up");
    assert!(without.is_none() && with.iter().all(|value| value.is_some_and(|s| s > 0.0)), "{with:?}");
}

#[test]
fn a_killed_lab_leaves_no_database_on_a_server_that_is_there() {
    let available = availability(ServerProduct::Postgres);
    let server = match available.and_then(|_| OwnServer::start()) {
        Ok(server) => server,
        Err(why) => {
            eprintln!("skipped: {why}");
            return;
        }
    };
    let cleave = Cleave::shared();
    write_scenario(&cleave, "pull");
    let url = server.url();
    let environment = [("CLEAVE_POSTGRES_URL", url.as_str())];
    let doctor = |arguments: &[&str]| {
        let mut command = cleave.command(&[&["doctor"], arguments].concat());
        let output = command.envs(environment).output().expect("the program starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let shows = |text: &str| doctor(&[]).contains(text);
    for has_guardian in [true, false] {
        let suite = Suite::start_with(&cleave, "kept.toml:mono-pg", &environment);
        assert!(shows("databases of runs: 1\n"), "its suite is there: {}", doctor(&[]));
        for pid in cleave.processes() {
            let variables = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let variables = String::from_utf8_lossy(&variables);
            assert!(!variables.contains("CLEAVE_POSTGRES_URL"), "{pid} has no need of the URL");
        }
        if !has_guardian {
            // The lab is stopped first, or it would notice and end in order.
            suite.signal(Signal::SIGSTOP);
            cleave.kill_guardian();
        }
        suite.signal(Signal::SIGKILL);
        drop(suite);
        if has_guardian {
            wait_for("the guardian to drop it", || shows("databases of runs: 0\n").then_some(()));
        } else {
            wait_for("the end of its sessions", || shows("1 of them without its run").then_some(()));
            // Where its journal is not.
            let _alone = alone_with_doctor();
            let cleaned = doctor(&["--clean", "--out", "elsewhere"]);
            assert!(cleaned.contains("databases of runs that are gone: 1 removed"), "{cleaned}");
            assert!(shows("databases of runs: 0\n"), "{}", doctor(&[]));
        }
        wait_for("the end of every child", || cleave.processes().is_empty().then_some(()));
    }
}
