//! What this machine can do, and what degrades without it.

use std::path::Path;
use std::process::ExitCode;

/// One finding.
struct Finding {
    what: &'static str,
    found: String,
    /// What degrades, where something is missing.
    without: Option<&'static str>,
}

/// `cleave doctor`.
pub fn doctor() -> ExitCode {
    let findings = findings();
    let width = findings.iter().map(|finding| finding.what.len()).max().unwrap_or(0);
    for Finding { what, found, without } in &findings {
        let mark = if without.is_some() { '-' } else { '+' };
        println!("{mark} {what:width$}  {found}");
        if let Some(without) = without {
            println!("  {:width$}  {without}", "");
        }
    }
    ExitCode::SUCCESS
}

fn findings() -> Vec<Finding> {
    let machine = conductor::procfs::machine();
    let here = std::process::id();
    let finding = |what, found: String, missing: bool, without| Finding {
        what,
        found,
        without: missing.then_some(without),
    };
    let files = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)
        .map_or(0, |(soft, _)| soft);
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
            conductor::procfs::pss_kib(here).is_none(),
            "no PSS: rows on memory are left out",
        ),
        finding(
            "pressure",
            "/proc/pressure/cpu".into(),
            !Path::new("/proc/pressure/cpu").exists(),
            "no stall figures: noise is not told from slowness",
        ),
        finding(
            "open files",
            files.to_string(),
            files < 1_024,
            "raise it with ulimit -n 4096, or loads above 500/s run out",
        ),
    ]
}
