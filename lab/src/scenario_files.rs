//! `cleave list` and `cleave explain`: finds scenarios by name or file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use conductor::arm::resources;
use conductor::steps::targets::ResolvedTarget;
use scenario::explain::PlannedArm;
use scenario::{Application, Scenario};

use crate::machine_noise::{self, Identity, MachineNoise};
use crate::output;

/// Above this many arms, only the first and the last are listed.
const MAX_LISTED_ARMS: usize = 8;

/// The folder of shipped scenarios: in the working directory, else in the source tree the program was built from.
fn folder() -> PathBuf {
    let here = scenario::source::catalogue_folder();
    if here.is_dir() {
        return here;
    }
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).join("scenarios")
}

/// Names of all scenarios, sorted.
pub fn names() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder()) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".toml").map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// Reads a scenario by name, or a file.
///
/// # Errors
/// A message with file, line and the valid choices.
pub fn find(requested: &str) -> Result<Scenario, String> {
    let is_file = requested.ends_with(".toml") || requested.contains('/');
    let path = if is_file { PathBuf::from(requested) } else { folder().join(format!("{requested}.toml")) };
    let text = std::fs::read_to_string(&path).map_err(|error| {
        let names = names();
        if is_file {
            format!("{} cannot be read: {error}", path.display())
        } else {
            scenario::source::unknown("scenario", requested, names.iter().map(String::as_str))
        }
    })?;
    let (components, calls, events) = (suite::components(), suite::calls(), suite::event_sources());
    let application = Application { components: &components, calls: &calls, events: &events };
    scenario::read(&path, text, &application).map_err(|faults| faults.to_string())
}

/// `cleave list`.
pub fn list() -> ExitCode {
    let names = names();
    if names.is_empty() {
        return output::usage_error(&format!(
            "no scenarios in {}; run cleave in a folder that has a `scenarios` folder",
            folder().display()
        ));
    }
    let width = names.iter().map(String::len).max().unwrap_or(0);
    let mut broken = false;
    for name in names {
        match find(&name) {
            Ok(scenario) => {
                let arms: Vec<&str> = scenario.default_arms().map(|arm| arm.name.as_str()).collect();
                let seconds = scenario::explain::duration_s(&scenario, arms.len());
                output::print_line(format_args!("{name:width$}  {seconds:>4.0}s  {}", listed(&arms)));
                output::print_line(format_args!("{:width$}         {}", "", scenario.title));
            }
            Err(text) => {
                broken = true;
                output::note(format_args!("{text}"));
            }
        }
    }
    if broken { ExitCode::from(output::EXIT_USAGE) } else { ExitCode::SUCCESS }
}

/// Names of arms, shortened to fit a line.
fn listed(arms: &[&str]) -> String {
    match arms {
        [first, .., last] if arms.len() > MAX_LISTED_ARMS => {
            format!("{} arms, {first} to {last}", arms.len())
        }
        _ => arms.join(", "),
    }
}

/// `cleave explain`.
pub fn explain(requested: &str) -> ExitCode {
    let scenario = match find(requested) {
        Ok(scenario) => scenario,
        Err(text) => return output::usage_error(&text),
    };
    let workers = resources::equal_workers(&scenario, []);
    let arms: Vec<PlannedArm<'_>> =
        scenario.default_arms().map(|arm| planned(&scenario, arm, workers)).collect();
    let reach = |step: usize, arm: usize| {
        let PlannedArm { arm, processes, .. } = &arms[arm];
        let reached =
            conductor::steps::targets::resolve_planned(&scenario.steps[step], arm, processes, scenario.seed);
        match reached {
            ResolvedTarget::Instances(names) => format!("{} ({})", names.join(", "), plural(names.len())),
            ResolvedTarget::Outside => "outside every process".to_owned(),
            ResolvedTarget::NotApplicable(reason) => format!("not applicable: {reason}"),
        }
    };
    output::print_line(format_args!("{}", scenario::explain::explain(&scenario, &arms, reach).trim_end()));
    let known = MachineNoise::load();
    for line in machine_noise::lines(&known, &Identity::here(), &scenario) {
        output::print_line(format_args!("{line}"));
    }
    ExitCode::SUCCESS
}

fn planned<'a>(scenario: &Scenario, arm: &'a scenario::Arm, workers: u32) -> PlannedArm<'a> {
    let processes = arm.placement.resolve(&suite::components()).unwrap_or_default();
    let (_, remote_edges) = suite::catalogue::edges(&processes);
    let telemetry = resources::telemetry_level(arm.telemetry.unwrap_or(scenario.telemetry));
    let resources = resources::given(arm, &processes, workers, telemetry);
    PlannedArm { arm, processes, remote_edges, resources }
}

fn plural(count: usize) -> String {
    if count == 1 { "1 instance".to_owned() } else { format!("{count} instances") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_scenario_is_valid_and_named_like_its_file() {
        let names = names();
        assert!(names.len() >= 4, "{names:?}");
        for name in names {
            let scenario = find(&name).unwrap_or_else(|text| panic!("{text}"));
            assert_eq!(scenario.name, name);
            assert!(!scenario.why.is_empty() && !scenario.check.is_empty(), "{name} claims nothing");
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_right_choices() {
        let text = find("first-lok").expect_err("a typo");
        assert!(text.contains("did you mean `first-look`?"), "{text}");
    }
}
