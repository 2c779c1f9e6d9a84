//! `cleave doctor`: what this machine supports, and what degrades where something is missing.

use std::path::Path;
use std::process::ExitCode;

use conductor::RunError;
use conductor::arm::arm_plan::ArmError;
use conductor::arm::given_servers::GivenServers;
use conductor::arm::server_error::ServerError;
use conductor::arm::server_product::ServerProduct;
use conductor::arm::servers::{availability, disk};
use conductor::observe::scrape_targets::{self, remove_stale};
use conductor::process::guardian::{self, CleanUp};
use conductor::process::server_data::ServerSecrets;
use conductor::run::seed::{self, SNAPSHOTS};
use serde_json::json;

use crate::capacity_probe::CAPACITY_FOLDER;
use crate::cli::Output;
use crate::{change, cli, given_servers, orphaned_groups, output, result_document, scenario_command};

/// One finding.
struct Finding {
    what: &'static str,
    found: String,
    /// What degrades, when the thing is missing.
    without: Option<&'static str>,
}

/// `cleave doctor`.
pub fn doctor(args: &cli::Doctor) -> ExitCode {
    let given = given_servers::read(&args.servers);
    if args.clean {
        return clean(args, given);
    }
    let findings = findings(given);
    if args.output == Output::Json {
        let findings = findings.iter().map(|Finding { what, found, without }| {
            json!({ "what": what, "found": found, "is_missing": without.is_some(), "without": without })
        });
        let findings: Vec<_> = findings.collect();
        scenario_command::print_document(
            &json!({ "schema_version": result_document::SCHEMA_VERSION, "findings": findings }),
        );
        return ExitCode::SUCCESS;
    }
    let width = findings.iter().map(|finding| finding.what.len()).max().unwrap_or(0);
    for Finding { what, found, without } in &findings {
        let mark = if without.is_some() { '-' } else { '+' };
        output::print_line(format_args!("{mark} {what:width$}  {found}"));
        if let Some(without) = without {
            output::print_line(format_args!("  {:width$}  {without}", ""));
        }
    }
    ExitCode::SUCCESS
}

/// Reverts what runs left behind whose guardians were killed as well: what their journals have, and what is found by looking,
/// wherever the journal is. A run that is in progress is left alone.
fn clean(args: &cli::Doctor, given: Result<GivenServers, ServerError>) -> ExitCode {
    let runs = std::fs::read_dir(&args.out);
    if runs.is_err() {
        output::print_line(format_args!("no journals: folder {} does not exist", args.out.display()));
    }
    let (mut undone, mut left) = (0, 0);
    let secrets = given.as_ref().map(GivenServers::secrets).unwrap_or_default();
    let secrets = secrets.or(ServerSecrets::of_environment());
    let probes = std::fs::read_dir(args.out.join(CAPACITY_FOLDER));
    for run in runs.into_iter().chain(probes).flatten().flatten() {
        let journal = run.path().join(guardian::JOURNAL);
        if !journal.exists() {
            continue;
        }
        let mut is_in_progress = false;
        match guardian::clean_abandoned(&journal, &secrets) {
            Ok(None) => {
                is_in_progress = true;
                output::print_line(format_args!("{}: in progress, left alone", run.path().display()));
            }
            Ok(Some(clean_up)) => {
                if clean_up.undone > 0 {
                    let count = clean_up.undone;
                    output::print_line(format_args!("{}: {count} reverted", run.path().display()));
                }
                undone += clean_up.undone;
                for reason in clean_up.reasons {
                    output::print_line(format_args!("{}: {reason}", run.path().display()));
                }
            }
            // One of another user, for example: others are reverted all the same.
            Err(error) => {
                output::print_line(format_args!("{}: cannot be reverted: {error}", journal.display()));
                left += usize::from(guardian::open_actions(&journal).is_err());
            }
        }
        let still = guardian::open_actions(&journal).map_or(0, |open| open.len());
        if still > 0 && !is_in_progress {
            output::print_line(format_args!("{}: {still} could not be reverted", run.path().display()));
            left += still;
        }
    }
    // What no journal knows of.
    for folder in [args.out.clone(), args.out.join(CAPACITY_FOLDER)] {
        remove_stale(&folder.join(scrape_targets::FOLDER));
        seed::remove_abandoned(&folder.join(SNAPSHOTS));
    }
    let orphans = orphaned_groups::remove();
    if orphans.removed + orphans.left > 0 {
        output::print_line(format_args!("control groups of runs that are gone: {} removed", orphans.removed));
    }
    undone += orphans.removed;
    left += orphans.left;
    let on_server = clean_server(given);
    undone += on_server.undone;
    left += on_server.reasons.len();
    if left > 0 {
        output::print_line(format_args!("{} left over, {left} could not be undone", undone + left));
        return ExitCode::FAILURE;
    }
    // The last line is for scripts as well.
    output::print_line(format_args!("{undone} left over, all undone"));
    ExitCode::SUCCESS
}

/// Removes databases of runs that are gone from a server that is there already, where one is named.
fn clean_server(given: Result<GivenServers, ServerError>) -> CleanUp {
    let cleaned = given.map_err(ArmError::from).map_err(RunError::from);
    let cleaned = cleaned.and_then(|given| ask(given.remove_abandoned()));
    let clean_up =
        cleaned.unwrap_or_else(|error| CleanUp { undone: 0, reasons: vec![output::error_chain(&error)] });
    if clean_up.undone > 0 {
        output::print_line(format_args!("databases of runs that are gone: {} removed", clean_up.undone));
    }
    for reason in &clean_up.reasons {
        output::print_line(format_args!("{reason}"));
    }
    clean_up
}

/// Asks servers, and waits for their answers.
fn ask<T>(asked: impl Future<Output = Result<T, ServerError>>) -> Result<T, RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answer = runtime.map_err(RunError::Runtime)?.block_on(asked);
    Ok(answer.map_err(ArmError::from)?)
}

/// What there is to know of servers that are there already; nothing where none is named.
fn given_findings(given: Result<GivenServers, ServerError>) -> Vec<Finding> {
    let finding = |what, found: Result<String, String>| Finding {
        what,
        without: found.is_err().then_some("runs that are to use it are refused"),
        found: found.unwrap_or_else(|why| why),
    };
    let given = match given {
        Ok(given) => given,
        Err(error) => return vec![finding("given servers", Err(error.to_string()))],
    };
    let products = [ServerProduct::Postgres, ServerProduct::Nats].into_iter();
    let named = products.filter(|product| given.has(*product));
    let described = named.map(|product| {
        let found = ask(async { given.describe(product).await.transpose() });
        let found = found.map(Option::unwrap_or_default).map_err(|error| error.to_string());
        finding(product.option(), found)
    });
    described.collect()
}

fn findings(given: Result<GivenServers, ServerError>) -> Vec<Finding> {
    let machine = conductor::process::host::machine();
    let here = std::process::id();
    let finding = |what, found: String, missing: bool, without| Finding {
        what,
        found,
        without: missing.then_some(without),
    };
    let files = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)
        .map_or(0, |(soft, _)| soft);
    let [postgres, nats] = [ServerProduct::Postgres, ServerProduct::Nats].map(availability);
    let own_disk = disk::availability();
    let given = given_findings(given);
    let builds = change::tools();
    // Last: the process leaves the machine's network when it enters the namespace.
    let losing = conductor::process::netns::enter();
    let mut findings = vec![
        finding(
            "cpu",
            format!("{} x {}", machine.cores, machine.cpu),
            machine.cores < 2,
            "one core: arms, generator and dashboard compete for it; trust counts and CPU, not latencies",
        ),
        finding(
            "memory",
            format!("{} MiB", machine.memory_mib),
            machine.memory_mib < 1_024,
            "runs stop when less than 10 % is left",
        ),
        finding("kernel", machine.kernel.clone(), machine.kernel.is_empty(), "not Linux: untested"),
        finding(
            "load average",
            format!("{:.2}", machine.load_average),
            machine.load_average > f64::from(machine.cores),
            "the machine is busy: comparisons may be inconclusive",
        ),
        finding(
            "per-process CPU",
            "/proc/PID/task/*/schedstat".into(),
            !Path::new(&format!("/proc/{here}/schedstat")).exists(),
            "no CPU figures: CPU rows are left out of the scorecard",
        ),
        finding(
            "per-process memory",
            "/proc/PID/smaps_rollup".into(),
            conductor::process::usage::pss_kib(here).is_none(),
            "no PSS: memory rows are left out of the scorecard",
        ),
        finding(
            "pressure",
            "/proc/pressure/cpu".into(),
            !Path::new("/proc/pressure/cpu").exists(),
            "no stall figures: contention cannot be distinguished from slowness",
        ),
        finding(
            "control groups",
            if conductor::process::cgroup::is_available() {
                "cpu quotas can be set".into()
            } else {
                "not available".into()
            },
            !conductor::process::cgroup::is_available(),
            "`cpu-quota` and `limits.cpu` are skipped, and runs that use them are inconclusive",
        ),
        finding(
            "postgres",
            postgres.clone().unwrap_or_else(|why| why),
            postgres.is_err(),
            "topologies with `store = \"postgres\"` are refused, and `run --all` skips scenarios that need them; install PostgreSQL \
             (Debian: `postgresql`) and build with `--features postgres`",
        ),
        finding(
            "nats",
            nats.clone().unwrap_or_else(|why| why),
            nats.is_err(),
            "topologies with `events = \"nats\"` are refused, and `run --all` skips scenarios that need them; install NATS \
             (Debian: `nats-server`) and build with `--features nats`",
        ),
        finding(
            "broker's disk",
            own_disk.as_ref().map_or_else(Clone::clone, |()| "in a mount namespace".into()),
            own_disk.is_err(),
            "`disk-full` on `server:events` is skipped, and runs that use it are inconclusive",
        ),
        finding(
            "builds",
            builds.clone().unwrap_or_else(|why| why),
            builds.is_err(),
            "scenarios with `[change]` are refused; install Rust's toolchain, git and util-linux, and run them in a clone of Cleave",
        ),
        finding(
            "packet loss",
            losing.as_ref().map_or_else(ToString::to_string, |()| "in a network namespace".into()),
            losing.is_err(),
            "`packet-loss` is skipped, and runs that use it are inconclusive; `drop` models it",
        ),
        finding(
            "open files",
            files.to_string(),
            files < 1_024,
            "raise the limit with `ulimit -n 4096`: loads above 500/s need more",
        ),
    ];
    findings.extend(given);
    findings
}
