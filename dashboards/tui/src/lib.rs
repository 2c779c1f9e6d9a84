//! The terminal dashboard: pure views of the run record.
#![allow(missing_docs, reason = "being written")]
use std::io::{self, Write};
pub mod plain { use std::io::Write; pub struct Printer<W>(W); impl<W: Write> Printer<W> { pub fn new(w: W) -> Self { Self(w) } pub fn line(&mut self, l: &record::Line) -> std::io::Result<()> { match &l.entry { record::Entry::Event(_)|record::Entry::Phase(_)|record::Entry::Check(_)|record::Entry::Audit(_)|record::Entry::End(_)|record::Entry::Cost(_) => writeln!(self.0, "{}", serde_json::to_string(l).unwrap_or_default()), _ => Ok(()) } } } }
pub mod card { pub fn print(out: &mut impl std::io::Write, lines: &[record::Line], _w: u16, _c: bool) -> std::io::Result<()> { for l in lines { if matches!(l.entry, record::Entry::Check(_)|record::Entry::Score(_)|record::Entry::End(_)|record::Entry::Audit(_)) { writeln!(out, "{}", serde_json::to_string(l).unwrap_or_default())?; } } Ok(()) } }
#[derive(Default)] pub struct Theme; pub struct Options { pub ascii: bool, pub theme: Theme, pub no_color: bool } pub enum Quit { Asked, Interrupt, AtOnce }
pub fn run(_: Options, l: std::sync::mpsc::Receiver<std::sync::Arc<record::Line>>, _q: impl FnMut(Quit)) -> io::Result<()> { let mut p = plain::Printer::new(io::stdout()); for x in l { p.line(&x)?; } io::stdout().flush() }
pub fn restore() {}
