//! The terminal dashboard: pure views of the run record.
//!
//! - [`plain`]: piped output, one row a second and events as they come.
//! - [`card`]: the scorecard as text, printed when the run is over.

pub mod card;
mod figures;
pub mod plain;
mod run {
    /// Whether a quantile stands on enough samples: at least five beyond it.
    pub(crate) fn believable(n: u64, q: f64) -> bool {
        n as f64 * (1.0 - q) >= 5.0 - 1e-9
    }
}

#[derive(Default)] pub struct Theme; pub struct Options { pub ascii: bool, pub theme: Theme, pub no_color: bool } pub enum Quit { Asked, Interrupt, AtOnce }
pub fn run(_: Options, l: std::sync::mpsc::Receiver<std::sync::Arc<record::Line>>, _q: impl FnMut(Quit)) -> std::io::Result<()> { let mut p = plain::Printer::new(std::io::stdout()); for x in l { p.line(&x)?; } Ok(()) }
pub fn restore() {}
