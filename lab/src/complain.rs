//! Words for the person at the keyboard: results, and errors, whose chain is printed once, here.

use std::error::Error;
use std::fmt::Arguments;
use std::io::Write;
use std::process::ExitCode;

/// Usage or scenario error.
pub const EXIT_USAGE: u8 = 2;

/// A line of a result. Whoever reads it may have gone, `head` for one: then nothing is left to be said.
pub fn say(line: Arguments<'_>) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// A mistake on the command line or in a file: nothing was started.
pub fn usage(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::from(EXIT_USAGE)
}

/// An error with its causes.
pub fn error(error: &dyn Error) -> ExitCode {
    eprintln!("{}", chain(error));
    ExitCode::from(EXIT_USAGE)
}

/// An error and its causes, each once.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text += &format!("\n  because: {said}");
        }
        cause = error.source();
    }
    text
}
