//! What takes minutes or hours, and proves that nothing is lost, left, or starved meanwhile:
//!
//! - `kills`: processes of an arm are killed under writes; a client of its own looks for each write afterwards.
//! - `stores`: the same of database servers, their backends and the broker, with the features `postgres` and `nats`.
//! - `leftovers`: the lab is killed with every fault in force; nothing of it stays.
//! - `neighbours`: slow, hasty and heavy clients next to an honest one.
//! - `soak`: memory and descriptors of a suite, minute by minute. `lab_memory`: the same of the lab itself, with two arms and the
//!   terminal.
//!
//! `writers`, `audit`: the writes and where they must be found. `honest`: a client that only asks. `attacks`: what hostile
//! ones do. `processes`: the suite's, as the kernel shows them.
//!
//! ```text
//! cargo test --manifest-path lab/Cargo.toml --test it torture -- --ignored --nocapture --test-threads 1
//! ```
//!
//! Each prints what it saw. Environment variables make them longer: `CLEAVE_TORTURE_KILLS`, `CLEAVE_TORTURE_STORE_KILLS`,
//! `CLEAVE_TORTURE_LAB_KILLS`, `CLEAVE_TORTURE_SECONDS` (of each attack), `CLEAVE_TORTURE_CROWD` (per cent of the slow clients),
//! `CLEAVE_TORTURE_ATTACK` (one attack, by name), `CLEAVE_TORTURE_SOAK_SECONDS`, `CLEAVE_TORTURE_LAB_SOAK_SECONDS`,
//! `CLEAVE_TORTURE_SEED`, and `CLEAVE_TORTURE_MAX_RATIO`, above
//! which the honest client's p99 next to one attack fails, and with which none of its requests may be late: for a machine that
//! is the test's alone (unset, the p99 is printed only, and one request in twenty may be late). Without `--test-threads 1` those
//! of which no figure is asserted go on beside each other.

mod attacks;
mod audit;
mod honest;
mod kills;
mod lab_memory;
mod leftovers;
mod neighbours;
mod processes;
mod soak;
mod stores;
mod writers;

use std::str::FromStr;

use runtime::random::RandomStream;

/// Memory that a process of a suite may hold, KiB, whatever its clients do.
const MAX_MEMORY_KIB: u64 = 150 * 1_024;

/// A number, or a name, from the environment, `CLEAVE_TORTURE_{name}`.
fn setting<T: FromStr>(name: &str) -> Option<T> {
    let name = format!("CLEAVE_TORTURE_{name}");
    let text = std::env::var(&name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} = `{text}` is not a number")))
}

/// Draws of a test. The seed is printed, and another one is set by `CLEAVE_TORTURE_SEED`.
struct Draws(RandomStream);

impl Draws {
    fn new(label: &str) -> Self {
        let seed = setting("SEED").unwrap_or(1);
        println!("{label}: seed {seed}");
        Self(RandomStream::new(seed, label))
    }

    /// A number below `limit`, which is not 0.
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.0.next_u64() % limit as u64).expect("below a length")
    }
}
