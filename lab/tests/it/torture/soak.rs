//! A suite under load for as long as it is asked for: what its processes hold does not grow.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::honest::{Honest, Outcome};
use super::processes::{descriptors, instances, memory_is_bounded, memory_kib};
use super::setting;
use crate::cleave::Cleave;
use crate::up::Suite;

/// Clients that ask all the time.
const CLIENTS: usize = 2;
/// Between two lines.
const MINUTE: Duration = Duration::from_secs(60);
/// Descriptors that a process may have more than after its first minute: connections come and go.
const MORE_DESCRIPTORS: usize = 64;
/// From here on what a process holds is compared: pools, caches and buffers have filled.
const FILLED: Duration = Duration::from_secs(600);
/// Memory that a process may have more at the end than then, KiB: rows and caches of what was posted meanwhile.
const MORE_KIB: u64 = 24 * 1_024;

/// Memory and descriptors of each process, now.
fn held(cleave: &Cleave) -> BTreeMap<String, (u64, usize)> {
    let of = |(name, pid): (String, u32)| Some((name, (memory_kib(pid, "VmRSS")?, descriptors(pid)?)));
    instances(cleave).into_iter().filter_map(of).collect()
}

fn print(minutes: f64, held: &BTreeMap<String, (u64, usize)>) {
    let shown: Vec<String> = held
        .iter()
        .map(|(name, (kib, files))| format!("{name} {:.1} MiB {files} fds", *kib as f64 / 1_024.0))
        .collect();
    println!("{minutes:5.1} min  {}", shown.join(", "));
}

#[test]
#[ignore = "goes on for as long as it is asked to"]
fn what_processes_hold_does_not_grow() {
    let length = Duration::from_secs(setting("SOAK_SECONDS").unwrap_or(20));
    let interval = MINUTE.min(length / 4);
    let cleave = Cleave::shared();
    let suite = Suite::start_with(&cleave, "micro", &[]);
    let clients: Vec<Honest> =
        (0..CLIENTS).map(|number| Honest::new(&suite, &format!("soaked{number}"))).collect();
    let is_over = AtomicBool::new(false);
    let (seen, outcomes) = std::thread::scope(|scope| {
        let asking: Vec<_> = clients
            .iter()
            .map(|client| scope.spawn(|| client.ask(true, || is_over.load(Ordering::Acquire))))
            .collect();
        let began = runtime::clock::now();
        let mut seen = Vec::new();
        let mut passed = Duration::ZERO;
        while passed < length {
            std::thread::sleep(interval.min(length - passed));
            passed = runtime::clock::now() - began;
            seen.push((passed, held(&cleave)));
            print(passed.as_secs_f64() / 60.0, &seen[seen.len() - 1].1);
        }
        is_over.store(true, Ordering::Release);
        let ended = asking.into_iter().map(|client| client.join().expect("no panic"));
        (seen, ended.collect::<Vec<Outcome>>())
    });
    for outcome in &outcomes {
        let (requests, p99) = (outcome.requests(), outcome.quantile_ms(0.99));
        println!("{requests} requests, p99 {p99:.1} ms, {}", outcome.failures());
        outcome.is_served("under the load of its own");
    }
    let (first, last) = (&seen[0].1, &seen[seen.len() - 1].1);
    assert!(first.keys().eq(last.keys()), "no process has ended: {first:?} {last:?}");
    for (name, (_, files)) in last {
        let most = first[name].1 + MORE_DESCRIPTORS;
        assert!(*files <= most, "{name} has {files} descriptors, and had {}", first[name].1);
    }
    if let Some((_, filled)) = seen.iter().find(|(passed, _)| *passed >= FILLED) {
        for (name, (kib, _)) in last {
            let before = filled[name].0;
            assert!(*kib <= before + MORE_KIB, "{name} went from {} to {} MiB", before / 1_024, kib / 1_024);
        }
    }
    memory_is_bounded(&cleave);
    suite.end();
}
