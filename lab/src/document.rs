//! The run as one JSON document on standard output.

use std::io::{self, Write};

use conductor::Outcome;
use record::{Audit, Entry, Line};
use serde_json::json;

/// Version of the document: a reader should refuse any other.
pub const SCHEMA_VERSION: u32 = 1;

/// Prints the document.
///
/// # Errors
/// When standard output is gone.
pub fn print(out: &mut impl Write, outcome: &Outcome, lines: &[Line]) -> io::Result<()> {
    let mut header = None;
    let mut end = None;
    let (mut checks, mut scores, mut audits) = (Vec::new(), Vec::new(), Vec::new());
    for line in lines {
        match &line.entry {
            Entry::Header(one) => header = Some(one),
            Entry::End(one) => end = Some(one),
            Entry::Check(check) => checks.push(check),
            Entry::Score(score) => scores.push(score),
            Entry::Audit(audit) => audits.push(audit),
            _ => {}
        }
    }
    let document = json!({
        "schema_version": SCHEMA_VERSION,
        "scenario": header.map(|header| header.scenario.as_str()),
        "seed": header.map(|header| header.seed),
        "way": header.map(|header| header.way.as_str()),
        "rounds": header.map(|header| header.rounds),
        "verdict": outcome.verdict,
        "exit_code": outcome.exit_code,
        "run_dir": outcome.folder,
        "ready_ms": header.map(|header| header.ready_ms),
        "pss_mib": end.map(|end| end.pss_mib_peak),
        "schedule_digest": header.map(|header| header.schedule_digest.as_str()),
        "machine": header.map(|header| &header.machine),
        "arms": header.map(|header| &header.arms),
        "checks": checks,
        "scorecard": scores,
        "audits": Audit::added_up(audits),
        "lints": end.map(|end| &end.lints),
    });
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}
