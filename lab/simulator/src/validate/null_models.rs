//! Predictions without a simulator. What is no better than these need not be simulated.

use crate::analytic::markov::mmc_time_quantile;
use crate::calibrate::Calibration;

/// What the null models predict of a figure; `None` where one has nothing to say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NullModels {
    /// One station with the cores of the machine as its servers, Poisson arrivals and exponential times whose mean is the CPU of
    /// a journey of the calibrated services: M/M/c.
    pub station: Option<f64>,
    /// The calibration's own figure of the services: latencies times the ratio of the rates, CPU per journey as it was.
    pub scaled: Option<f64>,
}

impl NullModels {
    /// What is predicted of `measure` (`latency_p50`, `latency_p99` or `cpu_per_journey`) at `rate` journeys a second.
    pub fn of(calibration: &Calibration, measure: &str, rate: f64) -> Self {
        let Some(cpu_s) = measured(calibration, "cpu_per_journey") else { return Self::default() };
        let time = |q| mmc_time_quantile(q, rate, 1.0 / cpu_s, calibration.machine.cores);
        let station = match measure {
            "latency_p50" => time(0.5),
            "latency_p99" => time(0.99),
            "cpu_per_journey" => Some(cpu_s),
            _ => None,
        };
        let scale = if measure == "cpu_per_journey" { 1.0 } else { rate / calibrated_rate(calibration) };
        Self { station, scaled: measured(calibration, measure).map(|figure| figure * scale) }
    }
}

/// A figure of the services that were learnt from, as measured.
pub(super) fn measured(calibration: &Calibration, measure: &str) -> Option<f64> {
    calibration
        .fit
        .iter()
        .find(|error| error.is_fitted && error.measure == measure)
        .map(|error| error.measured)
}

/// The middle of the rates that were calibrated, a second.
fn calibrated_rate(calibration: &Calibration) -> f64 {
    let lowest = calibration.sources.iter().map(|run| run.rates.0).fold(f64::INFINITY, f64::min);
    let highest = calibration.sources.iter().map(|run| run.rates.1).fold(0.0, f64::max);
    f64::midpoint(lowest, highest)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::calibrate::document::{FitError, SourceRun};

    /// Services of 2 ms of CPU a journey on two cores, p50 3 ms and p99 8 ms at 50 to 150 a second.
    pub fn calibrated() -> Calibration {
        let error = |measure: &str, measured: f64| FitError {
            run_id: "r".into(),
            arm: "micro".into(),
            is_fitted: true,
            measure: measure.into(),
            measured,
            simulated: measured,
        };
        let mut calibration = Calibration {
            sources: vec![SourceRun { rates: (50.0, 150.0), ..SourceRun::default() }],
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

    #[test]
    fn one_station_and_the_calibration_itself_predict_without_a_simulation() {
        let of = |measure, rate| NullModels::of(&calibrated(), measure, rate);
        assert_eq!(of("cpu_per_journey", 300.0), NullModels { station: Some(0.002), scaled: Some(0.002) });
        let p50 = of("latency_p50", 200.0);
        assert!(p50.scaled.is_some_and(|scaled| (scaled - 0.006).abs() < 1e-12), "{p50:?}");
        // At a fifth of the capacity hardly any waits: the median of an exponential time.
        assert!(p50.station.is_some_and(|station| (0.0013..0.0016).contains(&station)), "{p50:?}");
        assert_eq!(of("latency_p99", 1_000.0).station, None, "no station is stable there");
        assert_eq!(of("goodput", 200.0), NullModels::default());
    }
}
