//! Prints lines of results on standard output and errors, with their causes, on standard error.
//!
//! A reader of a pipe that exits, `head` for example, ends the printing and nothing else: what a command ends with stays
//! its own. Every other failure of standard output is an error, since a result that is not there must not look like one.

use std::error::Error;
use std::fmt::Arguments;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI8, Ordering};

use model::format::printable_lines;

/// Exit code of a usage or scenario error.
pub const EXIT_USAGE: u8 = 2;
/// Exit code of a run that measured nothing.
pub const EXIT_INVALID: u8 = 3;
/// Exit code after an interrupt: 128 + SIGINT, as in shells.
pub const EXIT_INTERRUPTED: u8 = 130;

/// How much is printed beside results and errors: less than 0 nothing, 0 progress, more also where defaults come from.
static LEVEL: AtomicI8 = AtomicI8::new(0);

/// Sets how much is printed beside results and errors.
pub fn set_level(is_quiet: bool, is_verbose: bool) {
    LEVEL.store(i8::from(is_verbose) - i8::from(is_quiet), Ordering::Relaxed);
}

/// Whether no progress is asked for.
pub fn is_quiet() -> bool {
    LEVEL.load(Ordering::Relaxed) < 0
}

/// Prints progress on standard error, unless `--quiet` keeps it.
pub fn progress(line: Arguments<'_>) {
    if !is_quiet() {
        note(line);
    }
}

/// Prints what only `--verbose` asks for, on standard error.
pub fn detail(line: Arguments<'_>) {
    if LEVEL.load(Ordering::Relaxed) > 0 {
        note(line);
    }
}

/// Why standard output took no more, the first time.
static FAILURE: OnceLock<io::Error> = OnceLock::new();

/// Standard output. Keeps the first failure for the end of the program: see [`end`].
pub struct Stdout(io::Stdout);

/// Standard output, for a result that is written in pieces.
pub fn stdout() -> Stdout {
    Stdout(io::stdout())
}

impl Stdout {
    /// Whether it is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.0.is_terminal()
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).inspect_err(keep_failure)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().inspect_err(keep_failure)
    }
}

/// Keeps a failure of standard output for the end.
pub fn keep_failure(error: &io::Error) {
    if error.kind() != ErrorKind::Interrupted {
        // The first failure is the reason of those that follow.
        let _ = FAILURE
            .set(error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error));
    }
}

/// Prints a line of a result.
pub fn print_line(line: Arguments<'_>) {
    // A failure is kept for the end.
    let _ = writeln!(stdout(), "{}", printable_lines(&line.to_string()));
}

/// Prints a text as it is.
pub fn print_text(text: &str) {
    // A failure is kept for the end.
    let _ = stdout().write_all(text.as_bytes());
}

/// The end of a command: its own exit code, unless its result could not be printed.
pub fn end(code: ExitCode) -> ExitCode {
    // What was printed without a line's end is written now.
    let _ = stdout().flush();
    match FAILURE.get() {
        Some(failure) if failure.kind() != ErrorKind::BrokenPipe => {
            usage_error(&format!("standard output cannot be written: {failure}"))
        }
        _ => code,
    }
}

/// Prints a message on standard error. It may be closed: the message is lost then, and nothing else.
pub fn note(line: Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{}", printable_lines(&line.to_string()));
}

/// Prints a mistake on the command line or in a file: nothing was started.
pub fn usage_error(text: &str) -> ExitCode {
    note(format_args!("{text}"));
    ExitCode::from(EXIT_USAGE)
}

/// Prints an error with its causes.
pub fn error(error: &dyn Error) -> ExitCode {
    usage_error(&error_chain(error))
}

/// The exit code of a command that printed its result: a failure of standard output is reported at the end.
pub fn printed(result: io::Result<()>, code: u8) -> ExitCode {
    match result {
        Err(failure) if FAILURE.get().is_none() && failure.kind() != ErrorKind::BrokenPipe => error(&failure),
        _ => ExitCode::from(code),
    }
}

/// An error and its causes, each once.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text_of_cause = error.to_string();
        if !text.contains(&text_of_cause) {
            text += &format!("\n  because: {text_of_cause}");
        }
        cause = error.source();
    }
    text
}
