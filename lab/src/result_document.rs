//! The run as one JSON document on standard output.

use std::io::{self, Write};
use std::path::Path;

use model::Run;
use record::Line;
pub use report::document::SCHEMA_VERSION;

/// Prints the document of the run in `folder`.
///
/// # Errors
/// When standard output is closed, or the record has no header.
pub fn print(out: &mut impl Write, folder: &Path, lines: &[Line]) -> io::Result<()> {
    let run = Run::of(lines).map_err(io::Error::other)?;
    writeln!(out, "{}", text(&run, folder)?)
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
