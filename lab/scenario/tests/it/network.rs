//! `[network]` of a file and of its variants, and what the command line puts in its place.

use policy::NetworkOptions;
use scenario::explain::{PlannedArm, explain};

use crate::read;

const FILE: &str = r#"schema = 1
name = "x"
title = "t"
why = "w"
phases = [{ name = "steady", for = "5s" }]
[load]
rate = "10/s"
[topology.mono]
processes = { app = ["gateway", "*"] }
[topology.micro]
processes = { each = ["*"] }
[network]
rtt = "300us"
jitter = "50us"
[variant.plain.policy."feed->photo"]
timeout = "1s"
[variant.far.network]
rtt = "1ms"
[variant.near.network]
rtt = "0"
jitter = "0"
"#;

fn networks(scenario: &scenario::Scenario) -> Vec<(&str, String)> {
    scenario.arms.iter().map(|arm| (arm.name.as_str(), arm.network.to_string())).collect()
}

#[test]
fn a_variant_replaces_keys_of_the_files_network() {
    let scenario = read("x", FILE).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    let networks = networks(&scenario);
    for (arm, network) in [
        ("plain/mono", "300us round trip, more or less 50us"),
        ("plain/micro", "300us round trip, more or less 50us"),
        ("far/micro", "1ms round trip, more or less 50us"),
        ("near/micro", "loopback"),
    ] {
        assert!(networks.contains(&(arm, network.to_owned())), "{arm}: {networks:?}");
    }
}

#[test]
fn a_file_without_a_network_is_on_loopback_and_the_command_line_moves_all_arms() {
    let at = FILE.find("[network]").expect("its section");
    let mut scenario = read("x", &FILE[..at]).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    assert_eq!(networks(&scenario), [("mono", "loopback".to_owned()), ("micro", "loopback".to_owned())]);
    scenario.set_rtt(NetworkOptions::parse_rtt("1ms").expect("a round trip"));
    assert!(scenario.arms.iter().all(|arm| arm.network.to_string() == "1ms round trip"));
    let mut varying = read("x", FILE).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    varying.set_rtt(NetworkOptions::parse_rtt("20us").expect("a round trip"));
    let far = varying.arms.iter().find(|arm| arm.name == "far/micro").expect("an arm");
    assert_eq!(far.network.diagnostics(), [""; 0], "it varies by no more than it is long");
}

/// What is explained of the arms of a file.
fn explained(toml: &str) -> String {
    let scenario = read("x", toml).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    let planned = |arm| PlannedArm {
        arm,
        processes: Vec::new(),
        remote_edges: Vec::new(),
        resources: record::Resources::default(),
    };
    let arms: Vec<PlannedArm<'_>> = scenario.arms.iter().map(planned).collect();
    explain(&scenario, &arms, |_, _| String::new())
}

#[test]
fn connections_to_servers_cross_the_network_and_proxies_are_named() {
    const STEP: &str = "[[step]]\nin = \"steady\"\ndo = \"delay\"\nby = \"5ms\"\non = \"feed->server:feed\"\nat = \"+1s\"\nfor = \"1s\"\n";
    let served = FILE.replacen("[topology.micro]", "[topology.micro]\nstore = \"postgres\"", 1);
    let far = explained(&served);
    assert!(far.contains("network between processes, and to the arm's servers: 1ms round trip"), "{far}");
    assert!(far.contains("through proxies of the lab, all the time: all connections to servers"), "{far}");
    let at = served.find("[network]").expect("its section");
    let near = explained(&served[..at]);
    assert!(!near.contains("proxies"), "{near}");
    let delayed = explained(&format!("{}{STEP}", &served[..at]));
    let named = delayed.matches("through proxies of the lab, all the time: feed->server:feed").count();
    assert_eq!(named, 1, "in the arm that has a server: {delayed}");
}
