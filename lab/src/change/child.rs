//! Programs that a change is built with: when the lab dies, by whatever signal, they do.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// A command that is killed when the thread that starts it ends, or the lab with it: what cargo has not begun to compile
/// then is not compiled, and the next run does not find it at work in the same folder.
pub(super) fn command(program: impl AsRef<OsStr>) -> Command {
    // setpriv(1), of util-linux.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program).stdin(Stdio::null());
    command
}

/// Why it was not started.
pub(super) fn not_started(error: &std::io::Error) -> String {
    format!(
        "`setpriv` cannot be started: {error}; it keeps a build from outliving the lab: install util-linux"
    )
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_child_dies_with_the_thread_that_started_it() {
        let start = || {
            let script = "echo ready; exec sleep 600";
            let started = command("sh").args(["-c", script]).stdout(Stdio::piped()).spawn();
            let mut child = started.expect("setpriv is there");
            let mut line = String::new();
            let output = child.stdout.take().expect("piped");
            BufReader::new(output).read_line(&mut line).expect("it writes");
            assert_eq!(line, "ready\n");
            child
        };
        let mut child = std::thread::spawn(start).join().expect("it started one");
        assert_eq!(child.wait().expect("ours").signal(), Some(9));
    }
}
