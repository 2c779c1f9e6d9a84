//! What is called different over whole scorecards of generator Q: nothing of a program against itself, and of planted
//! effects as many as the method finds.

use std::sync::Arc;

use record::Finding;
use scorecard::inference::noise::StoredStart;
use scorecard::inference::{Candidate, Conditions, Frame, Margin, Resampling, decide};

use super::bounds::{at_least, at_most};
use super::card::{CPU, Comparison, MAIN, P50, P90, P99, compare};
use super::exact::PLAIN;
use super::queue::{Queue, Round};
use super::random::Random;

/// What is allowed below the tables of power.
const ALLOWANCE: f64 = 0.03;
/// 98 % of generator Q's arrivals at load 0.3 and 120/s take at most this long; made by `long_run`.
const GOOD_US: u64 = 29_113;
/// Starts that a machine's noise was measured from.
const STARTS: usize = 10;

/// How arms run.
#[derive(Clone, Copy)]
struct Design {
    rounds: u32,
    seconds: u32,
    start: f64,
}

/// Arms take turns.
const SIX_ROUNDS: Design = Design { rounds: 6, seconds: 10, start: 0.01 };
/// Side by side; starts differ by 1 or 2 %.
const TWENTY_SECONDS: Design = Design { rounds: 1, seconds: 20, start: 0.01 };

/// Factors of the second arm's latencies and CPU.
type Effect = (f64, f64);
const NONE: Effect = (1.0, 1.0);

impl Design {
    fn arms(&self, effect: Effect, random: &mut Random) -> [Vec<Round>; 2] {
        let queue = Queue {
            drift: 0.03,
            start: self.start,
            is_taking_turns: self.rounds > 1,
            ..Queue::plain(120.0, self.seconds, 0.3, true, true)
        };
        let mut arms = [Vec::new(), Vec::new()];
        for _ in 0..self.rounds {
            let [base, other] = queue.round(random);
            arms[0].push(base);
            arms[1].push(other.scaled(effect.0, effect.1));
        }
        arms
    }

    fn rows(
        &self,
        effect: Effect,
        known: &[Option<StoredStart>; MAIN],
        seed: u64,
        random: &mut Random,
    ) -> Vec<Candidate> {
        let frame = Frame { seed, window: "steady".into(), rounds: self.rounds, seconds: self.seconds };
        let resampling = Arc::new(Resampling::new(&frame));
        let of_row = |row: usize| Conditions {
            margin: Margin::Ratio(if row == CPU { 1.05 } else { 1.1 }),
            depends_on_start: true,
            start: known[row].as_ref(),
            is_taking_turns: self.rounds > 1,
            ..PLAIN
        };
        let comparison = Comparison {
            within_us: GOOD_US,
            conditions: [of_row(0), of_row(1), of_row(2), of_row(3), of_row(4)],
        };
        compare(&self.arms(effect, random), &resampling, &comparison, random)
    }
}

const UNKNOWN: [Option<StoredStart>; MAIN] = [const { None }; MAIN];

fn differs(row: &Candidate) -> bool {
    row.contrast.finding == Some(Finding::Differs)
}

/// How many of some runs of a program against itself have a false finding, with and without the correction for many rows.
fn false_runs(design: Design, runs: u64, seed: u64) -> (u64, u64) {
    let mut random = Random::new(seed);
    let (mut corrected, mut alone) = (0, 0);
    for run in 0..runs {
        let mut rows = design.rows(NONE, &UNKNOWN, run, &mut random);
        decide(&mut rows);
        corrected += u64::from(rows.iter().any(differs));
        alone += u64::from(rows.iter().filter_map(|row| row.evidence).any(|row| row.p <= 0.05));
    }
    println!(
        "{} x {} s: {corrected} of {runs} runs false, {alone} without correction",
        design.rounds, design.seconds
    );
    (corrected, alone)
}

#[test]
fn six_rounds_of_a_program_against_itself_differ_in_one_of_twenty_runs() {
    let (corrected, alone) = false_runs(SIX_ROUNDS, 400, 1);
    assert!(corrected <= at_most(400, 0.05), "{corrected}");
    // Seventeen rows at 5 % each would call nearly half of the runs different.
    assert!(alone > at_most(400, 0.05), "{alone}");
}

#[test]
fn twenty_seconds_of_a_program_against_itself_differ_in_one_of_twenty_runs_whatever_their_starts() {
    let (corrected, _) = false_runs(Design { start: 0.02, ..TWENTY_SECONDS }, 400, 2);
    assert!(corrected <= at_most(400, 0.05), "{corrected}");
}

/// Runs of a program against itself whose log ratios and standard errors are kept, and from each tenth on what they make
/// of a run.
fn with_known_starts(design: Design, effect: Effect, runs: u64, seed: u64) -> Vec<Vec<Candidate>> {
    let mut random = Random::new(seed);
    let mut kept: [Vec<(f64, f64)>; MAIN] = Default::default();
    let mut found = Vec::new();
    for run in 0..runs + STARTS as u64 {
        let quiet = design.rows(NONE, &UNKNOWN, run, &mut random);
        if run >= STARTS as u64 {
            let known = [0, 1, 2, 3, 4].map(|row| {
                let last = &kept[row][kept[row].len() - STARTS..];
                let within = last.iter().map(|(_, error)| error * error).sum::<f64>() / STARTS as f64;
                StoredStart::new(
                    last.iter().map(|(log, _)| *log).collect(),
                    within,
                    f64::from(design.seconds),
                )
            });
            let mut rows = design.rows(effect, &known, run, &mut random);
            decide(&mut rows);
            found.push(rows);
        }
        for (kept, row) in kept.iter_mut().zip(&quiet) {
            let ratio = row.contrast.ratio.and_then(|ratio| ratio.value).expect("compared");
            kept.push((ratio.ln(), row.evidence.expect("judged").error));
        }
    }
    found
}

#[test]
fn where_starts_are_known_a_program_against_itself_differs_in_one_of_twenty_runs() {
    let runs = with_known_starts(Design { start: 0.02, ..TWENTY_SECONDS }, NONE, 400, 3);
    let corrected = runs.iter().filter(|rows| rows.iter().any(differs)).count() as u64;
    println!("known starts: {corrected} of 400 runs false");
    assert!(corrected <= at_most(400, 0.05), "{corrected}");
}

/// Checks how often rows are found against what the method is known to reach.
fn check(name: &str, runs: &[Vec<Candidate>], reached: &[(usize, f64)]) {
    let n = runs.len() as u64;
    for (row, power) in reached {
        let found = runs.iter().filter(|rows| differs(&rows[*row])).count() as u64;
        println!("{name}: row {row} found in {found} of {n}");
        let needed = at_least(n, power - ALLOWANCE);
        assert!(found >= needed, "{name}: row {row} found in {found} of {n}, needed {needed}");
    }
}

fn planted(design: Design, effect: Effect, runs: u64, seed: u64) -> Vec<Vec<Candidate>> {
    let mut random = Random::new(seed);
    let decided = |run| {
        let mut rows = design.rows(effect, &UNKNOWN, run, &mut random);
        decide(&mut rows);
        rows
    };
    (0..runs).map(decided).collect()
}

#[test]
fn six_rounds_find_what_is_planted() {
    check("+10 % CPU", &planted(SIX_ROUNDS, (1.0, 1.1), 200, 11), &[(CPU, 0.78)]);
    let all = planted(SIX_ROUNDS, (1.1, 1.1), 200, 12);
    check("+10 %", &all, &[(CPU, 0.83), (P50, 0.63), (P90, 0.28), (P99, 0.04)]);
    let all = planted(SIX_ROUNDS, (1.25, 1.25), 200, 13);
    check("+25 %", &all, &[(CPU, 1.0), (P50, 1.0), (P90, 0.99), (P99, 0.25)]);
}

#[test]
fn twenty_seconds_find_what_is_planted_beyond_the_margin() {
    let all = planted(TWENTY_SECONDS, (1.25, 1.25), 200, 14);
    check("+25 % beyond the margin", &all, &[(CPU, 1.0), (P50, 0.94), (P90, 0.32)]);
    let all = planted(TWENTY_SECONDS, (1.5, 1.5), 200, 15);
    check("+50 % beyond the margin", &all, &[(CPU, 1.0), (P50, 1.0), (P90, 0.99)]);
}

#[test]
fn twenty_seconds_find_ten_percent_where_starts_are_known() {
    let all = with_known_starts(TWENTY_SECONDS, (1.1, 1.1), 200, 16);
    check("+10 %, known starts", &all, &[(CPU, 0.71), (P50, 0.40), (P90, 0.09)]);
}
