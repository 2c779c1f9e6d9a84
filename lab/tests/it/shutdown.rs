//! However a run ends, nothing is left of it.

use nix::sys::signal::Signal;
use record::{Entry, Line};

use crate::cleave::{Cleave, lines_of, scenario, wait_for};
use crate::places::side_by_side;

/// `quick-look` with so short a steady phase that its processes are not looked at while they are at rest.
fn quick_look(cleave: &Cleave) -> &'static str {
    let text = std::fs::read_to_string(scenario("quick-look")).expect("ours");
    let short = text.replace("for = \"10s\"", "for = \"5s\"");
    assert_ne!(short, text, "its steady phase is of another length");
    std::fs::write(cleave.folder().join("quick-look.toml"), short).expect("a folder of ours");
    "quick-look.toml"
}

#[test]
fn a_killed_run_takes_its_children_along() {
    let cleave = Cleave::shared();
    let run = cleave.start(&["run", quick_look(&cleave), "--no-tui"]);
    let (_, header) = cleave.in_mid_run();
    assert!(cleave.processes().len() >= 9, "eight nodes and the generator: {:?}", cleave.processes());
    let watch = cleave.start(&["watch", "last"]);
    run.signal(Signal::SIGKILL);
    run.rest();
    cleave.nothing_is_left(&header);
    let (code, text) = watch.rest();
    assert!(code == Some(3) && text.contains("PHASE  warm"), "it was watched to its end: {code:?} {text}");
    // Nor did this one write anything.
    let empty = cleave.folder().join("runs/20000101-000000-none");
    std::fs::create_dir(&empty).expect("a folder of ours");
    std::fs::write(empty.join("run.jsonl"), "").expect("a folder of ours");
    for run in ["last", "none"] {
        let watched = cleave.run(&["watch", run]);
        let text = String::from_utf8_lossy(&watched.stderr);
        assert_eq!(watched.status.code(), Some(3), "{text}");
        assert!(
            text.contains("the program of this run is gone") && text.contains("cleave record check"),
            "{text}"
        );
    }
}

#[test]
fn a_killed_run_leaves_no_paused_process() {
    let cleave = Cleave::shared();
    // Paused for longer than this test may be kept from looking.
    let text = std::fs::read_to_string(scenario("stall")).expect("ours");
    let long = text.replace("for = \"1s\"", "for = \"6s\"");
    assert_ne!(long, text, "its pause is of another length");
    std::fs::write(cleave.folder().join("stall.toml"), long).expect("a folder of ours");
    let run = cleave.start(&["run", "stall.toml", "--no-tui"]);
    let (_, header) = cleave.in_mid_run();
    wait_for("a stopped process", || {
        let stopped = |pid: &u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
        };
        cleave.processes().iter().any(stopped).then_some(())
    });
    run.signal(Signal::SIGKILL);
    run.rest();
    cleave.nothing_is_left(&header);
}

#[test]
fn rounds_that_are_interrupted_before_the_first_end_as_any_run_does() {
    let cleave = Cleave::shared();
    let run = cleave.start(&["run", quick_look(&cleave), "--rounds", "2", "--no-tui"]);
    // Its data are being laid, which comes before the first look for an interrupt.
    wait_for("the record", || cleave.record());
    run.signal(Signal::SIGINT);
    let (code, text) = run.rest();
    assert_eq!(code, Some(130), "{text}");
    wait_for("the end of every child", || cleave.processes().is_empty().then_some(()));
}

/// Ctrl-C, a service manager's stop, a terminal that was closed: all the same.
fn ends_in_order(signal: Signal) {
    let cleave = Cleave::shared();
    let run = cleave.start_in_terminal(&["run", quick_look(&cleave), "--no-tui"]);
    let (record, header) = cleave.in_mid_run();
    run.signal(signal);
    let (code, text) = run.rest();
    assert_eq!(code, Some(130));
    assert!(text.contains("record: "), "the path of the record is printed");
    cleave.nothing_is_left(&header);
    let lines = lines_of(&record).expect("a readable record");
    assert!(matches!(lines[lines.len() - 1].entry, Entry::End(_)), "the record has its end");
}

#[test]
fn each_signal_that_asks_to_stop_ends_a_run_in_order() {
    side_by_side([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP], ends_in_order);
}

#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    let cleave = Cleave::shared();
    let run = cleave.start(&["run", quick_look(&cleave), "--no-tui"]);
    let (record, header) = cleave.in_mid_run();
    run.signal(Signal::SIGINT);
    // Two signals that wait for one thread would be one.
    wait_for("the first to be received", || {
        let lines = lines_of(&record).ok()?;
        let received =
            |line: &Line| matches!(&line.entry, Entry::Event(event) if event.text.starts_with("interrupted"));
        lines.iter().any(received).then_some(())
    });
    run.signal(Signal::SIGINT);
    let (code, _) = run.rest();
    assert_eq!(code, Some(130));
    cleave.nothing_is_left(&header);
}

#[test]
fn ctrl_c_before_the_load_begins_ends_it_as_well() {
    let cleave = Cleave::shared();
    let run = cleave.start(&["run", quick_look(&cleave), "--no-tui"]);
    wait_for("the first child", || (!cleave.processes().is_empty()).then_some(()));
    run.signal(Signal::SIGINT);
    let (code, _) = run.rest();
    assert_eq!(code, Some(130));
    wait_for("the end of every child", || cleave.processes().is_empty().then_some(()));
}
