//! What happens outside a run changes nothing of it: its terminal closes, its reader leaves, its program is replaced, and
//! the leftovers of dead runs are cleaned up.

use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use record::{Entry, Header, Line, Reader};

use crate::cleave::{Cleave, Started, alone_with_doctor, starves, wait_for};

/// A process that is paused, and then killed and started again.
const SCENARIO: &str = r#"schema = 1
name   = "disturbed"
title  = "A pause and a restart"
why    = "Neither may be changed from outside"
phases = [{ name = "steady", for = "11s" }]

[load]
rate    = "30/s"
size    = "tiny"
timeout = "10s"

[topology.mono]
processes = { app = ["gateway", "*"] }
restart   = { after = "200ms" }

[[step]]
id  = "still"
in  = "steady"
at  = "+1s"
for = "3s"
do  = "pause"
on  = "profile"

[[step]]
id = "dead"
in = "steady"
at = "+6s"
do = "kill"
on = "profile"

[expect]
check = ["errors(all) < 100%"]
"#;

fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
}

/// Between a process that goes on and the line that its step has ended.
const MOMENT_US: i64 = 500_000;

/// When the record has it that the pause ended, microseconds since 1970.
fn pause_ended_us(lines: &[Line]) -> i64 {
    let header: Option<&Header> = lines.iter().find_map(|line| match &line.entry {
        Entry::Header(header) => Some(&**header),
        _ => None,
    });
    let ended = |line: &&Line| matches!(&line.entry, Entry::Event(event) if event.active == Some(false));
    let line = lines.iter().find(ended).expect("its step ends");
    header.expect("its first line").wall_us + i64::try_from(line.t / 1_000).expect("a short run")
}

#[test]
fn a_run_is_what_it_is_whatever_happens_outside() {
    let cleave = Cleave::small();
    std::fs::write(cleave.folder().join("disturbed.toml"), SCENARIO).expect("a folder of ours");
    // By another process: a file that this one had open for writing could not be started.
    let copied =
        Command::new("cp").args([env!("CARGO_BIN_EXE_cleave"), "cl"]).current_dir(cleave.folder()).status();
    assert!(copied.expect("cp is everywhere").success());
    // Its terminal may close, as with nohup, and nothing reads what it prints.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let started = Command::new("sh")
        .args(["-c", "trap '' HUP; exec ./cl run disturbed.toml --no-tui"])
        .current_dir(cleave.folder())
        .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT")
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::null())
        .spawn();
    let run = Started(started.expect("a shell is everywhere"));
    let paused = wait_for("a paused process", || cleave.processes().into_iter().find(|pid| is_stopped(*pid)));

    let alone = alone_with_doctor();
    let clean = cleave.run(&["doctor", "--clean"]);
    let (is_paused, looked_us) = (is_stopped(paused), runtime::clock::wall_us());
    drop(alone);
    let printed = String::from_utf8_lossy(&clean.stdout).into_owned();
    assert!(clean.status.success(), "{printed}");
    assert!(
        printed.contains(": in progress, left alone\n") && printed.ends_with("\n0 left over, all undone\n"),
        "{printed}"
    );

    // As a build does it: another file takes the name.
    std::fs::write(cleave.folder().join("other"), "#!/bin/sh\nexit 7\n").expect("a folder of ours");
    std::fs::rename(cleave.folder().join("other"), cleave.folder().join("cl")).expect("a folder of ours");
    run.signal(Signal::SIGHUP);

    let (code, _) = run.rest();
    let record = Reader::open(&cleave.record().expect("a record")).expect("a readable record");
    let lines: Vec<Line> = record.collect::<Result<_, _>>().expect("a readable record");
    let Some(Entry::End(end)) = lines.last().map(|line| &line.entry) else { panic!("the run ended early") };
    assert_eq!(code, Some(i32::from(end.exit_code)), "its own exit code: {:?}", end.lints);
    assert!(end.verdict.is_some(), "no signal interrupted it");
    // On a busy machine the step may be over before the doctor is.
    let ended_us = pause_ended_us(&lines);
    assert!(is_paused || ended_us <= looked_us + MOMENT_US, "the pause goes on: {ended_us} {looked_us}");
    let events: Vec<&str> = lines
        .iter()
        .filter_map(|line| match &line.entry {
            Entry::Event(event) => Some(event.text.as_str()),
            _ => None,
        })
        .collect();
    let is_starved = end.lints.iter().any(|lint| starves(&lint.name));
    assert!(
        events.iter().any(|text| text.contains("down -> up")) || is_starved,
        "the same program serves again: {events:#?}"
    );
    assert!(!events.iter().any(|text| text.contains("did not come back")), "{events:#?}");
}
