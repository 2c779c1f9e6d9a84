//! `cleave list` and `cleave explain`.

use std::process::ExitCode;

use conductor::arm::resources;
use conductor::arm::server_product::ServerProduct;
use conductor::process::host;
use conductor::steps::targets::ResolvedTarget;
use contract::resources::EqualWorkers;
use scenario::Scenario;
use scenario::explain::PlannedArm;
use serde_json::{Value, json};

use crate::cli::{Explain, Output};
use crate::machine_noise::{self, Identity, MachineNoise};
use crate::utilisation::{self, Figures};
use crate::{calibrate_command, output, result_document, scenario_files};

/// Above this many arms, only the first and the last are listed.
const MAX_LISTED_ARMS: usize = 8;

/// `cleave list`.
pub fn list(form: Output) -> ExitCode {
    let names = scenario_files::names();
    if names.is_empty() {
        return output::usage_error(
            "the folder `scenarios` here has no scenario; run cleave in another folder",
        );
    }
    let width = names.iter().map(String::len).max().unwrap_or(0);
    let mut broken = false;
    let mut documents = Vec::new();
    for name in names {
        match scenario_files::find(&name) {
            Ok(scenario) if form == Output::Json => documents.push(document(&scenario)),
            Ok(scenario) => {
                let arms = default_arms(&scenario);
                let seconds = scenario::explain::duration_s(&scenario, arms.len());
                output::print_line(format_args!("{name:width$}  {seconds:>4.0}s  {}", listed(&arms)));
                let needs: String = needs(&scenario).iter().map(|need| format!("; {}", need.words)).collect();
                output::print_line(format_args!("{:width$}         {}{needs}", "", scenario.title));
            }
            Err(text) => {
                broken = true;
                output::note(format_args!("{text}"));
            }
        }
    }
    if form == Output::Json {
        print_document(&json!({ "schema_version": result_document::SCHEMA_VERSION, "scenarios": documents }));
    }
    if broken { ExitCode::from(output::EXIT_USAGE) } else { ExitCode::SUCCESS }
}

/// A scenario of the list, for programs.
fn document(scenario: &Scenario) -> Value {
    let arms = default_arms(scenario);
    json!({
        "name": scenario.name,
        "title": scenario.title,
        "why": scenario.why,
        "tags": scenario.tags,
        "seconds": scenario::explain::duration_s(scenario, arms.len()).round(),
        "arms": arms,
        "needs": needs(scenario).iter().map(|need| need.name).collect::<Vec<_>>(),
    })
}

/// What a scenario needs beside this program.
struct Need {
    name: &'static str,
    words: &'static str,
}

const POSTGRES: Need = Need { name: "postgres", words: "needs PostgreSQL" };
const NATS: Need = Need { name: "nats", words: "needs NATS" };
const SOURCE_TREE: Need = Need {
    name: "source-tree",
    words: "builds a change for minutes, which needs a clone of Cleave, cargo and git",
};

const SIMULATION: Need = Need { name: "simulation", words: "simulated only: cleave predict" };

fn needs(scenario: &Scenario) -> Vec<Need> {
    let has = |product: ServerProduct| scenario.default_arms().any(|arm| product.is_needed(&arm.placement));
    let needs = [
        (POSTGRES, has(ServerProduct::Postgres)),
        (NATS, has(ServerProduct::Nats)),
        (SOURCE_TREE, scenario.change.is_some()),
        (SIMULATION, scenario.is_only_simulated()),
    ];
    needs.into_iter().filter_map(|(need, is_needed)| is_needed.then_some(need)).collect()
}

fn default_arms(scenario: &Scenario) -> Vec<&str> {
    scenario.default_arms().map(|arm| arm.name.as_str()).collect()
}

/// Prints one JSON document.
pub fn print_document(document: &Value) {
    output::print_line(format_args!("{document:#}"));
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
pub fn explain(args: &Explain) -> ExitCode {
    let scenario = match scenario_files::find(&args.scenario) {
        Ok(scenario) => scenario.at_scale(),
        Err(text) => return output::usage_error(&text),
    };
    let workers = resources::equal_workers(&scenario, [], host::cores());
    let arms: Vec<PlannedArm<'_>> =
        scenario.default_arms().map(|arm| planned(&scenario, arm, workers)).collect();
    let reach = |step: usize, arm: usize| {
        let PlannedArm { arm, processes, .. } = &arms[arm];
        let step = &scenario.steps[step];
        if let (Some(scale), Some(zone)) = (&scenario.scale, step.zone()) {
            let groups = scale.groups(processes).into_iter();
            let copies = groups.filter(|group| group.is_in(&zone)).map(|group| group.copies).sum();
            return plural(copies);
        }
        let reached = conductor::steps::targets::resolve_planned(step, arm, processes, scenario.seed);
        match reached {
            ResolvedTarget::Instances(names) => {
                format!("{} ({})", names.join(", "), plural(u32::try_from(names.len()).unwrap_or(u32::MAX)))
            }
            ResolvedTarget::Outside => "outside every process".to_owned(),
            ResolvedTarget::NotApplicable(reason) => format!("not applicable: {reason}"),
        }
    };
    let noise = if scenario.is_only_simulated() {
        // Nothing is measured, so that there is none.
        Vec::new()
    } else {
        machine_noise::lines(&MachineNoise::load(), &Identity::here(), &scenario)
    };
    let utilisation = match utilisation(args, &scenario, &arms) {
        Ok(utilisation) => utilisation,
        Err(text) => return output::usage_error(&text),
    };
    if args.output == Output::Json {
        let mut document = scenario::explain::document(&scenario, &arms, reach);
        document["schema_version"] = result_document::SCHEMA_VERSION.into();
        document["noise"] = noise.into();
        if let Some(utilisation) = utilisation {
            document["utilisation"] = utilisation.document();
        }
        print_document(&document);
        return ExitCode::SUCCESS;
    }
    output::print_line(format_args!("{}", scenario::explain::explain(&scenario, &arms, reach).trim_end()));
    for line in noise.into_iter().chain(utilisation.iter().flat_map(Figures::lines)) {
        output::print_line(format_args!("{line}"));
    }
    ExitCode::SUCCESS
}

/// How busy the arms keep the cores. A calibration that is not asked for and knows nothing of the load explains nothing.
///
/// # Errors
/// A message where the calibration that is asked for is none.
fn utilisation(
    args: &Explain,
    scenario: &Scenario,
    arms: &[PlannedArm<'_>],
) -> Result<Option<Figures>, String> {
    let Some(file) = &args.calibration else {
        let file = calibrate_command::default_file(&args.out);
        return Ok(utilisation::of(scenario, arms, &file).unwrap_or_default());
    };
    let missing =
        || format!("{} is not there; write a calibration with: cleave calibrate hop-tax", file.display());
    utilisation::of(scenario, arms, file)?.map(Some).ok_or_else(missing)
}

fn planned<'a>(scenario: &Scenario, arm: &'a scenario::Arm, workers: EqualWorkers) -> PlannedArm<'a> {
    let mut processes = arm.placement.resolve(&suite::components()).unwrap_or_default();
    let (_, remote_edges) = suite::catalogue::edges(&processes);
    let telemetry = resources::telemetry_level(arm.telemetry.unwrap_or(scenario.telemetry));
    let mut resources = resources::given(arm, &processes, workers, telemetry);
    if let Some(scale) = &scenario.scale {
        processes = scale.sized(&processes);
        resources = resources::at_scale(&resources, &processes, scale);
    }
    PlannedArm { arm, processes, remote_edges, resources }
}

fn plural(count: u32) -> String {
    if count == 1 { "1 instance".to_owned() } else { format!("{count} instances") }
}
