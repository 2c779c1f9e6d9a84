//! Wrong input: one clear message each, exit 2, nothing started, nothing left.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use crate::cleave::{Cleave, scenario};

const BROKEN: &str = include_str!("scenarios/broken.toml");

/// Runs the program and returns its error output.
#[track_caller]
fn error_output(cleave: &Cleave, arguments: &[&str]) -> String {
    error_output_of(cleave, cleave.command(arguments))
}

#[track_caller]
fn error_output_of(cleave: &Cleave, mut command: Command) -> String {
    let output = command.output().expect("the program starts");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(output.stdout.is_empty(), "results go to stdout, errors do not");
    assert!(cleave.processes().is_empty(), "something was started");
    text
}

#[track_caller]
fn contains_all(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no `{word}` in\n{text}");
    }
}

#[test]
fn an_unknown_scenario_is_answered_with_the_near_one() {
    let cleave = Cleave::shared();
    let text = error_output(&cleave, &["run", "first-lok"]);
    contains_all(&text, &["unknown scenario `first-lok`", "did you mean `first-look`?", "hop-tax"]);
    assert!(!cleave.has_runs(), "a run folder was made");
}

#[test]
fn a_scenario_that_is_no_toml_is_shown_where() {
    let cleave = Cleave::shared();
    std::fs::write(cleave.folder().join("torn.toml"), "schema = 1\nname = \"torn\nseed = 3\n").expect("ours");
    let text = error_output(&cleave, &["run", "torn.toml"]);
    contains_all(&text, &["torn.toml:2:"]);
}

#[test]
fn all_mistakes_of_a_scenario_are_reported_in_one_pass() {
    let cleave = Cleave::shared();
    std::fs::write(cleave.folder().join("broken.toml"), BROKEN).expect("ours");
    let text = error_output(&cleave, &["run", "broken.toml"]);
    contains_all(
        &text,
        &[
            "broken.toml:10:",
            "unknown key `rat`",
            "did you mean `rate`?",
            "broken.toml:11:",
            "did you mean `tiny`?",
            "unknown component `fed`",
            "did you mean `feed`?",
            "broken.toml:22:",
        ],
    );
}

#[test]
fn an_impossible_rate_is_refused() {
    let cleave = Cleave::shared();
    let right = BROKEN.replace("rat   ", "rate  ").replace("tin\"", "tiny\"").replace("\"fed\"", "\"feed\"");
    let right = right.replace("goodputt", "goodput");
    for (rate, reason) in [("0/s", "0"), ("-3/s", "-3"), ("9000000/s", "9000000"), ("fast", "fast")] {
        let text = right.replace("40/s", rate);
        std::fs::write(cleave.folder().join("rate.toml"), text).expect("ours");
        let text = error_output(&cleave, &["explain", "rate.toml"]);
        contains_all(&text, &["rate.toml:10:", reason]);
    }
    std::fs::write(cleave.folder().join("right.toml"), right).expect("ours");
    assert!(cleave.run(&["explain", "right.toml"]).status.success(), "the rest of it is right");
}

#[test]
fn an_unknown_arm_is_answered_with_the_choices() {
    let cleave = Cleave::shared();
    let text = error_output(&cleave, &["run", "first-look", "--arms", "mono,mikro"]);
    contains_all(&text, &["mikro", "micro"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let cleave = Cleave::shared();
    std::fs::write(cleave.folder().join("file"), "in the way").expect("ours");
    let text = error_output(&cleave, &["run", "first-look", "--out", "file/runs"]);
    contains_all(&text, &["file/runs", "--out"]);
    // Also for root, whom permissions do not stop.
    let text = error_output(&cleave, &["run", "first-look", "--out", "/proc/runs"]);
    contains_all(&text, &["/proc/runs", "--out"]);
}

#[test]
fn a_taken_port_is_named() {
    let cleave = Cleave::shared();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = taken.local_addr().expect("bound").to_string();
    let text = error_output(&cleave, &["node", "--hosts", "profile", "--listen", &addr]);
    contains_all(&text, &[&addr, "is another program using the port?"]);
    let text = error_output(&cleave, &["up", "mono", "--size", "tiny", "--public", &addr]);
    contains_all(&text, &[&addr, "is another program using the port?"]);
}

#[test]
fn a_name_that_is_not_utf8_is_an_error_of_one_sentence() {
    let cleave = Cleave::shared();
    let latin = OsStr::from_bytes(b"r/\xff");
    for arguments in [
        &["run", "first-look", "--out"][..],
        &["run", "--all", "--out"],
        &["noise", "first-look", "--out"],
        &["up", "mono", "--out"],
        &["report", "last", "--to"],
        &["explain"],
    ] {
        let mut command = cleave.command(arguments);
        command.arg(latin);
        let text = error_output_of(&cleave, command);
        assert_eq!(
            text,
            format!(
                "argument {}, `r/\u{fffd}`, is not UTF-8: expected names and paths in UTF-8\n",
                arguments.len() + 1
            )
        );
    }
    let folder = cleave.folder().join(OsStr::from_bytes(b"\xff"));
    std::fs::create_dir(&folder).expect("a folder of ours");
    for arguments in [&["run", &scenario("quick-look"), "--no-tui"][..], &["up", "mono", "--size", "tiny"]] {
        let mut command = cleave.command(arguments);
        command.current_dir(&folder);
        contains_all(&error_output_of(&cleave, command), &["is not UTF-8; choose another folder with --out"]);
    }
}

#[test]
fn a_collector_that_no_span_can_be_sent_to_is_refused() {
    let cleave = Cleave::shared();
    for (endpoint, reason) in [
        ("not-a-url", "begins with http://"),
        ("localhost:4317", "begins with http://"),
        ("https://localhost:4317", "TLS is not supported"),
        ("http://localhost:99999", "port"),
    ] {
        for arguments in [
            &["run", &scenario("quick-look"), "--no-tui"][..],
            &["up", "mono", "--size", "tiny"],
            &["node", "--hosts", "profile", "--listen", "127.0.0.1:0"],
        ] {
            let mut command = cleave.command(arguments);
            command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
            let text = error_output_of(&cleave, command);
            contains_all(
                &text,
                &["invalid OTEL_EXPORTER_OTLP_ENDPOINT", endpoint, reason, "http://127.0.0.1:4317"],
            );
        }
    }
    assert!(!cleave.has_runs(), "a run folder was made");
}

#[test]
fn a_server_that_cannot_be_used_is_refused_and_its_password_shown_nowhere() {
    let cleave = Cleave::shared();
    for (option, variable, url) in [
        ("--postgres", "CLEAVE_POSTGRES_URL", "postgresql://:s3cret@127.0.0.1/app"),
        ("--nats", "CLEAVE_NATS_URL", "nats://ada:s3cret@127.0.0.1"),
    ] {
        for arguments in
            [&["run", &scenario("quick-look"), "--no-tui"][..], &["up", "mono", "--size", "tiny"]]
        {
            let mut command = cleave.command(arguments);
            command.env(variable, url);
            let text = error_output_of(&cleave, command);
            assert!(text.contains(&format!("{option}: ")) && !text.contains("s3cret"), "{text}");
            let text = error_output(&cleave, &[arguments, &[option, url][..]].concat());
            assert!(text.contains(&format!("{option}: ")) && !text.contains("s3cret"), "{text}");
        }
        let mut verbose = cleave.command(&["list", "--verbose"]);
        verbose.env(variable, url).env("CLEAVE_NATS_CREDENTIALS", "s3cret");
        verbose.env("CLEAVE_POSTGRES_PASSWORD", "s3cret");
        let printed = verbose.output().expect("the program starts");
        let printed = [printed.stdout, printed.stderr].concat();
        let printed = String::from_utf8_lossy(&printed);
        assert!(printed.contains(variable) && !printed.contains("s3cret"), "{printed}");
    }
    assert!(!cleave.has_runs(), "a run folder was made");
}

#[test]
fn a_variable_of_another_program_may_be_no_utf_8() {
    let cleave = Cleave::small();
    for verbosity in ["--quiet", "--verbose"] {
        let mut command = cleave.command(&["schema", "record", verbosity]);
        let output = command.env("NAME", OsStr::from_bytes(b"Jos\xe9")).output().expect("the program starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
