//! Arms whose events a broker carries: the same state as without, accounted, and gone with the lab.

use std::collections::BTreeSet;

use conductor::arm::server_product::ServerProduct;
use conductor::arm::servers::{availability, disk};
use nix::sys::signal::Signal;
use record::{Entry, EventKind, Proc};

use crate::cleave::{Cleave, all_reach_one_state, is_starved, lines_of, lints, scenario, wait_for};
use crate::views_of_servers::technology_is_shown;

/// Whether a broker can be had here; where not, the reason is printed.
fn can_be_had() -> bool {
    availability(ServerProduct::Nats).inspect_err(|why| eprintln!("skipped: {why}")).is_ok()
}

/// A run of one arm with a broker, and a step on it.
fn with_step(cleave: &Cleave, step: &str) -> &'static str {
    let text = format!(
        r#"schema = 1
name   = "broken"
title  = "A fault of the broker"
why    = "It is the run's, as its processes are"
phases = [{{ name = "steady", for = "12s" }}]

[load]
rate = "20/s"
size = "tiny"
mix  = {{ upload = 50, home-feed = 50 }}

[topology.pairs]
processes = {{ people = ["profile", "follower"], rest = ["*"] }}
events    = "nats"

[[step]]
id  = "fault"
in  = "steady"
at  = "+1s"
on  = "server:events"
{step}
"#
    );
    std::fs::write(cleave.folder().join("broken.toml"), text).expect("a folder of ours");
    "broken.toml"
}

#[test]
fn a_broker_that_cannot_be_had_is_refused_before_anything_starts() {
    let cleave = Cleave::shared();
    let (_, listed) = cleave.printed(&["list"]);
    assert!(listed.contains("needs NATS"), "{listed}");
    let (_, doctor) = cleave.printed(&["doctor"]);
    let finding = doctor.lines().find(|line| line.get(2..).is_some_and(|line| line.starts_with("nats")));
    let finding = finding.unwrap_or_else(|| panic!("no finding in {doctor}"));
    if can_be_had() {
        assert!(finding.starts_with('+') && finding.contains("nats-server"), "{finding}");
        return;
    }
    assert!(finding.starts_with('-'), "{finding}");
    let (code, text) = cleave.printed(&["run", "broker-outage", "--no-tui"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("arm `nats` has its events carried by NATS"), "{text}");
    assert!(text.contains("--features nats") || text.contains("apt-get install nats-server"), "{text}");
    assert!(!cleave.has_runs(), "nothing was made");
}

#[test]
fn what_carries_events_decides_nothing_of_the_state() {
    if !can_be_had() {
        return;
    }
    let cleave = Cleave::wide();
    let (document, lines) = cleave.document(&[&scenario("carried-events"), "--seed", "7"]);
    let servers: Vec<&Proc> = lines
        .iter()
        .filter_map(|line| match &line.entry {
            Entry::Proc(proc) if proc.is_server => Some(&**proc),
            _ => None,
        })
        .collect();
    let arms: BTreeSet<char> = servers.iter().map(|server| server.arm).collect();
    assert_eq!(arms, BTreeSet::from(['B', 'D']), "the two arms whose events it carries");
    assert!(servers.iter().all(|server| server.instance == "nats#0" && server.pss_kib > 0));
    assert!(servers.iter().any(|server| server.cpu_ns > 0), "it has worked");
    let rows = document["scorecard"].as_array().expect("rows");
    let row = |id: &str| rows.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("no row {id}"));
    let value = |id: &str, arm: &str| row(id)["arms"][arm]["value"].as_f64();
    assert_eq!(["A", "B", "C", "D"].map(|arm| value("servers", arm)), [0.0, 1.0, 0.0, 1.0].map(Some));
    for id in ["server_memory", "server_cpu"] {
        assert!(value(id, "D").is_some_and(|value| value > 0.0), "{:#}", row(id));
        assert_eq!(value(id, "A"), Some(0.0), "{:#}", row(id));
    }
    all_reach_one_state(&document, &["mono", "pairs", "micro", "micro-nats"]);
    technology_is_shown(&cleave, &document, "D");
}

#[test]
fn a_broker_is_killed_and_comes_back_and_nothing_is_lost() {
    if !can_be_had() {
        return;
    }
    let cleave = Cleave::wide();
    let file = with_step(&cleave, "do = \"kill\"\nrestart = { after = \"2s\" }");
    let (document, lines) = cleave.document(&[file]);
    let logged = |line: &record::Line| match &line.entry {
        Entry::Event(event) if event.what == EventKind::Log => Some(event.text.clone()),
        _ => None,
    };
    let restarts = |line: &record::Line| match &line.entry {
        Entry::Proc(proc) if proc.is_server => Some((proc.state.clone(), proc.restarts)),
        _ => None,
    };
    let seen: Vec<_> = lines.iter().filter_map(restarts).collect();
    let log: Vec<String> = lines.iter().filter_map(logged).collect();
    // Where the machine has no room, a look may come too late, or the server back after the end.
    let is_starved = is_starved(&document);
    let was_away = seen.iter().any(|(state, _)| state == "down");
    assert!(was_away || is_starved, "it was away: {seen:?}; {log:?}");
    let is_back = seen.last() == Some(&("up".to_owned(), 1));
    assert!(is_back || is_starved, "and is back: {seen:?}; {log:?}");
    let audit = &document["audits"][0];
    assert!(audit["acknowledged"].as_u64().is_some_and(|n| n > 0), "{audit:#}");
    assert_eq!((audit["lost"].as_u64(), audit["duplicated"].as_u64()), (Some(0), Some(0)), "{audit:#}");
}

#[test]
fn a_broker_whose_disk_was_full_serves_again_after_a_restart_and_nothing_is_lost() {
    if !can_be_had() || disk::availability().inspect_err(|why| eprintln!("skipped: {why}")).is_err() {
        return;
    }
    let cleave = Cleave::wide();
    let restart =
        "[[step]]\nid = \"back\"\nin = \"steady\"\nat = \"+6s\"\non = \"server:events\"\ndo = \"restart\"";
    let file = with_step(&cleave, &format!("do = \"disk-full\"\nfor = \"4s\"\n\n{restart}"));
    let (document, lines) = cleave.document(&[file]);
    // What is degraded is in the log, beside the reason for it.
    let log: Vec<&str> = lines
        .iter()
        .filter_map(|line| match &line.entry {
            Entry::Event(event) if event.what == EventKind::Log => Some(event.text.as_str()),
            _ => None,
        })
        .collect();
    let found = lints(&document);
    assert!(!found.iter().any(|name| name == "fault_without_hits"), "it was filled: {log:?}");
    assert!(!log.iter().any(|text| text.contains("no disk of its own")), "{log:?}");
    let sampled = |line: &record::Line| match &line.entry {
        Entry::Proc(proc) if proc.is_server => Some((proc.db_bytes, proc.restarts)),
        _ => None,
    };
    let sampled: Vec<(u64, u32)> = lines.iter().filter_map(sampled).collect();
    let fullest = sampled.iter().map(|(bytes, _)| *bytes).max();
    // Where the machine has no room, a look or the restart may come too late.
    let is_starved = is_starved(&document);
    assert!(fullest > Some(24 << 20) || is_starved, "all of a disk of 32 MiB was taken: {sampled:?}");
    let last = sampled.last().expect("it was sampled");
    let is_back = last.0 < 24 << 20 && last.1 == 1;
    assert!(is_back || is_starved, "it has its space again, and was started again: {sampled:?}");
    let audit = &document["audits"][0];
    assert!(audit["acknowledged"].as_u64().is_some_and(|n| n > 0), "{audit:#}");
    assert_eq!((audit["lost"].as_u64(), audit["duplicated"].as_u64()), (Some(0), Some(0)), "{audit:#}");
}

/// Kills the lab while a step on its broker is in force; `and_before` looks at it then.
fn kill_in_mid_step(cleave: &Cleave, step: &str, and_before: impl FnOnce()) {
    let file = with_step(cleave, step);
    let mut lab = cleave.start(&["run", file, "--no-tui"]);
    wait_for("a step in force", || {
        let lines = lines_of(&cleave.record()?).ok()?;
        let has_begun =
            |line: &record::Line| matches!(&line.entry, Entry::Event(event) if event.active == Some(true));
        lines.iter().any(has_begun).then_some(())
    });
    let (_, header) = cleave.in_mid_run();
    let words = |pid: u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).split('\0').map(str::to_owned).collect::<Vec<_>>()
    };
    let lines: Vec<Vec<String>> = cleave.processes().into_iter().map(words).collect();
    assert!(lines.iter().any(|words| words[0].ends_with("nats-server")), "it runs: {lines:?}");
    let is_secret = |word: &String| word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(!lines.iter().flatten().any(is_secret), "what opens it is on no command line: {lines:?}");
    and_before();
    lab.signal(Signal::SIGKILL);
    lab.0.wait().expect("it is dead");
    cleave.nothing_is_left(&header);
}

#[test]
fn a_killed_lab_leaves_no_broker_not_even_a_paused_one() {
    if can_be_had() {
        kill_in_mid_step(&Cleave::shared(), "do = \"pause\"\nfor = \"9s\"", || ());
    }
}

/// Processes that see something mounted in the folder of a test.
fn see_a_mount(cleave: &Cleave) -> usize {
    let folder = cleave.folder().canonicalize().expect("it is there");
    let folder = folder.to_str().expect("plain");
    let entries = std::fs::read_dir("/proc").expect("Linux").flatten();
    // Other users' are not readable, and none of ours.
    let mounts = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("mountinfo")).ok());
    mounts.filter(|mounts| mounts.contains(folder)).count()
}

#[test]
fn a_killed_lab_leaves_no_disk_of_its_broker() {
    if !can_be_had() || disk::availability().inspect_err(|why| eprintln!("skipped: {why}")).is_err() {
        return;
    }
    let cleave = Cleave::shared();
    let is_mounted = || {
        assert!(see_a_mount(&cleave) >= 2, "the server and what holds the disk");
        let own = std::fs::read_to_string("/proc/self/mountinfo").expect("Linux");
        assert!(!own.contains("nats-0"), "the machine does not see it");
    };
    kill_in_mid_step(&cleave, "do = \"disk-full\"\nfor = \"9s\"", is_mounted);
    wait_for("the end of the disk", || (see_a_mount(&cleave) == 0).then_some(()));
}
