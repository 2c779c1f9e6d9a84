//! How a prediction is judged: like a live run, and never more certain than what stands behind it. A predicted verdict
//! stands in for no live one.

use model::Run;
use record::{Check, End, Entry, Line, Prediction, Tracing, Validity, Verdict};
use scenario::Scenario;
use scorecard::expect::{Expectation, Side};
use scorecard::{Circumstances, Engine, Measure, judge, lints};

/// The row of CPU per journey, which has a band.
const CPU_PER_JOURNEY: &str = "cpu_per_journey";

/// The checks, the rows and the end of a simulated record; `run` is what its lines come to.
pub fn conclude(run: &Run, scenario: &Scenario, prediction: &Prediction) -> Vec<Line> {
    let engine = Engine::default();
    let (mut valid, mut checks) = (Vec::new(), Vec::new());
    let mut id = 0;
    for assertion in &scenario.valid {
        valid.extend(judge::premises(run, id, &assertion.that));
        id += 1;
    }
    for assertion in &scenario.check {
        let mut results = judge::checks_with(run, id, &assertion.that, &engine);
        judge::limit_checks(run, &assertion.that, &lints::doubts(run, &assertion.that), &mut results);
        results.iter_mut().for_each(|check| {
            within_band(&assertion.that, check, prediction);
            assumed(check, prediction);
        });
        checks.extend(results);
        id += 1;
    }
    let mut found = scorecard::lints(run, &Circumstances::default());
    for check in valid.iter().filter(|check| check.verdict == Verdict::Fail) {
        found.push(lints::lint("valid", format!("`{}` does not hold", check.text)));
    }
    if valid.is_empty() && checks.is_empty() {
        let text = "the scenario expects nothing; write [expect] with check = [\"errors(all) < 1%\"]";
        found.push(lints::lint("nothing_judged", text.into()));
    }
    let verdict = judge::verdict(&valid, &checks, &found);
    let line = |entry| Line { t: run.now, entry };
    let mut lines: Vec<Line> =
        valid.into_iter().chain(checks).map(|check| line(Entry::Check(check))).collect();
    let scores = scorecard::scorecard_with(run, &engine);
    lines.extend(scores.into_iter().map(|score| line(Entry::Score(Box::new(score)))));
    let end = End {
        verdict: Some(verdict),
        exit_code: judge::exit_code(verdict),
        lints: found,
        tracing: Tracing::default(),
        ..End::default()
    };
    lines.push(line(Entry::End(Box::new(end))));
    lines
}

/// Nothing is decided by what rests on an assumption.
fn assumed(check: &mut Check, prediction: &Prediction) {
    let is_assumed = prediction.validity == Validity::Assumed;
    if is_assumed && matches!(check.verdict, Verdict::Pass | Verdict::Fail) {
        check.verdict = Verdict::Inconclusive;
        check.reason = format!("assumed: {}", prediction.because.join("; "));
    }
}

/// Rows of the percentiles whose bands are known.
const PERCENTILES: [&str; 2] = ["latency_p50", "latency_p99"];

/// A claim whose limit lies within the band of its figure is not decided. Of another percentile of latency no band is known: it
/// moves as far as the wider of those that are, at least.
fn within_band(claim: &Expectation, check: &mut Check, prediction: &Prediction) {
    let Side::Measure { query, .. } = &claim.left else { return };
    let own = bands_of(query.measure).into_iter().find_map(|row| prediction.widest(row));
    let of_percentiles = || PERCENTILES.into_iter().filter_map(|row| prediction.widest(row)).reduce(f64::max);
    let share = own.or_else(|| query.measure.quantile.and_then(|_| of_percentiles()));
    let (Some(value), Some(limit), Some(share)) = (check.value, check.limit, share) else { return };
    // Two arms move together: their own ratio moves less than either.
    if (value - limit).abs() <= share * value.abs() && check.verdict != Verdict::Inconclusive {
        check.verdict = Verdict::Inconclusive;
        check.reason = format!("the limit lies within ±{:.0} %, by which the figure moves", share * 100.0);
    }
}

/// Rows whose band is that of a measure: its own, those that its rows are in another guise, and of what is CPU by another
/// count that of CPU per journey.
fn bands_of(measure: &Measure) -> Vec<&'static str> {
    let own = measure.rows.iter().map(|row| row.comparison.guise_of().unwrap_or(row.id));
    let is_cpu = ["cost", "cpu"].contains(&measure.name);
    own.chain(is_cpu.then_some(CPU_PER_JOURNEY)).collect()
}

#[cfg(test)]
mod tests {
    use record::Sensitivity;

    use super::*;

    #[test]
    fn a_claim_has_the_band_of_what_it_is_about_however_it_is_written() {
        let sensitivity = |measure: &str| Sensitivity {
            arm: 'A',
            measure: measure.into(),
            unit: "s".into(),
            value: 1.0,
            low: 0.9,
            high: 1.05,
            parameter: String::new(),
            interval: None,
        };
        let band = vec![sensitivity("latency_p99"), sensitivity(CPU_PER_JOURNEY)];
        let prediction = Prediction { band, ..Prediction::default() };
        let verdict = |claim: &str, limit: f64| {
            let mut check = Check {
                id: 0,
                text: claim.to_owned(),
                arm: 'A',
                value: Some(1.0),
                interval: None,
                is_censored: false,
                limit: Some(limit),
                unit: "s".to_owned(),
                margin: None,
                n: 1_000,
                verdict: Verdict::Pass,
                reason: String::new(),
                note: None,
                since_ns: None,
            };
            let that: Expectation = claim.parse().unwrap_or_else(|error| panic!("{claim}: {error}"));
            within_band(&that, &mut check, &prediction);
            check.verdict
        };
        // The figure moves by a tenth at most.
        assert_eq!(verdict("p99(all) in steady < 1.08s", 1.08), Verdict::Inconclusive);
        assert_eq!(verdict("0.5 * p99(all) in steady < 1.08s", 1.08), Verdict::Inconclusive);
        assert_eq!(verdict("p99(all) in steady < 1.12s", 1.12), Verdict::Pass);
        // CPU per journey, per thousand of them, by the second, and turned around.
        for claim in ["cpu_per_journey < 1.08s", "cost < 1.08", "cpu < 1.08", "rate_per_core < 1.08/s"] {
            assert_eq!(verdict(claim, 1.08), Verdict::Inconclusive, "{claim}");
            assert_eq!(verdict(&claim.replace("08", "12"), 1.12), Verdict::Pass, "{claim}");
        }
        // These move as far as the percentile of which it is known, at least.
        for claim in ["p999(all) in steady < 1.08s", "p95(all) in steady < 1.08s"] {
            assert_eq!(verdict(claim, 1.08), Verdict::Inconclusive, "{claim}");
        }
        assert_eq!(verdict("p999(all) in steady < 1.12s", 1.12), Verdict::Pass);
        // Nothing is known of how far this moves.
        assert_eq!(verdict("errors(all) in steady < 100%", 1.0), Verdict::Pass);
    }
}
