//! The lab is killed with every fault in force, and in turns its guardian before it.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use record::Entry;
use serde_json::Value;

use super::{Draws, setting};
use crate::cleanup::groups;
use crate::cleave::{Cleave, alone_with_doctor, lines_of, wait_for};

/// A fault of each kind that outlives a process unless it is taken back, and what of the machine it needs.
const STEPS: [(&str, Option<&str>); 9] = [
    ("do = \"pause\"\non = \"search\"", None),
    ("do = \"memory\"\non = \"people\"\nlimit = \"400MiB\"", None),
    ("do = \"fds\"\non = \"people\"\nlimit = 200", None),
    ("do = \"cpu-quota\"\non = \"feed\"\nquota = \"50%\"", Some("control groups")),
    ("do = \"cpu-quota\"\non = \"photo\"\nquota = \"50%\"", Some("control groups")),
    ("do = \"packet-loss\"\non = \"feed->photo\"\nloss = \"1%\"", Some("packet loss")),
    ("do = \"bandwidth\"\non = \"feed->profile\"\nrate = \"200KiB\"", None),
    ("do = \"delay\"\non = \"gateway->feed\"\nby = \"20ms\"", None),
    ("do = \"partition\"\nfrom = \"zone:b\"\nto = \"zone:a\"", None),
];

fn scenario() -> String {
    let head = r#"schema = 1
name   = "left"
title  = "Every fault in force"
why    = "Nothing may outlive the lab"
phases = [{ name = "steady", for = "60s" }]

[load]
rate = "20/s"
size = "tiny"

[topology.four]
processes = { people = ["profile", "follower"], feed = ["feed"], search = ["search"], photo = ["photo"] }
zones     = { a = ["people"], b = ["feed"] }
"#;
    let steps = STEPS.iter().enumerate().map(|(number, (step, _))| {
        format!(
            "\n[[step]]\nid  = \"fault{number}\"\nin  = \"steady\"\nat  = \"+1s\"\nfor = \"55s\"\n{step}\n"
        )
    });
    head.to_owned() + &steps.collect::<String>()
}

/// Steps that this machine can carry out, by what `cleave doctor` finds.
fn possible(cleave: &Cleave) -> usize {
    let found = cleave.run(&["doctor", "--output", "json"]);
    let document: Value = serde_json::from_slice(&found.stdout).expect("a document");
    let findings = document["findings"].as_array().expect("a list");
    let is_missing = |what: &str| {
        let finding = findings.iter().find(|finding| finding["what"] == what).expect("it is looked for");
        finding["is_missing"] == true
    };
    STEPS.iter().filter(|(_, needs)| !needs.is_some_and(is_missing)).count()
}

/// What the host shows to every process: mounts and network interfaces.
fn host() -> (String, BTreeSet<String>) {
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("Linux");
    let links = std::fs::read_dir("/sys/class/net").expect("Linux").flatten();
    (mounts, links.map(|link| link.file_name().to_string_lossy().into_owned()).collect())
}

/// Kills a run at some moment of its faults; `and_guardian` before it, so that only `doctor --clean` is left to clean up.
fn killed(draws: &mut Draws, and_guardian: bool) {
    let before = host();
    let cleave = Cleave::shared();
    let _alone = alone_with_doctor();
    let possible = possible(&cleave);
    std::fs::write(cleave.folder().join("left.toml"), scenario()).expect("a folder of ours");
    let mut lab = cleave.start(&["run", "left.toml", "--no-tui"]);
    let lines = || cleave.record().and_then(|path| lines_of(&path).ok()).unwrap_or_default();
    let in_force = wait_for("every fault in force", || {
        let began = lines().into_iter().filter_map(|line| match line.entry {
            Entry::Event(event) if event.active == Some(true) => Some(event.number),
            _ => None,
        });
        let began: BTreeSet<u32> = began.collect();
        (began.len() >= possible).then_some(began.len())
    });
    let (_, header) = cleave.in_mid_run();
    let (written, more) = (lines().len(), draws.below(40));
    wait_for("some more lines of the record", || (lines().len() >= written + more).then_some(()));
    if and_guardian {
        // The lab is stopped first, or it would notice and end in order.
        lab.signal(Signal::SIGSTOP);
        cleave.kill_guardian();
    }
    lab.signal(Signal::SIGKILL);
    let began = runtime::clock::now();
    lab.0.wait().expect("it is dead");
    cleave.no_process_is_left();
    if !and_guardian {
        wait_for("control groups to go", || (groups(&header) == 0).then_some(()));
    }
    let took = (runtime::clock::now() - began).as_secs_f64();
    println!("  {in_force} faults in force, guardian killed: {and_guardian}; gone after {took:.1} s");
    let clean = cleave.run(&["doctor", "--clean"]);
    assert!(clean.status.success(), "{}", String::from_utf8_lossy(&clean.stderr));
    assert_eq!(groups(&header), 0, "control groups");
    assert_eq!(host(), before, "the machine is as it was");
    let again = cleave.run(&["doctor", "--clean"]);
    assert_eq!(String::from_utf8_lossy(&again.stdout), "0 left over, all undone\n");
}

#[test]
#[ignore = "kills labs for as long as it is asked to"]
fn a_killed_lab_leaves_nothing_that_the_doctor_does_not_remove() {
    let kills: u64 = setting("LAB_KILLS").unwrap_or(2);
    let mut draws = Draws::new("leftovers");
    for number in 0..kills {
        killed(&mut draws, number % 2 == 1);
    }
}
