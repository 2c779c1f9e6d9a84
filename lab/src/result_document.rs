//! The run as one JSON document on standard output.

use std::io::{self, Write};
use std::path::Path;

use model::Run;
pub use report::document::SCHEMA_VERSION;

/// Prints the document of the run in `folder`.
///
/// # Errors
/// When standard output is closed.
pub fn print(out: &mut impl Write, folder: &Path, run: &Run) -> io::Result<()> {
    writeln!(out, "{}", text(run, folder)?)
}

/// The document as text.
///
/// # Errors
/// When `folder` is relative and there is no current folder.
pub fn text(run: &Run, folder: &Path) -> io::Result<String> {
    // Absolute: the document may be read from another folder.
    let folder = std::path::absolute(folder)?.to_string_lossy().into_owned();
    Ok(serde_json::to_string_pretty(&report::document::document(run, Some(folder)))?)
}
