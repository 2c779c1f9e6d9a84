//! What is printed and cannot be: a full disk is an error, a reader that has left is not.

use std::fs::File;
use std::process::{Command, Output, Stdio};

use crate::cleave::{Cleave, alone_with_doctor};

/// The workspace of this program.
const OWN_MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");

/// Commands that need no run.
const COMMANDS: [&[&str]; 11] = [
    &["list"],
    &["explain", "first-look"],
    &["schema"],
    &["schema", "document"],
    &["schema", "structure"],
    &["structure", "--commits", "0", "--manifest", OWN_MANIFEST],
    &["doctor", "--clean"],
    &["runs"],
    &["completions", "bash"],
    &["--help"],
    &["--version"],
];

/// A command that may print nothing.
#[track_caller]
pub fn to_a_full_disk(mut command: Command) {
    let full = File::options().write(true).open("/dev/full").expect("Linux");
    let output = command.stdout(full).stderr(Stdio::piped()).output().expect("the program starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{command:?}: {text}");
    assert!(
        text.ends_with("standard output cannot be written: No space left on device (os error 28)\n"),
        "{text}"
    );
}

/// A command whose reader has left: its output.
pub fn without_a_reader(mut command: Command) -> Output {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    command.stdout(writer).stderr(Stdio::piped()).output().expect("the program starts")
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let cleave = Cleave::shared();
    let _alone = alone_with_doctor();
    for arguments in COMMANDS {
        to_a_full_disk(cleave.command(arguments));
    }
}

#[test]
fn a_reader_that_has_left_is_no_error() {
    let cleave = Cleave::shared();
    let _alone = alone_with_doctor();
    for arguments in COMMANDS {
        let output = without_a_reader(cleave.command(arguments));
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*text), (Some(0), ""), "{arguments:?}");
    }
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = cleave.command(&["explain", "no-such"]).stderr(writer).status().expect("the program starts");
    assert_eq!(status.code(), Some(2), "an error without a reader is the same error");
}
