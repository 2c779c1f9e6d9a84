//! The registry dies, and comes back on its port with what its log holds.

use nix::sys::signal::Signal;
use record::Entry;
use serde_json::Value;

use crate::cleave::{Cleave, is_starved, passes, scenario, wait_for};
use crate::http::Client;
use crate::up::{Suite, signal_nodes};

const SERVICES: [&str; 5] = ["feed", "follower", "photo", "profile", "search"];

#[test]
fn no_request_fails_while_the_registry_dies_and_comes_back() {
    let (document, lines) = Cleave::new().document(&[&scenario("registry-restart")]);
    let returns = lines.iter().filter(|line| match &line.entry {
        Entry::Event(event) => event.text.contains("registry#0 down -> up"),
        _ => false,
    });
    let returns = returns.count();
    // Where the machine has no room, the second may come after the end.
    assert!(
        returns == 2 || (is_starved(&document) && returns < 2),
        "it was killed twice, and came back {returns} times"
    );
    passes(&document);
}

#[test]
fn a_registry_that_comes_back_knows_at_once_which_services_there_are() {
    let cleave = Cleave::shared();
    let suite = Suite::start(&cleave, &["micro"]);
    let registry = Client { addr: suite.instance("registry#0"), token: None };
    // Which registry it is, and what it lists.
    let listed = || -> Option<(Value, Vec<String>)> {
        let reply = registry.try_send("GET", "/v1/services", &[], b"").ok()?;
        let snapshot = (reply.status == 200).then(|| reply.json())?;
        let instances = snapshot["instances"].as_array()?.iter();
        let names =
            instances.filter_map(|instance| instance["service"].as_str().map(str::to_owned)).collect();
        Some((snapshot["registry"].clone(), names))
    };
    let (first, known) = wait_for("the registry", listed);
    assert_eq!(known, SERVICES);

    // Neither renewals nor registrations: what it lists is from its log.
    let signal_services = |signal| {
        let sent = SERVICES.map(|name| signal_nodes(&cleave, &format!("/{name}#0.json"), signal));
        assert_eq!(sent, [1; 5]);
    };
    signal_services(Signal::SIGSTOP);
    assert_eq!(signal_nodes(&cleave, "/registry#0.json", Signal::SIGKILL), 1);
    let (_, known) = wait_for("its successor", || listed().filter(|(registry, _)| *registry != first));
    signal_services(Signal::SIGCONT);
    assert_eq!(known, SERVICES);

    let feed = || suite.seeded().get("/v1/feed?limit=3").status;
    wait_for("the feed", || (feed() == 200).then_some(()));
    suite.end();
}
