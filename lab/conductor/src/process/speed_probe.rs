//! How fast a core is now: CPU of a fixed piece of work. In a virtual machine, and beside other programs, one and the same work
//! takes more at one time than at another.

use std::hint::black_box;

use record::MachineSpeed;
use runtime::clock;

/// Samples of a probe: 30 to 40 ms of CPU.
const SAMPLES: usize = 11;
/// Entries of the table that is walked, 2 MiB: beyond the first cache of a core, and at the edge of the second.
const ENTRIES: usize = 1 << 18;
/// Walks over the table take every entry once, in an order that no cache foresees: a linear congruential generator has a full
/// period where the multiplier is one more than a multiple of 4 and the increment odd (Hull & Dobell 1962).
const MULTIPLIER: usize = 1_664_525;
const INCREMENT: usize = 1_013_904_223;
/// Steps of a sample, some 3 ms of CPU. A build that is not optimised takes about ten times as long for one; figures of two
/// builds are not compared.
const STEPS: u32 = if cfg!(debug_assertions) { 10_000 } else { 100_000 };
/// Integer work between two entries.
const MIXES: u32 = 8;
/// Where the integer work begins; any number but 0.
const SEED: u64 = 0x9E37_79B9_7F4A_7C15;

/// The speed of the machine, by what one thread takes for the work now; `None` where the kernel gives no CPU time of a thread.
/// Takes 40 ms or more: not for a thread that others wait for.
pub fn measure() -> Option<MachineSpeed> {
    let table = table();
    // What the table's pages and the core's caches take at first is no speed.
    black_box(work(&table));
    let sample = |_| {
        let from = clock::thread_cpu_ns();
        black_box(work(black_box(&table)));
        clock::thread_cpu_ns().saturating_sub(from)
    };
    MachineSpeed::of_samples((0..SAMPLES).map(sample).collect())
}

/// Of each entry the next one.
fn table() -> Vec<usize> {
    (0..ENTRIES).map(|at| at.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT) % ENTRIES).collect()
}

/// The work: a load that depends on the one before, and integers that depend on both (xorshift64*, Vigna 2016).
fn work(table: &[usize]) -> u64 {
    let (mut at, mut state) = (0, SEED);
    for _ in 0..STEPS {
        at = table[at];
        for _ in 0..MIXES {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            state = state.wrapping_mul(0x2545_F491_4F6C_DD1D);
        }
        state ^= at as u64;
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_comes_to_every_entry_once() {
        let table = table();
        let mut seen = vec![false; ENTRIES];
        let mut at = 0;
        for _ in 0..ENTRIES {
            assert!(!std::mem::replace(&mut seen[at], true), "{at} comes twice");
            at = table[at];
        }
        assert_eq!(at, 0, "and begins anew");
    }

    #[test]
    fn the_work_is_always_the_same_and_takes_time() {
        assert_eq!(work(&table()), work(&table()));
        let speed = measure().expect("a clock of the thread");
        assert!(speed.low_ns > 0 && speed.low_ns <= speed.probe_ns && speed.probe_ns <= speed.high_ns);
    }
}
