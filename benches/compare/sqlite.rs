//! Transactions on SQLite through the seam of `platform/storage`: CPU, transactions a second and median latency of a point read
//! and a one-row commit, with 1 and 32 in flight. Two threads run them, as in a node on two cores; spans and metrics are not
//! installed.
//!
//! ```text
//! cargo run --release -p benches --features compare --example sqlite -- --rounds 6
//! ```

use std::time::Duration;

use benches::figures::shown;
use benches::transactions::{self, Measurement, Work, measure};
use clap::Parser;
use runtime::Tasks;
use storage::Options;
use tempfile::TempDir;

const IN_FLIGHT: [u32; 2] = [1, 32];

#[derive(Parser)]
struct Arguments {
    /// Rounds; each has every measurement once.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
}

fn main() {
    let Arguments { rounds, seconds } = Arguments::parse();
    let (threads, tasks) = (benches::runtime(), Tasks::new());
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("compare.db");
    let db = threads.block_on(transactions::database(file, Options::default())).expect("it opens");
    let kinds =
        [Work::PointRead, Work::OneRowCommit].map(|work| IN_FLIGHT.map(|in_flight| (work, in_flight)));
    let mut measured: Vec<(Work, u32, Vec<Measurement>)> =
        kinds.concat().into_iter().map(|(work, in_flight)| (work, in_flight, Vec::new())).collect();
    for _ in 0..rounds {
        for (work, in_flight, all) in &mut measured {
            let length = Duration::from_secs(seconds.into());
            let one = measure(tasks.clone(), db.clone(), *work, *in_flight, length);
            all.push(threads.block_on(one));
        }
    }
    println!("| transaction | in flight | CPU us | per s | p50 us |");
    println!("|---|---|---|---|---|");
    for (work, in_flight, all) in &measured {
        let column = |of: fn(&Measurement) -> f64, digits| shown(all.iter().map(of), digits);
        println!(
            "| {} | {in_flight} | {} | {} | {} |",
            work.name(),
            column(|one| one.cpu_us, 1),
            column(|one| one.per_s, 0),
            column(|one| one.p50_us, 1)
        );
    }
    tasks.close();
}
