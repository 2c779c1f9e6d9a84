//! Statements on PostgreSQL through the seam of `platform/storage` beside `pgbench` with the same statements: CPU of the client,
//! transactions a second and median latency, with 1 and 8 in flight.
//!
//! The two take turns within a round, so that what disturbs one disturbs the other; ratios are to pgbench in the same round. Each
//! has one thread, prepared statements and connections that are kept, through a Unix socket of a server that is started for
//! this, with the settings of a run's. Ours takes them from its pool; spans and metrics are not installed.
//!
//! ```text
//! cargo run --profile published -p benches --features postgres --example postgres -- --rounds 6
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use benches::figures::{shown, spread};
use benches::transactions::{self, BODY, Measurement, Work, measure};
use clap::Parser;
use runtime::Tasks;
use storage::Options;
use storage::postgres::Address;
use tempfile::TempDir;

const IN_FLIGHT: [u32; 2] = [1, 8];
/// Units of `/proc/PID/stat` a second (proc(5), `sysconf(_SC_CLK_TCK)`): a hundred on every platform of Linux.
const TICKS_PER_S: f64 = 100.0;
/// Share of its transactions whose latency pgbench writes down.
const SAMPLING_RATE: &str = "0.02";

#[derive(Parser)]
struct Arguments {
    /// Rounds; each contestant runs once in each, and who is first turns.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
}

/// The same work for pgbench.
const fn script(work: Work) -> &'static str {
    match work {
        Work::PointRead => "\\set id random(1, 10000)\nSELECT body FROM item WHERE id = :id;\n",
        Work::OneRowCommit => {
            "\\set id random(1, 10000)\n\
             BEGIN ISOLATION LEVEL SERIALIZABLE;\n\
             INSERT INTO written (number, body) VALUES (:id, :body);\n\
             COMMIT;\n"
        }
    }
}

/// Runs pgbench for so long.
fn measure_pgbench(url: &str, work: Work, in_flight: u32, seconds: u32) -> Measurement {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("script");
    std::fs::write(&file, script(work)).expect("a folder of ours");
    let cpu_before = cpu_of_children_s();
    let output = Command::new(pgbench())
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=1", "--log", "--log-prefix=log"])
        .arg(format!("--sampling-rate={SAMPLING_RATE}"))
        .arg(format!("--client={in_flight}"))
        .arg(format!("--time={seconds}"))
        .arg(format!("--define=body={}", "x".repeat(BODY)))
        .arg(format!("--file={}", file.display()))
        .arg(url)
        .current_dir(folder.path())
        .output()
        .expect("`pgbench` starts (Debian: postgresql)");
    let cpu_s = cpu_of_children_s() - cpu_before;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let number = |before: &str| -> f64 {
        let rest = text.lines().find_map(|line| line.strip_prefix(before));
        let word = rest.and_then(|rest| rest.split_whitespace().next()).and_then(|word| word.parse().ok());
        word.unwrap_or_else(|| panic!("no `{before}` in {text}"))
    };
    let transactions = number("number of transactions actually processed: ");
    Measurement {
        cpu_us: cpu_s * 1e6 / transactions,
        per_s: number("tps = "),
        p50_us: median_of_log(folder.path()),
    }
}

/// The program of the server's version. What Debian has on PATH is a script that looks for it first.
fn pgbench() -> PathBuf {
    let of_server =
        postgres_server::Programs::find().ok().map(|found| found.postgres.with_file_name("pgbench"));
    of_server.filter(|program| program.is_file()).unwrap_or_else(|| "pgbench".into())
}

/// CPU of the children of this process that have ended, seconds: the server goes on.
fn cpu_of_children_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    // The name of the program, which may hold anything, ends with the last bracket; `state` is the third field, `cutime` and
    // `cstime` are the 16th and the 17th.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(13).take(2).map(|ticks| ticks.parse::<f64>().expect("a number")).sum::<f64>() / TICKS_PER_S
}

/// Median latency of the transactions that pgbench wrote down, us: the third field of each line.
fn median_of_log(folder: &Path) -> f64 {
    let files = std::fs::read_dir(folder).expect("a folder of ours").flatten();
    let logs = files.filter(|file| file.file_name().to_string_lossy().starts_with("log"));
    let texts: Vec<String> = logs.map(|log| std::fs::read_to_string(log.path()).expect("readable")).collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    let times = lines.filter_map(|line| line.split_whitespace().nth(2)?.parse::<f64>().ok());
    spread(times.collect()).0
}

fn main() {
    let Arguments { rounds, seconds } = Arguments::parse();
    let url = match postgres_server::scratch::url() {
        Ok(url) => url,
        Err(reason) => {
            eprintln!("there is no server to compare on: {reason}");
            std::process::exit(2);
        }
    };
    let thread = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let (thread, tasks) = (thread.expect("a thread"), Tasks::new());
    let db = thread.block_on(async {
        let most = IN_FLIGHT[1];
        let options = Options { readers: most, writers: most, ..Options::default() };
        let address: Address = url.parse().expect("an address");
        transactions::database(address, options).await.expect("it opens")
    });
    println!("| transaction | in flight | client | CPU us | to pgbench | per s | to pgbench | p50 us |");
    println!("|---|---|---|---|---|---|---|---|");
    for work in [Work::PointRead, Work::OneRowCommit] {
        for in_flight in IN_FLIGHT {
            let ours = || {
                let length = Duration::from_secs(seconds.into());
                thread.block_on(measure(tasks.clone(), db.clone(), work, in_flight, length))
            };
            let pgbench = || measure_pgbench(&url, work, in_flight, seconds);
            let round = |number: u32| match number % 2 {
                0 => (pgbench(), ours()),
                _ => {
                    let ours = ours();
                    (pgbench(), ours)
                }
            };
            let rounds: Vec<(Measurement, Measurement)> = (0..rounds).map(round).collect();
            let line = |client: &str, of: &dyn Fn(&(Measurement, Measurement)) -> [f64; 5]| {
                let column = |at: usize, digits| shown(rounds.iter().map(|round| of(round)[at]), digits);
                println!(
                    "| {} | {in_flight} | {client} | {} | {} | {} | {} | {} |",
                    work.name(),
                    column(0, 1),
                    column(1, 2),
                    column(2, 0),
                    column(3, 2),
                    column(4, 0)
                );
            };
            line("pgbench", &|(pgbench, _)| [pgbench.cpu_us, 1.0, pgbench.per_s, 1.0, pgbench.p50_us]);
            line("ours", &|(pgbench, ours)| {
                let (cpu, rate) = (ours.cpu_us / pgbench.cpu_us, ours.per_s / pgbench.per_s);
                [ours.cpu_us, cpu, ours.per_s, rate, ours.p50_us]
            });
        }
    }
    tasks.close();
}
