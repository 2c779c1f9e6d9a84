//! Arms that keep their data on a server, in all groupings: the same state as with files, and rows of what there is to operate.

use std::os::unix::fs::PermissionsExt;

use conductor::arm::server_product::ServerProduct;
use conductor::arm::servers::availability;

use crate::cleave::{Cleave, all_reach_one_state};

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
    let text = SCENARIO.replace("EVENTS", if broker { "nats" } else { "pull" });
    std::fs::write(cleave.folder().join("kept.toml"), text).expect("a folder of ours");
    let (document, _) = cleave.document(&["kept.toml", "--seed", "7"]);
    all_reach_one_state(&document, &["mono", "mono-pg", "pairs-pg", "micro-pg"]);

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
