//! The run as one JSON document on standard output.

use std::io::{self, Write};
use std::path::Path;

use model::Run;
use record::Line;
pub use report::document::SCHEMA_VERSION;

/// Prints the document of a run that lies in `folder`.
///
/// # Errors
/// When standard output is gone, or the record has no header.
pub fn print(out: &mut impl Write, folder: &Path, lines: &[Line]) -> io::Result<()> {
    let run = Run::of(lines).map_err(io::Error::other)?;
    writeln!(out, "{}", text(&run, folder)?)
}

/// The document as text.
///
/// # Errors
/// When there is no current folder to tell a relative one from.
pub fn text(run: &Run, folder: &Path) -> io::Result<String> {
    // The document is read elsewhere than where it was asked for.
    let folder = std::path::absolute(folder)?.to_string_lossy().into_owned();
    Ok(serde_json::to_string_pretty(&report::document::document(run, Some(folder)))?)
}
