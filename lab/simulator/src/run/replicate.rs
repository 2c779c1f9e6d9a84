//! Independent replications, in parallel, with results that do not depend on how many threads there were.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use crate::engine::Draws;

/// Runs `replication` with `count` seeds drawn from `seed`, on so many threads, and returns results in the order of seeds.
///
/// Nothing is shared between replications. A replication that panics ends them all.
pub fn replicate<T: Send>(
    seed: u64,
    count: u64,
    threads: usize,
    replication: impl Fn(u64) -> T + Sync,
) -> Vec<T> {
    let seeds = Draws::new(seed, "replication");
    in_order(count, threads, |number| replication(seeds.bits(number)))
}

/// Does `count` pieces of work on so many threads, and returns what came of them in the order of their numbers. One that panics
/// ends them all.
pub fn in_order<T: Send>(count: u64, threads: usize, work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(0);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, usize::try_from(count).unwrap_or(usize::MAX).max(1)) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    if sender.send((number, work(number))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
    });
    let mut results: Vec<(u64, T)> = receiver.into_iter().collect();
    results.sort_unstable_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_seeds() {
        let one = replicate(5, 40, 1, |seed| seed);
        assert_eq!(one.len(), 40);
        assert_eq!(replicate(5, 40, 3, |seed| seed), one);
        assert_ne!(replicate(6, 40, 3, |seed| seed), one);
        assert!(replicate(5, 0, 2, |seed| seed).is_empty());
    }
}
