//! How busy the arms of a scenario keep the cores, by the utilisation law and a calibration: a figure to check a rate by before a
//! run.

use std::path::Path;
use std::sync::Arc;
use std::thread::available_parallelism;

use model::sweep::MAX_SIDE_BY_SIDE;
use model::{SIMULATED, format};
use runtime::bounded_file;
use scenario::explain::PlannedArm;
use scenario::{RunMode, Scenario};
use serde_json::{Value, json};
use simulator::calibrate::Calibration;
use simulator::predict::{Circumstances, Hosts, Layout, Predictor, Utilisation};
use traffic::{Dataset, Seed};

/// The share of the cores from which queues grow fast: no prediction has a target beyond it.
const HIGH: f64 = 0.8;

/// What the utilisation law has to say of a scenario.
pub struct Figures {
    calibration: Calibration,
    arms: Vec<Utilisation>,
    is_side_by_side: bool,
}

/// The utilisation of the arms of a scenario, from the calibration in a file; `None` where there is no such file.
///
/// # Errors
/// A message where the file is no calibration, or knows nothing of the load.
pub fn of(scenario: &Scenario, arms: &[PlannedArm<'_>], file: &Path) -> Result<Option<Figures>, String> {
    if !file.is_file() {
        return Ok(None);
    }
    let text = bounded_file::read_text(file, bounded_file::MAX_BYTES)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let calibration = Calibration::read(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    let letters = ('A'..='Z').chain('a'..='z');
    let layout = |(letter, planned): (char, &PlannedArm<'_>)| Layout {
        letter,
        arm: planned.arm.clone(),
        processes: planned.processes.clone(),
        workers: planned.resources.workers,
        scale: scenario.scale.clone(),
    };
    // Nothing is judged: what is asked for is CPU.
    let header = record::Header::default();
    let predictor = Predictor {
        calibration: &calibration,
        scenario,
        layouts: letters.zip(arms).map(layout).collect(),
        data: Arc::new(Dataset::generate(Seed(scenario.seed), scenario.load.size, &scenario.load.graph)),
        interleaved: true,
        rounds: 1,
        seed: scenario.seed,
        hosts: Hosts::One,
        cores: calibration.machine.cores,
        replications: 1,
        threads: available_parallelism().map_or(1, usize::from),
        here: Circumstances::default(),
        progress: Arc::default(),
        header: &header,
    };
    let arms = predictor.utilisation().map_err(|error| error.to_string())?;
    Ok(Some(Figures { arms, is_side_by_side: scenario.way == RunMode::SideBySide, calibration }))
}

impl Figures {
    /// A heading, and a line for each arm; of a sweep for the least busy and the busiest.
    pub fn lines(&self) -> Vec<String> {
        let mut arms: Vec<&Utilisation> = self.arms.iter().collect();
        let Some(first) = arms.first().copied() else { return Vec::new() };
        let all = arms.len();
        if all > MAX_SIDE_BY_SIDE {
            arms.sort_by(|a, b| a.cpu_s.total_cmp(&b.cpu_s));
            arms = vec![arms[0], arms[all - 1]];
        }
        let mut lines = vec![format!(
            "utilisation law, busy cores = rate x CPU of a journey; {SIMULATED}, not measured: CPU as at {:.0}/s, from {}",
            first.simulated_rate,
            self.calibration.identity().sources.join(" and ")
        )];
        lines.extend(arms.iter().flat_map(|arm| lines_of(arm)));
        if all > arms.len() {
            lines.push(format!("  the other {} arms are between these two", all - arms.len()));
        }
        lines.extend(self.side_by_side().map(|share| {
            format!("  all arms side by side: {} of {} cores", format::percent(Some(share)), first.cores)
        }));
        lines
    }

    /// The busy share of the cores where arms run at the same time, and there are several.
    fn side_by_side(&self) -> Option<f64> {
        let shares: Option<Vec<f64>> = self.arms.iter().map(Utilisation::of_machine).collect();
        shares.filter(|shares| self.is_side_by_side && shares.len() > 1).map(|shares| shares.iter().sum())
    }

    /// The same for programs.
    pub fn document(&self) -> Value {
        let of = |arm: &Utilisation| {
            json!({
                "arm": arm.letter.to_string(),
                "name": arm.arm,
                "rate_per_s": arm.rate,
                "simulated_rate_per_s": arm.simulated_rate,
                "cpu_per_journey_s": arm.cpu_s,
                "generator_cpu_per_journey_s": arm.generator_s,
                "cores": arm.cores,
                "utilisation": arm.of_machine(),
                "rate_at_80_percent_per_s": arm.rate_of_machine(HIGH),
                "budget_cores": arm.budget,
                "budget_utilisation": arm.of_budget(),
                "budget_rate_at_80_percent_per_s": arm.rate_of_budget(HIGH),
            })
        };
        json!({
            "source": "simulated",
            "calibration": self.calibration.identity(),
            "side_by_side": self.side_by_side(),
            "arms": self.arms.iter().map(of).collect::<Vec<_>>(),
        })
    }
}

/// `  A mono: 120/s x (520us + 210us of the load generator) = 4 % of 2 cores; 80 % at 2190/s`.
fn lines_of(arm: &Utilisation) -> Vec<String> {
    let s = |seconds: f64| format::value(Some(seconds), "s");
    let line = |what: &str, cpu: &str, share: Option<f64>, cores: u32, rate: f64| {
        let asked = match (arm.rate, share) {
            (Some(rate), Some(share)) => {
                format!("{rate:.0}/s x {cpu} = {} of", format::percent(Some(share)))
            }
            _ => format!("{cpu} on"),
        };
        let plural = if cores == 1 { "core" } else { "cores" };
        format!("  {} {}: {asked} {what}{cores} {plural}; 80 % at {rate:.0}/s", arm.letter, arm.arm)
    };
    let cpu = format!("({} + {} of the load generator)", s(arm.cpu_s), s(arm.generator_s));
    let machine = line("", &cpu, arm.of_machine(), arm.cores, arm.rate_of_machine(HIGH));
    let budget = arm.budget.zip(arm.rate_of_budget(HIGH));
    let budget =
        budget.map(|(cores, rate)| line("its budget of ", &s(arm.cpu_s), arm.of_budget(), cores, rate));
    [machine].into_iter().chain(budget).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(letter: char, rate: Option<f64>, cpu_s: f64, budget: Option<u32>) -> Utilisation {
        Utilisation {
            letter,
            arm: format!("arm-{letter}"),
            rate,
            simulated_rate: 120.0,
            cpu_s,
            generator_s: 0.000_2,
            cores: 2,
            budget,
        }
    }

    fn figures(arms: Vec<Utilisation>, is_side_by_side: bool) -> Figures {
        Figures { calibration: Calibration::default(), arms, is_side_by_side }
    }

    #[test]
    fn busy_cores_are_the_rate_times_the_cpu_of_a_journey() {
        // 400/s of 0.8 ms and 0.2 ms are 0.4 of 2 cores; 80 % of these are 1.6, at 1,600/s.
        let lines = figures(vec![arm('A', Some(400.0), 0.000_8, None)], true).lines();
        assert!(lines[0].contains(SIMULATED) && lines[0].contains("CPU as at 120/s"), "{lines:?}");
        assert!(lines[1].starts_with("  A arm-A: 400/s x ("), "{lines:?}");
        assert!(lines[1].contains(" = 20") && lines[1].ends_with("of 2 cores; 80 % at 1600/s"), "{lines:?}");
        assert_eq!(lines.len(), 2, "one arm is beside none");
        // In a budget of one core is no load generator: 0.32 of it, and 0.8 at 1,000/s.
        let lines = figures(vec![arm('A', Some(400.0), 0.000_8, Some(1))], false).lines();
        assert!(
            lines[2].contains(" = 32") && lines[2].ends_with("its budget of 1 core; 80 % at 1000/s"),
            "{lines:?}"
        );
    }

    #[test]
    fn arms_side_by_side_share_the_cores_and_a_rate_that_is_not_known_has_no_share() {
        let two = vec![arm('A', Some(400.0), 0.000_8, None), arm('B', Some(400.0), 0.001_8, None)];
        let lines = figures(two.clone(), true).lines();
        assert!(lines[3].starts_with("  all arms side by side: 60"), "{lines:?}");
        assert_eq!(figures(two, false).lines().len(), 3, "in turns each has them alone");
        let lines = figures(vec![arm('A', None, 0.000_8, None)], true).lines();
        assert!(lines[1].contains("of the load generator) on 2 cores; 80 % at 1600/s"), "{lines:?}");
    }

    #[test]
    fn of_a_sweep_the_ends_are_shown() {
        let arms =
            ('A'..='J').zip(1..).map(|(letter, n)| arm(letter, Some(100.0), 0.001 * f64::from(n), None));
        let lines = figures(arms.collect(), false).lines();
        assert!(lines[1].starts_with("  A arm-A") && lines[2].starts_with("  J arm-J"), "{lines:?}");
        assert_eq!(lines[3], "  the other 8 arms are between these two");
    }
}
