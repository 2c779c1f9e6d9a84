//! A killed lab leaves nothing stopped, limited, listening or running, whatever fault was in force.

use nix::sys::signal::Signal;

use crate::cleave::{Cleave, Started, alone_with_doctor, lines_of, wait_for};
use crate::places::side_by_side;

/// A run with one fault that lasts, from its second on. It is too short for a look at its processes while they are at rest, and
/// longer than a test lets it live.
fn scenario(step: &str) -> String {
    format!(
        r#"schema = 1
name   = "left"
title  = "A fault in force"
why    = "Nothing may outlive the lab"
phases = [{{ name = "steady", for = "14s" }}]

[load]
rate = "30/s"
size = "tiny"

[topology.pairs]
processes = {{ people = ["profile", "follower"], rest = ["*"] }}
zones     = {{ a = ["people"], b = ["rest"] }}

[[step]]
id  = "fault"
in  = "steady"
at  = "+1s"
for = "12s"
{step}
"#
    )
}

fn is_in_force(cleave: &Cleave) -> bool {
    let Some(path) = cleave.record() else { return false };
    let lines = lines_of(&path).unwrap_or_default();
    lines.iter().any(|line| matches!(&line.entry, record::Entry::Event(event) if event.active == Some(true)))
}

/// Control groups of a run that are still there.
pub fn groups(header: &record::Header) -> usize {
    let folders = ["/sys/fs/cgroup", "/sys/fs/cgroup/cpu"].map(std::fs::read_dir);
    let entries = folders.into_iter().flatten().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().contains(&header.run_id)).count()
}

/// Files in which runs list their processes for Prometheus.
fn target_files(cleave: &Cleave) -> usize {
    std::fs::read_dir(cleave.folder().join("runs/.targets")).map_or(0, |files| files.flatten().count())
}

/// A run of one fault, at the moment it is in force.
fn in_force(cleave: &Cleave, step: &str) -> (Started, record::Header) {
    let file = cleave.folder().join("left.toml");
    std::fs::write(&file, scenario(step)).expect("a folder of ours");
    let lab = cleave.start(&["run", "left.toml", "--no-tui"]);
    wait_for(&format!("`{step}` in force"), || is_in_force(cleave).then_some(()));
    let (_, header) = cleave.in_mid_run();
    (lab, header)
}

/// Whether a quota is in force by a control group, once the step has come to that; false where this machine makes none. A step
/// has begun before what it does is written to the disk.
fn is_limited(cleave: &Cleave, header: &record::Header) -> bool {
    let is_reason = |line: &record::Line| match &line.entry {
        record::Entry::Event(event) => event.text.contains("no control group of CPU"),
        _ => false,
    };
    wait_for("the quota, or why there is none", || {
        let lines = lines_of(&cleave.record()?).ok()?;
        let is_left_out = lines.iter().any(is_reason);
        (groups(header) > 0 || is_left_out).then_some(!is_left_out)
    })
}

#[test]
fn a_killed_lab_leaves_nothing_of_any_fault() {
    let steps = [
        "do = \"pause\"\non = \"people\"",
        "do = \"memory\"\non = \"people\"\nlimit = \"400MiB\"",
        "do = \"fds\"\non = \"people\"\nlimit = 40",
        "do = \"delay\"\non = \"feed->profile\"\nby = \"50ms\"",
        "do = \"partition\"\nfrom = \"zone:b\"\nto = \"zone:a\"",
        "do = \"cpu-quota\"\non = \"people\"\nquota = \"20%\"",
        "do = \"bandwidth\"\non = \"feed->profile\"\nrate = \"20KiB\"",
    ];
    side_by_side(steps, |step| {
        let cleave = Cleave::shared();
        let (mut lab, header) = in_force(&cleave, step);
        lab.signal(Signal::SIGKILL);
        lab.0.wait().expect("it is dead");
        cleave.nothing_is_left(&header);
        wait_for("control groups to go", || (groups(&header) == 0).then_some(()));
        wait_for("the list for Prometheus to go", || (target_files(&cleave) == 0).then_some(()));
        let _alone = alone_with_doctor();
        let clean = cleave.run(&["doctor", "--clean"]);
        assert!(clean.status.success(), "{step}: {}", String::from_utf8_lossy(&clean.stderr));
    });
}

#[test]
fn what_a_killed_guardian_leaves_the_doctor_cleans() {
    let cleave = Cleave::shared();
    let _alone = alone_with_doctor();
    let (mut lab, header) = in_force(&cleave, "do = \"cpu-quota\"\non = \"people\"\nquota = \"20%\"");
    let limited = is_limited(&cleave, &header);
    // The lab is stopped first, or it would notice and end in order.
    lab.signal(Signal::SIGSTOP);
    cleave.kill_guardian();
    lab.signal(Signal::SIGKILL);
    lab.0.wait().expect("it is dead");
    cleave.nothing_is_left(&header);
    assert_eq!(groups(&header) > 0, limited, "nothing has been cleaned up yet");
    assert_eq!(target_files(&cleave), 1, "nor has the list of its processes");
    let clean = cleave.run(&["doctor", "--clean"]);
    let printed = String::from_utf8_lossy(&clean.stdout).into_owned();
    let reverted = format!(": {} reverted", 1 + usize::from(limited));
    assert!(clean.status.success() && printed.contains(&reverted), "{printed}");
    assert_eq!((groups(&header), target_files(&cleave)), (0, 0), "the limit, and the list of its processes");
    let again = cleave.run(&["doctor", "--clean"]);
    assert_eq!(String::from_utf8_lossy(&again.stdout), "0 left over, all undone\n", "once is enough");
}

#[test]
fn the_doctor_finds_control_groups_whose_journal_is_gone() {
    let cleave = Cleave::shared();
    let _alone = alone_with_doctor();
    let (mut lab, header) = in_force(&cleave, "do = \"cpu-quota\"\non = \"people\"\nquota = \"20%\"");
    let limited = is_limited(&cleave, &header);
    lab.signal(Signal::SIGSTOP);
    let live = cleave.run(&["doctor", "--clean", "--out", "elsewhere"]);
    assert!(live.status.success());
    assert_eq!(groups(&header) > 0, limited, "the run is there");
    cleave.kill_guardian();
    lab.signal(Signal::SIGKILL);
    lab.0.wait().expect("it is dead");
    cleave.nothing_is_left(&header);
    let clean = || cleave.run(&["doctor", "--clean", "--out", "elsewhere"]);
    wait_for("control groups to go", || (clean().status.success() && groups(&header) == 0).then_some(()));
}

#[test]
fn a_journal_that_cannot_be_read_keeps_the_doctor_from_no_other() {
    let cleave = Cleave::small();
    let runs = cleave.folder().join("runs");
    std::fs::create_dir(runs.join(".targets")).expect("a folder of ours");
    let lists = ["one", "three"].map(|run| {
        let (folder, list) = (runs.join(run), runs.join(format!(".targets/{run}.json")));
        std::fs::create_dir(&folder).expect("a folder of ours");
        std::fs::write(&list, "[]").expect("a folder of ours");
        let undo = serde_json::json!({ "undo": { "id": 1, "undo": { "file": list } } });
        std::fs::write(folder.join("undo.jsonl"), format!("{undo}\n")).expect("a folder of ours");
        list
    });
    // What stands where a journal should be cannot be read.
    std::fs::create_dir_all(runs.join("two/undo.jsonl")).expect("a folder of ours");
    let _alone = alone_with_doctor();
    let clean = cleave.run(&["doctor", "--clean"]);
    let printed = String::from_utf8_lossy(&clean.stdout).into_owned();
    assert_eq!(clean.status.code(), Some(1), "{printed}");
    assert!(printed.contains("two/undo.jsonl: cannot be reverted: "), "{printed}");
    assert!(printed.ends_with(", 1 could not be undone\n"), "{printed}");
    assert!(lists.iter().all(|list| !list.exists()), "the others are reverted: {printed}");
}
