//! Slow, hasty and heavy clients, next to an honest one: its p99 with them, as a ratio to its own without.
//!
//! Twice: from another address, with limits by address; and from the honest client's own, without them. The honest client has
//! an account of its own. All of them share the machine with the suite: what they burn themselves counts as well.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use runtime::Tasks;
use runtime::limits::{self, ResourceLimit};

use super::attacks::{self, Target};
use super::honest::{Honest, Outcome};
use super::processes::{memory_is_bounded, peaks, print_memory};
use super::setting;
use crate::cleave::Cleave;
use crate::up::Suite;

/// The honest client's requests while these attacks go on.
fn under(attacks: &[&str], honest: &Honest, target: &Arc<Target>, length: Duration) -> Outcome {
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = threads.expect("two threads");
    let tasks = Tasks::new();
    {
        let _entered = runtime.enter();
        for name in attacks {
            attacks::begin(name, &tasks, target);
        }
    }
    let began = runtime::clock::now();
    let outcome = honest.ask(false, || runtime::clock::now() - began > length);
    runtime.block_on(tasks.finish(Duration::from_secs(1)));
    outcome
}

/// Each attack, and then all of them, from an address on a suite with these options.
fn attacked_from(from: Ipv4Addr, options: &[&str]) {
    let length = Duration::from_secs_f64(setting("SECONDS").unwrap_or(2.0));
    let most: Option<f64> = setting("MAX_RATIO");
    let cleave = Cleave::new();
    let suite = Suite::start(&cleave, &[&["micro"], options].concat());
    let (honest, target) = (Honest::new(&suite, "honest"), Arc::new(Target::new(&suite, from)));
    let quiet = under(&[], &honest, &target, length);
    let quiet_ms = quiet.quantile_ms(0.99);
    println!("attacks from {from}, options {options:?}");
    println!(
        "quiet: {} requests, p50 {:.1} ms, p99 {quiet_ms:.1} ms",
        quiet.requests(),
        quiet.quantile_ms(0.5)
    );
    quiet.is_served("quiet");
    let mut names = attacks::names();
    if let Some(only) = setting::<String>("ATTACK") {
        names.retain(|name| *name == only);
        assert!(!names.is_empty(), "no attack is called `{only}`: {:?}", attacks::names());
    }
    let mut all: Vec<&[&str]> = names.chunks(1).collect();
    all.push(&names);
    for attacks in all {
        let outcome = under(attacks, &honest, &target, length);
        let (p50, p99) = (outcome.quantile_ms(0.5), outcome.quantile_ms(0.99));
        let ratio = p99 / quiet_ms;
        println!(
            "{}: {} requests, p50 {p50:.1} ms, p99 {p99:.1} ms, x{ratio:.1} of quiet, {}",
            attacks.join(", "),
            outcome.requests(),
            outcome.failures()
        );
        assert!(outcome.requests() > 0, "{attacks:?}: none was answered");
        outcome.is_served(&attacks.join(", "));
        // All at once are some two thousand connections, and leave little of two cores: their ratio and their memory are
        // of interest, and no bound.
        if attacks.len() == 1 {
            assert!(most.is_none_or(|most| ratio <= most), "{attacks:?}: p99 x{ratio:.1} of quiet");
            memory_is_bounded(&cleave);
        } else {
            print_memory(&peaks(&cleave));
        }
    }
    suite.end();
}

#[test]
#[ignore = "attacks a suite for as long as it is asked to"]
fn an_honest_client_is_served_next_to_hostile_ones() {
    // A whole crowd is as many connections as it has clients.
    limits::set(0, ResourceLimit::Files, None).expect("its own limit");
    attacked_from(Ipv4Addr::new(127, 0, 0, 2), &[]);
    attacked_from(Ipv4Addr::LOCALHOST, &["--no-address-limits"]);
}
