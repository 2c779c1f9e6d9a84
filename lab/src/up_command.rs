//! `cleave up`: starts a seeded suite and keeps it running.

use std::process::ExitCode;

use conductor::RunError;
use conductor::arm::supervise::SupervisionReport;
use conductor::process::program::Program;
use conductor::run::up::{SuiteSummary, SuiteView, UpOptions};
use contract::Placement;
use scenario::Arm;
use traffic::Load;

use crate::{cli, given_servers, output, scenario_files, signals};

/// Exit code of a suite that could not be kept up: that of a claim that failed.
const EXIT_LOST: u8 = 1;

/// Built-in topologies.
const TOPOLOGIES: &[(&str, &str)] = &[
    ("mono", "processes = { app = [\"gateway\", \"*\"] }"),
    ("mono-x3", "processes = { app = [\"*\"] }\nreplicas = { app = 3 }"),
    ("micro", "processes = { each = [\"*\"] }"),
    (
        "pairs",
        "processes = { people = [\"profile\", \"follower\"], feed = [\"feed\"], media = [\"search\", \"photo\"] }",
    ),
];

fn arm(requested: &str) -> Result<Arm, String> {
    if let Some((name, arm)) = requested.split_once(':') {
        let scenario = scenario_files::find(name)?;
        let names: Vec<&str> = scenario.arms.iter().map(|arm| arm.name.as_str()).collect();
        let found = scenario.arms.iter().find(|other| other.name == arm);
        return found.cloned().ok_or_else(|| scenario::source::unknown("arm", arm, names));
    }
    let names = TOPOLOGIES.iter().map(|(name, _)| *name);
    let (name, text) = TOPOLOGIES
        .iter()
        .find(|(name, _)| *name == requested)
        .ok_or_else(|| scenario::source::unknown("topology", requested, names))?;
    let placement: Placement = toml::from_str(text).map_err(|error| error.to_string())?;
    Ok(Arm::without_variant(name, placement))
}

/// `cleave up`.
pub fn up(args: &cli::Up) -> ExitCode {
    let arm = match arm(&args.topology) {
        Ok(found) => found,
        Err(text) => return output::usage_error(&text),
    };
    let load: Load = match toml::from_str(&format!("rate = \"1/s\"\nsize = {:?}", args.size)) {
        Ok(load) => load,
        Err(error) => return output::usage_error(&format!("--size {}: {}", args.size, error.message())),
    };
    let telemetry = match args.telemetry.parse() {
        Ok(level) => level,
        Err(error) => return output::error(&error),
    };
    let program = match Program::running() {
        Ok(program) => program,
        Err(error) => return output::error(&error),
    };
    let given = match given_servers::read(&args.servers) {
        Ok(given) => given,
        Err(error) => return output::error(&error),
    };
    let interrupts = match signals::count_interrupts() {
        Ok(interrupts) => interrupts,
        Err(error) => return output::error(&error),
    };
    let options = UpOptions {
        arm,
        seed: args.seed,
        load,
        out: args.out.clone(),
        program,
        telemetry,
        public: args.public,
        limits_per_address: !args.no_address_limits,
        restarts: !args.no_restart,
        given,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::error(&error),
    };
    let view = SuiteView { ready: print_summary, report: print_report };
    match runtime.block_on(conductor::run::up::up(options, interrupts.subscribe(), view)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(RunError::Interrupted) => ExitCode::from(output::EXIT_INTERRUPTED),
        Err(RunError::Suite(loss)) => {
            output::note(format_args!("{loss}"));
            ExitCode::from(EXIT_LOST)
        }
        Err(error) => output::error(&error),
    }
}

/// Prints addresses and tokens, ready to paste. Scripts read them by their labels, and take the last line as the sign that all
/// are there: these words are an interface.
fn print_summary(summary: &SuiteSummary) {
    let print = output::print_line;
    print(format_args!("public door   {}", summary.public));
    print(format_args!("API contract  {} (OpenAPI 3.1)", summary.contract));
    print(format_args!(
        "user          {} ({}), password: {}",
        summary.handle, summary.user, summary.password
    ));
    print(format_args!("user token    {}", summary.user_token));
    print(format_args!(
        "run token     {} (the admin token: for fault and control endpoints)",
        summary.run_token
    ));
    print(format_args!("folder        {}", summary.folder.display()));
    print(format_args!(""));
    for (name, hosts, listen) in &summary.instances {
        print(format_args!("{name:12}  {listen}  {}", hosts.join(", ")));
    }
    print(format_args!(""));
    print(format_args!(
        "try: curl -H 'Authorization: Bearer {}' '{}/v1/feed?limit=3'",
        summary.user_token, summary.public
    ));
    print(format_args!("Ctrl-C ends it"));
    if let Some(endpoint) = &summary.silent_collector {
        output::note(format_args!("OTLP: nothing listens at {endpoint}; spans are lost"));
    }
}

/// Prints what happened to a process: progress, beside the addresses on standard output.
fn print_report(report: &SupervisionReport) {
    match report {
        SupervisionReport::Down { instance, reason, restart_in: Some(delay) } => {
            output::note(format_args!("{instance} went down: {reason}; restart in {delay:?}"));
        }
        SupervisionReport::Down { instance, reason, restart_in: None } => {
            output::note(format_args!("{instance} went down: {reason}; it stays down"));
        }
        SupervisionReport::Serving { instance, gap } => {
            output::note(format_args!("{instance} serves again after {:.1}s", gap.as_secs_f64()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_topology_is_valid() {
        for (name, _) in TOPOLOGIES {
            let arm = arm(name).unwrap_or_else(|text| panic!("{text}"));
            arm.placement.resolve(&suite::components()).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
        }
        let text = arm("mikro").expect_err("a typo");
        assert!(
            text.starts_with("unknown topology `mikro`; did you mean `micro`? topologies: mono,"),
            "{text}"
        );
        assert!(arm("first-look:micro").is_ok());
    }
}
