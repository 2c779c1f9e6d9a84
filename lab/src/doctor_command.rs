//! What this machine can do, and what degrades without it.

use std::path::Path;
use std::process::ExitCode;

use conductor::process::guardian;

use crate::{cli, output};

/// One finding.
struct Finding {
    what: &'static str,
    found: String,
    /// What degrades, where something is missing.
    without: Option<&'static str>,
}

/// `cleave doctor`.
pub fn doctor(asked: &cli::Doctor) -> ExitCode {
    if asked.clean {
        return clean(asked);
    }
    let findings = findings();
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

/// Undoes what runs have left whose guardians are dead as well.
fn clean(asked: &cli::Doctor) -> ExitCode {
    let Ok(runs) = std::fs::read_dir(&asked.out) else {
        output::print_line(format_args!("nothing to clean: there is no folder {}", asked.out.display()));
        return ExitCode::SUCCESS;
    };
    conductor::observe::scrape_targets::remove_stale(
        &asked.out.join(conductor::observe::scrape_targets::FOLDER),
    );
    let mut undone = 0;
    for run in runs.flatten() {
        let journal = run.path().join(guardian::JOURNAL);
        if !journal.exists() {
            continue;
        }
        match guardian::open_actions(&journal)
            .and_then(|left| if left.is_empty() { Ok(0) } else { guardian::clean_up(&journal) })
        {
            Ok(0) => {}
            Ok(count) => {
                output::print_line(format_args!("{}: {count} undone", run.path().display()));
                undone += count;
            }
            Err(error) => return output::error(&error),
        }
    }
    output::print_line(format_args!("{undone} left over, all undone"));
    ExitCode::SUCCESS
}

fn findings() -> Vec<Finding> {
    let machine = conductor::process::usage::machine();
    let here = std::process::id();
    let finding = |what, found: String, missing: bool, without| Finding {
        what,
        found,
        without: missing.then_some(without),
    };
    let files = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)
        .map_or(0, |(soft, _)| soft);
    // Last of all: whoever enters has left the network of the machine.
    let losing = conductor::process::netns::enter();
    vec![
        finding(
            "cpu",
            format!("{} x {}", machine.cores, machine.cpu),
            machine.cores < 2,
            "one core: arms, load and screen take turns; trust counts and CPU, not latencies",
        ),
        finding(
            "memory",
            format!("{} MiB", machine.memory_mib),
            machine.memory_mib < 1_024,
            "runs stop when less than 10 % is left",
        ),
        finding(
            "kernel",
            machine.kernel.clone(),
            machine.kernel.is_empty(),
            "not Linux: nothing here is tested",
        ),
        finding(
            "load average",
            format!("{:.2}", machine.load_average),
            machine.load_average > f64::from(machine.cores),
            "other work is going on: comparisons may be inconclusive",
        ),
        finding(
            "per-process CPU",
            "/proc/PID/task/*/schedstat".into(),
            !Path::new(&format!("/proc/{here}/schedstat")).exists(),
            "no CPU figures: rows on CPU are left out",
        ),
        finding(
            "per-process memory",
            "/proc/PID/smaps_rollup".into(),
            conductor::process::usage::pss_kib(here).is_none(),
            "no PSS: rows on memory are left out",
        ),
        finding(
            "pressure",
            "/proc/pressure/cpu".into(),
            !Path::new("/proc/pressure/cpu").exists(),
            "no stall figures: noise is not told from slowness",
        ),
        finding(
            "control groups",
            if conductor::process::cgroup::is_available() {
                "cpu quotas can be set".into()
            } else {
                "none of ours".into()
            },
            !conductor::process::cgroup::is_available(),
            "`cpu-quota` and `limits.cpu` are left out, and such a run is inconclusive",
        ),
        finding(
            "packet loss",
            losing.as_ref().map_or_else(ToString::to_string, |()| "in a network of its own".into()),
            losing.is_err(),
            "`packet-loss` is left out, and such a run is inconclusive; `drop` models it",
        ),
        finding(
            "open files",
            files.to_string(),
            files < 1_024,
            "raise it with ulimit -n 4096, or loads above 500/s run out",
        ),
    ]
}
