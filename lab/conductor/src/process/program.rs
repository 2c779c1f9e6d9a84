//! The program that began a run, as its children are started from it: not what lies at its path by then.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// The kernel's link to the program of the process that follows it (proc(5)): it outlives the file's name.
const RUNNING_PROGRAM: &str = "/proc/self/exe";

/// A program that children are started from.
#[derive(Clone, Debug)]
pub struct Program {
    executable: PathBuf,
    /// The first word of a child's command line.
    name: PathBuf,
}

impl Program {
    /// The program of this process. Another file at its path, as a build leaves, or none at all makes no difference.
    ///
    /// # Errors
    /// When the kernel does not give its path.
    pub fn running() -> io::Result<Self> {
        Ok(Self { executable: RUNNING_PROGRAM.into(), name: std::env::current_exe()? })
    }

    /// A command that starts it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        command.arg0(&self.name);
        command
    }
}

/// What lies at a path.
impl From<PathBuf> for Program {
    fn from(path: PathBuf) -> Self {
        Self { executable: path.clone(), name: path }
    }
}

impl From<&str> for Program {
    fn from(path: &str) -> Self {
        PathBuf::from(path).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_was_replaced_is_started_all_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("program");
        // A shell that replaces itself by another file, and then follows the link to what runs.
        // By another process: a file that this one had open could not be started while a child of a test has it, too.
        let copied = Command::new("cp").arg("/bin/sh").arg(&path).status().expect("cp is everywhere");
        assert!(copied.success());
        let script =
            "rm \"$0\"; echo '#!/bin/false' > \"$0\"; chmod +x \"$0\"; exec /proc/self/exe -c 'echo same'";
        let output = Command::new(&path).arg("-c").arg(script).arg(&path).output().expect("it starts");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "same\n");
        let running = Program::running().expect("Linux");
        assert_eq!(running.executable, PathBuf::from(RUNNING_PROGRAM));
        assert_eq!(running.name, std::env::current_exe().expect("Linux"), "as process lists have it");
    }
}
