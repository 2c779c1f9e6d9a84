//! A killed lab leaves nothing stopped, limited, listening or running, whatever fault was in force.

use nix::sys::signal::Signal;

use crate::cleave::{Cleave, wait_for};

/// A run with one fault that lasts, from its second on.
fn scenario(step: &str) -> String {
    format!(
        r#"schema = 1
name   = "left"
title  = "A fault in force"
why    = "Nothing may outlive the lab"
phases = [{{ name = "steady", for = "30s" }}]

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
for = "25s"
{step}
"#
    )
}

fn is_in_force(cleave: &Cleave) -> bool {
    let Some(path) = cleave.record() else { return false };
    let lines = record::Reader::read_all(&path).unwrap_or_default();
    lines.iter().any(|line| matches!(&line.entry, record::Entry::Event(event) if event.active == Some(true)))
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
    for step in steps {
        let cleave = Cleave::new();
        let file = cleave.folder().join("left.toml");
        std::fs::write(&file, scenario(step)).expect("a folder of ours");
        let mut lab = cleave.start(&["run", "left.toml", "--no-tui"]);
        wait_for(&format!("`{step}` in force"), || is_in_force(&cleave).then_some(()));
        let (_, header) = cleave.in_mid_run();
        lab.signal(Signal::SIGKILL);
        lab.0.wait().expect("it is dead");
        cleave.nothing_is_left(&header);
        let groups = || {
            let all = std::fs::read_dir("/sys/fs/cgroup/cpu").into_iter().flatten().flatten();
            all.filter(|entry| entry.file_name().to_string_lossy().contains(&header.run_id)).count()
        };
        wait_for("control groups to go", || (groups() == 0).then_some(()));
        let clean = cleave.run(&["doctor", "--clean"]);
        assert!(clean.status.success(), "{step}: {}", String::from_utf8_lossy(&clean.stderr));
    }
}
