//! What is to be known of a prediction, and what keeps it from deciding anything: a predicted verdict stands in for no live
//! one.

use model::{Run, SIMULATED};
use record::Validity;

use super::LintList;

/// Lints on the measuring itself, of which a simulation has none.
const OF_MEASURING: [&str; 3] = ["pressure_unknown", "build", "page_cache"];

pub(super) fn lints(run: &Run, found: &mut LintList) {
    if !run.is_simulated() {
        return;
    }
    found.0.retain(|lint| !OF_MEASURING.contains(&lint.name.as_str()));
    found.add("simulated", run.mark().unwrap_or_else(|| SIMULATED.to_owned()));
    let Some(prediction) = &run.header.prediction else { return };
    if !prediction.not_simulated.is_empty() {
        found.add("not_simulated", prediction.not_simulated.join("; "));
    }
    if prediction.validity == Validity::Assumed {
        found.add("assumed", prediction.because.join("; "));
    }
    if let Some(what) = &prediction.diverged {
        found.add("diverged", what.clone());
    }
}
