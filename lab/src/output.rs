//! Prints lines of results on standard output and errors, with their causes, on standard error.

use std::error::Error;
use std::fmt::Arguments;
use std::io::Write;
use std::process::ExitCode;

use model::format::printable_lines;

/// Exit code of a usage or scenario error.
pub const EXIT_USAGE: u8 = 2;
/// Exit code after an interrupt: 128 + SIGINT, as in shells.
pub const EXIT_INTERRUPTED: u8 = 130;

/// Prints a line of a result. The reader of a pipe may have exited, `head` for example; the line is lost then.
pub fn print_line(line: Arguments<'_>) {
    let _ = writeln!(std::io::stdout().lock(), "{}", printable_lines(&line.to_string()));
}

/// Prints a mistake on the command line or in a file: nothing was started.
pub fn usage_error(text: &str) -> ExitCode {
    eprintln!("{}", printable_lines(text));
    ExitCode::from(EXIT_USAGE)
}

/// Prints an error with its causes.
pub fn error(error: &dyn Error) -> ExitCode {
    eprintln!("{}", printable_lines(&error_chain(error)));
    ExitCode::from(EXIT_USAGE)
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
