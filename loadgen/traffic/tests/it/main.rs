//! What the handbook promises of the traffic: shapes, shares, and that one seed gives one run.

mod arrivals;
mod content;
mod follow_graph;
mod shares;
mod writes;

use std::sync::{Arc, LazyLock};

use record::PhasePlan;
use traffic::dataset::Size;
use traffic::follow_graph::Graph;
use traffic::{Dataset, Load, Schedule, Seed};

const SECOND: u64 = 1_000_000_000;

/// The data set of a first run, made once for all tests.
fn tiny() -> &'static Arc<Dataset> {
    static TINY: LazyLock<Arc<Dataset>> =
        LazyLock::new(|| Arc::new(Dataset::generate(Seed(42), Size::Tiny, &Graph::default())));
    &TINY
}

/// The data set of published figures, made once for all tests.
fn standard() -> &'static Arc<Dataset> {
    static STANDARD: LazyLock<Arc<Dataset>> =
        LazyLock::new(|| Arc::new(Dataset::generate(Seed(42), Size::Standard, &Graph::default())));
    &STANDARD
}

/// Phases p0, p1, .. of so many seconds, one after the other.
fn phases(seconds: &[u64]) -> Vec<PhasePlan> {
    let mut start_ns = 0;
    let mut plan = Vec::new();
    for (i, seconds) in seconds.iter().enumerate() {
        let length_ns = seconds * SECOND;
        plan.push(PhasePlan { name: format!("p{i}"), start_ns, length_ns, measure: true });
        start_ns += length_ns;
    }
    plan
}

fn load(text: &str) -> Load {
    toml::from_str(text).expect(text)
}

fn schedule(seconds: &[u64], text: &str, data: &Arc<Dataset>) -> Schedule {
    Schedule::new(42, 1, &phases(seconds), &load(text), data)
}

/// Asserts that counts have the expected shares: Pearson's chi-square, by the
/// Wilson-Hilferty approximation a normal variate, at most four sigma out.
fn check_shares(counts: &[u64], shares: &[f64]) {
    let n: u64 = counts.iter().sum();
    let expected = shares.iter().map(|share| share * n as f64);
    let square: f64 = counts.iter().zip(expected).map(|(count, e)| (*count as f64 - e).powi(2) / e).sum();
    let freedom = (counts.len() - 1) as f64;
    let spread = 2.0 / (9.0 * freedom);
    let sigmas = ((square / freedom).cbrt() - (1.0 - spread)) / spread.sqrt();
    assert!(
        sigmas < 4.0,
        "chi-square {square:.1} at {freedom} degrees of freedom is {sigmas:.1} sigma: {counts:?}"
    );
}
