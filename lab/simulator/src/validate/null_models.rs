//! Predictions without a simulator. What is no better than these need not be simulated.

use crate::analytic::markov::mmc_time_quantile;
use crate::analytic::usl::ScalabilityLaw;
use crate::calibrate::demand::{self, Mix};
use crate::calibrate::{Calibration, FitError};

/// Levels whose rates differ by no more than this share had one rate.
const ONE_RATE: f64 = 0.1;

/// What the null models predict of a figure; `None` where one has nothing to say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NullModels {
    /// One station with the cores of the machine as its servers, Poisson arrivals and exponential times whose mean is the CPU of
    /// a journey of the mix: M/M/c.
    pub station: Option<f64>,
    /// The calibration's own figure of the services, for another mix: CPU per journey by what its journeys take, latencies by the
    /// ratio of the CPU that is asked for in a second.
    pub scaled: Option<f64>,
    /// The universal scalability law through the medians at each calibrated rate, times what a journey of the mix takes: of p50
    /// alone, since it is a law of means. Of a calibration of fewer than three rates nothing.
    pub usl: Option<f64>,
}

impl NullModels {
    /// What is predicted of `measure` (`latency_p50`, `latency_p99` or `cpu_per_journey`) at `rate` journeys a second of a mix.
    pub fn of(calibration: &Calibration, measure: &str, rate: f64, mix: &Mix) -> Self {
        let (Some(cpu_s), Some(ratio)) = (cpu_of_mix(calibration, mix), ratio(calibration, mix)) else {
            return Self::default();
        };
        let time = |q| mmc_time_quantile(q, rate, 1.0 / cpu_s, calibration.machine.cores);
        let station = match measure {
            "latency_p50" => time(0.5),
            "latency_p99" => time(0.99),
            "cpu_per_journey" => Some(cpu_s),
            _ => None,
        };
        let rates = |figure: &FitError| match measure {
            "cpu_per_journey" => Some(1.0),
            _ => Some(rate / calibrated_rate(calibration, figure)?),
        };
        let scaled =
            measured(calibration, measure).and_then(|figure| Some(figure.measured * ratio * rates(figure)?));
        let law = || ScalabilityLaw::fit(&levels(calibration));
        // Of journeys that take twice as much, half as many are as many.
        let usl = if measure == "latency_p50" { law() } else { None };
        let usl = usl.and_then(|law| Some(ratio * law.time_s(rate * ratio)?));
        Self { station, scaled, usl }
    }
}

/// Rates a second that were calibrated each for itself, and the medians there, seconds, the lowest rate first: the levels of what
/// was learnt from, in runs of the mix of the first. Rates no further apart than that are one.
pub fn levels(calibration: &Calibration) -> Vec<(f64, f64)> {
    let Some(first) = calibration.sources.first() else { return Vec::new() };
    let is_of_first = |run_id: &str| {
        calibration.sources.iter().any(|source| source.run_id == run_id && source.mix == first.mix)
    };
    let mut levels: Vec<(f64, f64)> = Vec::new();
    for level in calibration.levels.iter().filter(|level| level.is_fitted && is_of_first(&level.run_id)) {
        let is_known = levels.iter().any(|(known, _)| (known / level.rate - 1.0).abs() <= ONE_RATE);
        if level.rate > 0.0 && level.measured.p50 > 0.0 && !is_known {
            levels.push((level.rate, level.measured.p50));
        }
    }
    levels.sort_by(|a, b| a.0.total_cmp(&b.0));
    levels
}

/// CPU per journey of the services that were learnt from, seconds, if they served a mix: as measured, times what a journey of it
/// takes over what one of theirs took.
pub(super) fn cpu_of_mix(calibration: &Calibration, mix: &Mix) -> Option<f64> {
    let cpu_s = measured(calibration, "cpu_per_journey")?.measured * ratio(calibration, mix)?;
    (cpu_s > 0.0).then_some(cpu_s)
}

/// CPU of a journey of a mix over that of the calibration's own.
fn ratio(calibration: &Calibration, mix: &Mix) -> Option<f64> {
    let run_id = &measured(calibration, "cpu_per_journey")?.run_id;
    let source = calibration.sources.iter().find(|run| run.run_id == *run_id)?;
    let own = demand::cpu_ns(calibration, &source.mix).filter(|ns| *ns > 0.0)?;
    Some(demand::cpu_ns(calibration, mix)? / own)
}

/// A figure of the services that were learnt from.
fn measured<'a>(calibration: &'a Calibration, measure: &str) -> Option<&'a FitError> {
    calibration.fit.iter().find(|error| error.is_fitted && error.measure == measure)
}

/// The middle of the rates of the run that a figure is of, a second.
fn calibrated_rate(calibration: &Calibration, figure: &FitError) -> Option<f64> {
    let source = calibration.sources.iter().find(|run| run.run_id == figure.run_id)?;
    Some(f64::midpoint(source.rates.0, source.rates.1))
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::calibrate::Level;
    use crate::calibrate::document::{Activity, ActivityKind, Operation, SourceRun, Stage, Times};
    use crate::predict::Figures;

    /// Services of 2 ms of CPU a journey on two cores, p50 3 ms and p99 8 ms at 50 to 150 a second: half of the journeys take
    /// 1 ms, half 3 ms.
    pub fn calibrated() -> Calibration {
        let error = |measure: &str, measured: f64| FitError {
            run_id: "r".into(),
            arm: "micro".into(),
            is_fitted: true,
            measure: measure.into(),
            measured,
            simulated: measured,
        };
        let operation = |own_ns: f64, calls: &str| {
            let call = Activity { share: 1.0, what: ActivityKind::Call(calls.to_owned()) };
            Operation {
                own: Times::constant(1, own_ns),
                stages: vec![Stage { lanes: vec![vec![call]] }],
                ..Operation::default()
            }
        };
        let mut calibration = Calibration {
            sources: vec![SourceRun {
                run_id: "r".into(),
                rates: (50.0, 150.0),
                mix: mix(1.0, 1.0),
                ..SourceRun::default()
            }],
            operations: BTreeMap::from([
                ("client/home-feed".to_owned(), operation(0.0, "gateway/light")),
                ("client/upload".to_owned(), operation(0.0, "gateway/heavy")),
                ("gateway/light".to_owned(), operation(1e6, "none/none")),
                ("gateway/heavy".to_owned(), operation(3e6, "none/none")),
            ]),
            fit: vec![
                error("latency_p50", 0.003),
                error("latency_p99", 0.008),
                error("cpu_per_journey", 0.002),
            ],
            ..Calibration::default()
        };
        calibration.machine.cores = 2;
        calibration
    }

    pub fn mix(home: f64, upload: f64) -> Mix {
        BTreeMap::from([("home-feed".to_owned(), home), ("upload".to_owned(), upload)])
    }

    #[test]
    fn one_station_and_the_calibration_itself_predict_without_a_simulation() {
        let of = |measure, rate| NullModels::of(&calibrated(), measure, rate, &mix(1.0, 1.0));
        assert_eq!(
            of("cpu_per_journey", 300.0),
            NullModels { station: Some(0.002), scaled: Some(0.002), usl: None }
        );
        let p50 = of("latency_p50", 200.0);
        assert!(p50.scaled.is_some_and(|scaled| (scaled - 0.006).abs() < 1e-12), "{p50:?}");
        // At a fifth of the capacity hardly any waits: the median of an exponential time.
        assert!(p50.station.is_some_and(|station| (0.0013..0.0016).contains(&station)), "{p50:?}");
        assert_eq!(of("latency_p99", 1_000.0).station, None, "no station is stable there");
        assert_eq!(of("goodput", 200.0), NullModels::default());
    }

    #[test]
    fn a_null_model_knows_the_mix_as_well() {
        let of = |measure, rate| NullModels::of(&calibrated(), measure, rate, &mix(1.0, 0.0));
        assert_eq!(
            of("cpu_per_journey", 300.0),
            NullModels { station: Some(0.001), scaled: Some(0.001), usl: None }
        );
        let p50 = of("latency_p50", 200.0).scaled;
        assert!(
            p50.is_some_and(|p50| (p50 - 0.003).abs() < 1e-12),
            "twice the journeys of half the CPU: {p50:?}"
        );
        assert!(of("latency_p99", 1_000.0).station.is_some(), "half of its capacity");
        let unknown = BTreeMap::from([("search".to_owned(), 1.0)]);
        assert_eq!(NullModels::of(&calibrated(), "latency_p50", 1.0, &unknown), NullModels::default());
    }

    #[test]
    fn the_scalability_law_needs_three_rates_of_one_mix() {
        // What takes 2 ms alone, and 1 ms more for each that is there already: R = 2 ms / (1 - rate x 1 ms).
        let law = |rate: f64| 0.002 / (1.0 - rate * 0.001);
        let at = |rates: &[f64]| {
            let levels = rates.iter().map(|rate| Level {
                run_id: "r".into(),
                is_fitted: true,
                rate: *rate,
                measured: Figures { p50: law(*rate), ..Figures::default() },
                ..Level::default()
            });
            Calibration { levels: levels.collect(), ..calibrated() }
        };
        let of = |rates: &[f64], measure: &str, rate: f64| {
            NullModels::of(&at(rates), measure, rate, &mix(1.0, 1.0)).usl
        };
        let close =
            |found: Option<f64>, known: f64| found.is_some_and(|found| (found / known - 1.0).abs() < 1e-6);
        assert!(close(of(&[100.0, 300.0, 500.0], "latency_p50", 700.0), law(700.0)));
        assert_eq!(of(&[100.0, 300.0, 500.0], "latency_p50", 1_100.0), None, "more than it lets through");
        assert_eq!(of(&[100.0, 300.0, 305.0], "latency_p50", 700.0), None, "two of them are one rate");
        assert_eq!(of(&[100.0, 300.0, 500.0], "latency_p99", 700.0), None);
        // A journey that takes half as much is at twice the rate as slow for each.
        let light = NullModels::of(&at(&[100.0, 300.0, 500.0]), "latency_p50", 700.0, &mix(1.0, 0.0)).usl;
        assert!(close(light, 0.5 * law(350.0)), "{light:?}");
        let mut held_out = at(&[100.0, 300.0, 500.0]);
        held_out.levels[1].is_fitted = false;
        assert_eq!(levels(&held_out).len(), 2, "{:?}", levels(&held_out));
    }
}
