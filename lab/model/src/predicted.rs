//! A prediction that was frozen before a live run, beside what the run measured.

use record::Sensitivity;

use crate::format;
use crate::journeys;
use crate::latency::ArrivalQuantile;
use crate::run::Run;
use crate::window::{TimeRange, Window};

/// Characters of a digest that a line has room for; the record has all of them.
const SHORT_DIGEST: usize = 12;

/// A figure as predicted and as measured.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictedFigure<'a> {
    /// What was predicted.
    pub predicted: &'a Sensitivity,
    /// What was measured, in its unit.
    pub measured: f64,
    /// Whether what was measured lies beyond that, which is as far as clients waited.
    pub is_censored: bool,
}

impl PredictedFigure<'_> {
    /// How far the prediction is off, as a share of what was measured: above 0 where it is more.
    pub fn error(&self) -> f64 {
        if self.measured > 0.0 { self.predicted.value / self.measured - 1.0 } else { 0.0 }
    }

    /// Whether what was measured lies within the band of the prediction; not where it is only known to lie beyond something.
    pub fn is_within_band(&self) -> bool {
        !self.is_censored && (self.predicted.low..=self.predicted.high).contains(&self.measured)
    }
}

impl Run {
    /// The figures that were predicted of a live run and measured in it, the closest first. None of a run without a
    /// prediction, and of one that is simulated itself. What clients waited for in vain, as predicted and as measured, has no
    /// error: neither is known.
    pub fn predicted_figures(&self) -> Vec<PredictedFigure<'_>> {
        let mut figures = self.predictions_of_figures();
        figures.retain(|figure| !self.is_unknown(figure));
        figures.sort_by(|a, b| a.error().abs().total_cmp(&b.error().abs()));
        figures
    }

    fn predictions_of_figures(&self) -> Vec<PredictedFigure<'_>> {
        let Some(prediction) = self.header.prediction.as_ref().filter(|_| !self.is_simulated()) else {
            return Vec::new();
        };
        let of = |predicted| {
            Some(PredictedFigure {
                predicted,
                measured: self.figure_of_whole(predicted.arm, &predicted.measure)?,
                is_censored: self.is_beyond_waiting(predicted.arm, &predicted.measure),
            })
        };
        prediction.band.iter().filter_map(of).collect()
    }

    /// Whether both the prediction and what was measured lie beyond what clients wait for.
    fn is_unknown(&self, figure: &PredictedFigure<'_>) -> bool {
        figure.is_censored && figure.predicted.value >= self.header.timeout_us as f64 / 1e6
    }

    /// Whether a percentile over all measured phases is one of those that failed.
    fn is_beyond_waiting(&self, arm: char, row: &str) -> bool {
        let q = match row {
            "latency_p50" => 0.5,
            "latency_p99" => 0.99,
            _ => return false,
        };
        self.arrivals_in(arm, q, &Window::Whole).is_some_and(|found| found.is_censored)
    }

    /// A figure over all measured phases, by the scorecard's row of which it is: `latency_p50`, `latency_p99` or
    /// `cpu_per_journey`, seconds. It is what predictions and calibrations are compared with. `None` of any other row, and where
    /// it is not known.
    pub fn figure_of_whole(&self, arm: char, row: &str) -> Option<f64> {
        self.figure_in(arm, row, &Window::Whole)
    }

    /// The same over a window.
    pub fn figure_in(&self, arm: char, row: &str, window: &Window) -> Option<f64> {
        match row {
            "latency_p50" => self.latency_in(arm, 0.5, window),
            "latency_p99" => self.latency_in(arm, 0.99, window),
            "cpu_per_journey" => self.cpu_in(arm, window),
            _ => None,
        }
    }

    /// Of all journeys, from when they were due; those that failed took as long as clients wait.
    fn latency_in(&self, arm: char, q: f64, window: &Window) -> Option<f64> {
        Some(self.arrivals_in(arm, q, window)?.seconds())
    }

    fn arrivals_in(&self, arm: char, q: f64, window: &Window) -> Option<ArrivalQuantile> {
        let failed = self.sum(arm, &self.whole(window), "all", journeys::failed);
        ArrivalQuantile::of(&self.latencies(arm, window), failed, q, self.header.timeout_us)
    }

    /// CPU of the arm's own over the journeys that ended, of the units in which both are known.
    fn cpu_in(&self, arm: char, window: &Window) -> Option<f64> {
        let of_unit = |TimeRange { round, seconds }: TimeRange| {
            let cpu = |second| Some(self.unit_cpu(arm, round, second)?.own_ns());
            let cpu_ns: Option<u64> = seconds.clone().map(cpu).sum();
            let finished: Option<u64> = seconds.map(|second| self.unit_finished(arm, round, second)).sum();
            Some((cpu_ns?, finished?))
        };
        let known = self.units(window).into_iter().filter_map(of_unit);
        let (cpu_ns, finished) = known.fold((0, 0), |sum, unit| (sum.0 + unit.0, sum.1 + unit.1));
        (finished > 0).then(|| cpu_ns as f64 / 1e9 / finished as f64)
    }

    /// The prediction of a live run in lines: which it is, whether the machine had another speed than when it was calibrated, and
    /// every figure beside the measured one. Empty where there is none.
    pub fn prediction_lines(&self) -> Vec<String> {
        let Some(prediction) = self.header.prediction.as_ref().filter(|_| !self.is_simulated()) else {
            return Vec::new();
        };
        let digest: String = prediction.digest.chars().take(SHORT_DIGEST).collect();
        // Rows of these names are of one phase.
        let is_of_several = self.header.phases.iter().filter(|phase| phase.measure).count() > 1;
        let first = format!(
            "predicted before the first arrival: simulated run {} (SHA-256 {digest}), calibrated from {}; validity: {}{}",
            prediction.run_id,
            prediction.calibration.sources.join(" and "),
            prediction.validity.word(),
            if is_of_several { "; all measured phases together" } else { "" }
        );
        let line = |figure: &PredictedFigure<'_>| {
            let Sensitivity { arm, measure, unit, value, low, high, .. } = figure.predicted;
            let shown = |value: f64| format::value(Some(value), unit);
            let (beyond, at_least) = if figure.is_censored { ("> ", " at best") } else { ("", "") };
            format!(
                "{arm} {} {measure}: predicted {} [{}, {}], measured {beyond}{}, {:+.0} %{at_least}{}",
                self.arm_name(*arm),
                shown(*value),
                shown(*low),
                shown(*high),
                shown(figure.measured),
                figure.error() * 100.0,
                if figure.is_within_band() { "" } else { ", outside of its band" }
            )
        };
        let mut unknown = self.predictions_of_figures();
        unknown.retain(|figure| self.is_unknown(figure));
        let open = |figure: &PredictedFigure<'_>| {
            let Sensitivity { arm, measure, unit, .. } = figure.predicted;
            let waited = format::value(Some(self.header.timeout_us as f64 / 1e6), unit);
            format!(
                "{arm} {} {measure}: not within {waited}, as predicted and as measured",
                self.arm_name(*arm)
            )
        };
        let figures = self.predicted_figures();
        let head = [first].into_iter().chain(self.speed_since_calibration());
        head.chain(figures.iter().map(line)).chain(unknown.iter().map(open)).collect()
    }
}

#[cfg(test)]
mod tests {
    use record::{Arm, Entry, Header, Latencies, Line, PhasePlan, Prediction, Provenance};

    use super::*;
    use crate::SECOND;

    /// A run of 10 s in which every journey took 2 ms, of which 1 ms at p50 and 2.1 ms at p99 were predicted.
    fn run(source: Provenance) -> Run {
        let figure = |measure: &str, value: f64| Sensitivity {
            arm: 'A',
            measure: measure.into(),
            unit: "s".into(),
            value,
            low: value * 0.9,
            high: value * 1.1,
            parameter: String::new(),
            interval: None,
        };
        let prediction = Prediction {
            run_id: "p1".into(),
            digest: "0123456789abcdef".into(),
            band: vec![figure("latency_p50", 0.001), figure("latency_p99", 0.0021), figure("unknown", 1.0)],
            ..Prediction::default()
        };
        let steady = PhasePlan { name: "steady".into(), start_ns: 0, length_ns: 10 * SECOND, measure: true };
        let arms = vec![Arm { letter: 'A', name: "mono".into(), ..Arm::default() }];
        let header =
            Header { source, prediction: Some(prediction), arms, phases: vec![steady], ..Header::default() };
        let mut run = Run::new(header);
        let intended: Latencies = [2_000; 100].into_iter().collect();
        let window = record::Window {
            arm: 'A',
            round: 1,
            second: 3,
            intended,
            closed: true,
            ..record::Window::default()
        };
        run.add(&Line { t: 5 * SECOND, entry: Entry::from(window) });
        run
    }

    #[test]
    fn measured_and_predicted_figures_come_together_the_closest_first() {
        let run = run(Provenance::Live);
        let figures = run.predicted_figures();
        let seen: Vec<(&str, i64, bool)> = figures
            .iter()
            .map(|figure| {
                (
                    figure.predicted.measure.as_str(),
                    (figure.error() * 100.0).round() as i64,
                    figure.is_within_band(),
                )
            })
            .collect();
        assert_eq!(seen, [("latency_p99", 5, true), ("latency_p50", -50, false)]);
        let lines = run.prediction_lines();
        assert!(lines[0].contains("p1 (SHA-256 0123456789ab)"), "{lines:?}");
        assert!(lines[2].ends_with("-50 %, outside of its band"), "{lines:?}");
        assert_eq!(run.mark(), None, "it was measured");
    }

    /// A second of A in which none of 101 arrivals was answered.
    fn unanswered() -> Line {
        let window = record::Window {
            arm: 'A',
            round: 1,
            second: 4,
            offered: 101,
            closed: true,
            ..record::Window::default()
        };
        Line { t: 6 * SECOND, entry: Entry::from(window) }
    }

    #[test]
    fn what_fails_makes_a_measured_figure_worse_as_it_does_the_row() {
        let mut run = run(Provenance::Live);
        run.header.timeout_us = 1_000_000;
        let p50 = |run: &Run| run.figure_of_whole('A', "latency_p50");
        assert_eq!(p50(&run), Some(0.002));
        run.add(&unanswered());
        assert_eq!(p50(&run), Some(1.0), "101 of 201 were not answered");
        assert_eq!(run.figure_of_whole('A', "cpu_per_journey"), None, "no process was sampled");
    }

    #[test]
    fn what_was_waited_for_in_vain_is_at_no_distance_from_a_prediction_of_that() {
        let mut run = run(Provenance::Live);
        run.header.timeout_us = 1_000_000;
        if let Some(prediction) = &mut run.header.prediction {
            // The p99 is predicted to be beyond what clients wait for, as it is; the p50 is not, and is.
            (prediction.band[1].value, prediction.band[1].high) = (1.0, 1.0);
        }
        run.add(&unanswered());
        let figures = run.predicted_figures();
        let shown: Vec<(&str, f64, bool)> =
            figures.iter().map(|of| (of.predicted.measure.as_str(), of.measured, of.is_censored)).collect();
        assert_eq!(shown, [("latency_p50", 1.0, true)]);
        let lines = run.prediction_lines();
        assert!(lines[1].ends_with("measured > 1.00s, -100 % at best, outside of its band"), "{lines:?}");
        assert_eq!(lines[2], "A mono latency_p99: not within 1.00s, as predicted and as measured");
    }

    #[test]
    fn a_simulated_run_has_no_measured_figures() {
        let run = run(Provenance::Simulated);
        assert!(run.predicted_figures().is_empty() && run.prediction_lines().is_empty());
    }
}
