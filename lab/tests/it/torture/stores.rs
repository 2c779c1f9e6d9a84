//! Nodes, database servers, single backends of them and the broker are killed, one after another, while clients write.

use std::os::unix::fs::PermissionsExt;

use conductor::arm::server_product::ServerProduct;
use conductor::arm::servers::availability;

use super::kills::survive;
use super::setting;
use crate::cleave::Cleave;
use crate::places::side_by_side;

/// Arms on PostgreSQL, whose servers are started again as their nodes are. Between processes, `EVENTS` carries events.
const SCENARIO: &str = r#"schema = 1
name   = "kills"
title  = "Any process may die at any moment, a server's as well"
why    = "What was acknowledged survives it"
phases = [{ name = "steady", for = "5s" }]

[load]
rate = "5/s"
size = "tiny"

[topology.micro]
processes = { each = ["*"] }
store     = "postgres"
events    = "EVENTS"
restart   = { after = "300ms", max = 900, max_delay = "1s" }

[topology.mono]
processes = { app = ["gateway", "*"] }
store     = "postgres"
restart   = { after = "300ms", max = 900, max_delay = "1s" }
"#;

/// A folder that the account of a database server can enter.
fn folder() -> Cleave {
    let cleave = Cleave::shared();
    std::fs::set_permissions(cleave.folder(), PermissionsExt::from_mode(0o711)).expect("a folder of ours");
    cleave
}

#[test]
#[ignore = "kills processes for as long as it is asked to"]
fn what_was_acknowledged_survives_every_kill_of_a_server() {
    if let Err(reason) = availability(ServerProduct::Postgres) {
        println!("skipped: {reason}");
        return;
    }
    let broker = availability(ServerProduct::Nats).inspect_err(|reason| println!("no broker: {reason}"));
    let scenario = SCENARIO.replace("EVENTS", if broker.is_ok() { "nats" } else { "pull" });
    let kills: u64 = setting("STORE_KILLS").unwrap_or(12);
    let arms = [("mono", kills.div_ceil(4)), ("micro", kills - kills.div_ceil(4))];
    side_by_side(arms, |(arm, kills)| survive(folder(), &scenario, arm, kills));
}
