//! What effects a run sees on this machine, and how many rounds a smaller one takes; printed by `cleave explain`.

use scenario::explain::phases_with_faults;
use scenario::{RunMode, Scenario};
use scorecard::inference::power::{self, Overhead, Plan};
use scorecard::measure::RowWindow;
use scorecard::measures::CATALOGUE;

use super::{Identity, MachineNoise, ROUNDS_AS_UNITS, ScenarioNoise};

/// Rows that are planned for, by id, with their names.
const PLANNED_ROWS: [(&str, &str); 3] =
    [("latency_p50", "p50"), ("latency_p99", "p99"), ("cpu_per_journey", "CPU")];
/// Effects that are planned for: 5 and 10 %.
const EFFECTS: [f64; 2] = [0.05, 0.10];
/// Seconds that an arm takes to start and to be audited in each round, as `cleave explain` estimates a run's length.
const START_SECONDS: f64 = 4.0;

/// What a scenario takes on this machine, or how to find out.
pub fn lines(known: &MachineNoise, identity: &Identity, scenario: &Scenario) -> Vec<String> {
    // Rounds are planned best from rounds.
    let noise = [true, false].into_iter().find_map(|by_rounds| known.find(identity, scenario, by_rounds));
    let Some(noise) = noise else {
        return vec![format!(
            "how many rounds an effect takes on this machine is not known; measure it: cleave noise {}",
            scenario.name
        )];
    };
    let way = if noise.is_by_rounds() { "in rounds" } else { "side by side" };
    let mut lines =
        vec![format!("noise of this machine, {} against itself {way}, {}:", noise.arm, date(&noise.date))];
    for (id, name) in PLANNED_ROWS {
        if let Some(effect) = resolved(noise, scenario, id) {
            let percent = effect * 100.0;
            lines.push(format!("  as it is, the run finds {percent:.1} % on {name} in four of five runs"));
        }
        for effect in EFFECTS {
            lines.push(format!("  {}", line(noise, scenario, id, name, effect)));
        }
    }
    lines
}

/// The smallest effect on a row, one of the run's family, that the scenario's own rounds find; `None` where what was measured
/// is of other units, or too little.
fn resolved(noise: &ScenarioNoise, scenario: &Scenario, id: &str) -> Option<f64> {
    let rounds = match scenario.way {
        RunMode::SideBySide => 1,
        RunMode::Interleaved => scenario.repeats,
    };
    let row = noise.rows.iter().find(|row| row.id == id)?;
    let start = noise.start(id, &row.window)?;
    let is_of_same_units = noise.is_by_rounds() == (rounds >= ROUNDS_AS_UNITS);
    let plan = Plan { rounds, seconds: row.seconds as u32 };
    is_of_same_units.then(|| power::resolved(&start, family(noise, scenario, rounds), plan))
}

fn line(noise: &ScenarioNoise, scenario: &Scenario, id: &str, name: &str, effect: f64) -> String {
    let percent = (effect * 100.0).round();
    let row = noise.rows.iter().find(|row| row.id == id);
    let Some((row, start)) = row.and_then(|row| Some((row, noise.start(id, &row.window)?))) else {
        return format!("{percent} % on {name}: not known, too few of those runs judged the row");
    };
    let rows = family(noise, scenario, ROUNDS_AS_UNITS);
    let plan = if noise.is_by_rounds() {
        // What of a round's variance is its start's is not known: its length stays.
        power::rounds(effect, &start, rows, row.seconds as u32)
    } else {
        let length_s = scenario.phases.iter().map(|phase| phase.length.duration().as_secs_f64()).sum::<f64>();
        let seconds = (length_s - row.seconds).max(0.0) + START_SECONDS;
        power::plan(effect, &start, rows, Overhead { arms: arms(scenario), seconds })
    };
    match plan {
        Some(Plan { rounds, seconds }) => {
            format!("to see {percent} % on {name} you need {rounds} rounds of {seconds} s here")
        }
        None => format!("{percent} % on {name} cannot be had in 40 rounds here"),
    }
}

/// Arms that the scenario runs unless others are asked for.
fn arms(scenario: &Scenario) -> u32 {
    u32::try_from(scenario.default_arms().count()).unwrap_or(u32::MAX)
}

/// Rows of a run in so many rounds, of each arm against the base arm. Its noise was measured without steps, of which a run has
/// rows as well, and in rounds they are judged.
fn family(noise: &ScenarioNoise, scenario: &Scenario, rounds: u32) -> usize {
    let of_steps = if rounds >= ROUNDS_AS_UNITS { rows_of_steps(scenario) } else { 0 };
    (noise.family + of_steps) * arms(scenario).saturating_sub(1).max(1) as usize
}

/// Rows of the scenario's steps, and of its phases with faults beside the steady one; recovery is one more.
fn rows_of_steps(scenario: &Scenario) -> usize {
    if scenario.steps.is_empty() {
        return 0;
    }
    // What a deploy of a change takes has rows where there is a change.
    let measures =
        CATALOGUE.iter().filter(|measure| scenario.change.is_some() || !measure.name.starts_with("time_to_"));
    let windows: Vec<RowWindow> = measures.flat_map(|measure| measure.rows).map(|row| row.window).collect();
    let of_phase = windows.iter().filter(|window| **window == RowWindow::SteadyAndFaults).count();
    let of_step = windows.iter().filter(|window| window.is_of_steps()).count();
    let phases = phases_with_faults(scenario).into_iter().filter(|phase| phase.name != "steady").count();
    1 + phases * of_phase + scenario.steps.len() * of_step
}

/// The probability that a run of two arms in so many rounds finds an effect in a row; `None` where the noise has too few
/// runs, or is not of rounds.
pub fn predicted_power(noise: &ScenarioNoise, id: &str, rounds: u32, effect: f64) -> Option<f64> {
    let row = noise.rows.iter().find(|row| row.id == id).filter(|_| noise.is_by_rounds())?;
    let start = noise.start(id, &row.window)?;
    let plan = Plan { rounds, seconds: row.seconds as u32 };
    Some(power::power(effect, &start, noise.family, plan))
}

/// `2026-11-29` of `20261129`.
fn date(digits: &str) -> String {
    match (digits.get(..4), digits.get(4..6), digits.get(6..)) {
        (Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}"),
        _ => digits.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::noise;
    use super::*;

    fn planned(rounds: u32, log_ratios: Vec<f64>, within: f64) -> Vec<String> {
        let scenario = crate::scenario_files::find("hop-tax").expect("shipped");
        let entry = noise(&scenario, rounds, log_ratios, within);
        let identity = entry.identity.clone();
        let mut known = MachineNoise::default();
        known.insert(entry);
        lines(&known, &identity, &scenario)
    }

    #[test]
    fn without_noise_one_line_names_the_command() {
        let scenario = crate::scenario_files::find("hop-tax").expect("shipped");
        let lines = lines(&MachineNoise::default(), &Identity::here(), &scenario);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].ends_with("cleave noise hop-tax"), "{lines:?}");
    }

    #[test]
    fn rows_of_faults_are_judged_in_rounds_as_well() {
        let scenario = |name| crate::scenario_files::find(name).expect("shipped");
        let (without, with) = (scenario("hop-tax"), scenario("first-look"));
        let family = |scenario: &Scenario, rounds| {
            family(&noise(scenario, rounds, vec![0.0; 6], 1e-4), scenario, rounds)
        };
        // Twenty rows of each of two other arms, and of one.
        assert_eq!((family(&without, 6), family(&without, 1), family(&with, 1)), (40, 40, 20));
        // A delay and a kill, each in a phase of its own: three latencies of each phase, goodput, collateral failures, and
        // what became of bystanders of each step; recovery.
        assert_eq!(family(&with, 6), 20 + 2 * 3 + 2 * 4 + 1);
    }

    #[test]
    fn rounds_of_the_measured_length_are_planned_from_rounds() {
        // Six rounds of 6 s with an error of 1 %: one round has 2.4 %.
        let lines = planned(6, vec![0.0; 6], 1e-4);
        assert_eq!(lines[0], "noise of this machine, mono against itself in rounds, 2026-11-29:");
        assert_eq!(
            lines.iter().filter(|line| line.contains("as it is, the run finds")).count(),
            1,
            "of the one row that was measured: {lines:?}"
        );
        let cpu: Vec<&String> = lines.iter().filter(|line| line.contains("% on CPU you need")).collect();
        assert!(cpu.iter().all(|line| line.contains("rounds of 6 s here")), "{cpu:?}");
        assert!(lines[1].contains("p50: not known"), "{lines:?}");
        // hop-tax is run in its own rounds; its rows are judged together, as those of a plan are.
        let own = crate::scenario_files::find("hop-tax").expect("shipped");
        let entry = noise(&own, 6, vec![0.0; 6], 1e-4);
        let found = resolved(&entry, &own, "cpu_per_journey").expect("in rounds, too");
        let plan = Plan { rounds: own.repeats, seconds: 6 };
        let start = entry.start("cpu_per_journey", "steady").expect("six runs");
        let power = power::power(found, &start, family(&entry, &own, own.repeats), plan);
        assert!((power - 0.8).abs() < 1e-3, "{found} is found with {power}");
        let noisy = planned(6, vec![0.0; 6], 0.04);
        assert!(
            noisy.iter().any(|line| line.contains("10 % on CPU cannot be had in 40 rounds")),
            "{noisy:?}"
        );
    }

    #[test]
    fn seconds_are_planned_too_where_starts_are_known() {
        // Starts differ by nothing, seconds by 6 %: 6 s have an error of 2.4 %.
        let lines = planned(1, vec![0.0; 6], 0.06_f64.powi(2) / 6.0);
        assert!(lines[0].contains("side by side"), "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with("  to see 5 % on CPU you need ")), "{lines:?}");
    }

    #[test]
    fn more_rounds_find_an_effect_more_often() {
        let scenario = crate::scenario_files::find("hop-tax").expect("shipped");
        // An error of 3 % in one round.
        let measured = noise(&scenario, 4, vec![0.0; 6], 0.03_f64.powi(2) / 4.0);
        let power = |rounds| predicted_power(&measured, "cpu_per_journey", rounds, 0.10).expect("rounds");
        let (few, many) = (power(4), power(16));
        assert!(few < 0.5 && many > 0.97, "{few} {many}");
        let side_by_side = noise(&scenario, 1, vec![0.0; 6], 0.03_f64.powi(2));
        assert_eq!(predicted_power(&side_by_side, "cpu_per_journey", 6, 0.10), None, "side by side");
    }
}
