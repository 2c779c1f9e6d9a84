//! Throws mutated scenario files and expectation strings at the reader: no panic, no hang, bounded memory.
//!
//! `cargo run --release -p scenario --example fuzz -- [seconds] [inputs] [seed]`
//!
//! The corpus is every scenario of the house, every broken one of the tests, and what
//! lies in `lab/scenario/fuzz`: inputs that once found something. An input that fails is
//! written there before the program ends, so that it is found again for ever.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use contract::ComponentName;
use scenario::Application;
use scorecard::Expectation;

const SCENARIO_FOLDERS: &str = env!("CARGO_MANIFEST_DIR");
/// An input that takes longer counts as a hang.
const MAX_READ_TIME: Duration = Duration::from_secs(2);
/// Resident memory beyond what the corpus takes, KiB.
const MAX_GROWTH_KIB: u64 = 256 * 1_024;

const COMPONENTS: [ComponentName; 5] = [
    ComponentName::of("profile"),
    ComponentName::of("follower"),
    ComponentName::of("feed"),
    ComponentName::of("search"),
    ComponentName::of("photo"),
];
/// Edges enough to be right or wrong about one.
const CALLS: [(ComponentName, ComponentName); 3] = [
    (ComponentName::GATEWAY, ComponentName::of("feed")),
    (ComponentName::of("feed"), ComponentName::of("follower")),
    (ComponentName::of("feed"), ComponentName::of("photo")),
];
const APPLICATION: Application<'_> =
    Application { components: &COMPONENTS, calls: &CALLS, events: &[], tables: &[] };

/// Pieces that mean something to the reader, and some that should not.
const WORDS: &[&str] = &[
    "\"250ms\"",
    "\"280/s\"",
    "\"10x\"",
    "\"30%\"",
    "\"96MiB\"",
    "\"1e308s\"",
    "\"-1s\"",
    "\"é\"",
    "\"\"",
    "0",
    "-1",
    "99999999999999999999",
    "1e400",
    "true",
    "[]",
    "{}",
    "[[[[",
    "}}}}",
    "\"feed->follower\"",
    "\"zone:a\"",
    "\"db:photo\"",
    "\"cache:profile\"",
    "\"photo#0\"",
    "\"photo#99999999999\"",
    "\"*->*\"",
    "\"each\"",
    "[\"*\"]",
    "do = \"kill\"",
    "do = \"deploy\"",
    "for = \"5s\"",
    "every = 0",
    "share = \"0%\"",
    "pick = \"50%\"",
    "until = \"errors(all) > 1%\"",
    "[[step]]",
    "[variant.x]",
    "[topology.every-grouping]",
    "\u{0}",
    "\u{feff}",
    "'''",
    "\"\"\"",
    "\\",
    "#",
    "\n\n",
    "=",
    ".",
    "telemetry = \"off\"",
];

/// Pieces of expectations.
const TERMS: &[&str] = &[
    "p50(",
    "p99(",
    "all",
    "home-feed",
    ")",
    " in ",
    "steady",
    "last 10s",
    "whole",
    " for ",
    "mono",
    ",",
    "micro",
    " <= ",
    " < ",
    " == ",
    " > ",
    "3.5 * ",
    "0.1",
    "95%",
    "250ms",
    "280/s",
    "1e999",
    "96MiB",
    "attempts(feed->follower)",
    "wasted(follower)",
    "blast_radius(step x)",
    "breaker_open(feed->photo)",
    "host.cpu_stall",
    " held 15s",
    "slower(all 100ms)",
    "capacity(all 50ms)",
    "é",
    "((",
    "->",
    "*",
    "-",
    ".",
    "",
];

/// xorshift64* (Vigna 2016): inputs come again with their seed.
struct RandomSource(u64);

impl RandomSource {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

fn corpus() -> Vec<String> {
    let folders = ["../../scenarios", "tests/it/bad", "fuzz", "../tests/it/scenarios/traps"];
    let mut paths: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| {
            std::fs::read_dir(Path::new(SCENARIO_FOLDERS).join(folder)).into_iter().flatten().flatten()
        })
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    paths.sort();
    paths.iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}

fn at_boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn mutate(random: &mut RandomSource, text: &mut String, corpus: &[String]) {
    let at = at_boundary(text, random.below(text.len() + 1));
    let end = at_boundary(text, at + random.below(40));
    match random.below(8) {
        0 => text.insert_str(at, random.one(WORDS)),
        1 => text.replace_range(at..end, random.one(WORDS)),
        2 => text.replace_range(at..end, ""),
        3 => {
            // A value becomes another one.
            let line_end = text[at..].find('\n').map_or(text.len(), |n| at + n);
            let from = text[at..line_end].find("= ").map_or(line_end, |n| at + n + 2);
            text.replace_range(from..line_end, random.one(WORDS));
        }
        4 => {
            let other = &corpus[random.below(corpus.len())];
            let from = at_boundary(other, random.below(other.len() + 1));
            let to = at_boundary(other, from + random.below(300));
            text.insert_str(at, &other[from..to]);
        }
        5 => {
            let copy = text[at..end].to_owned();
            text.insert_str(at, &copy);
        }
        6 => text.truncate(at),
        _ => {
            let terms: String = (0..random.below(8)).map(|_| random.one(TERMS)).collect();
            text.insert_str(at, &terms);
        }
    }
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn keep(input: &str, why: &str) -> ExitCode {
    let path = Path::new(SCENARIO_FOLDERS)
        .join("fuzz")
        .join(format!("found-{:016x}.toml", contract::hash::fnv1a64_with(input.as_bytes(), 0)));
    let kept =
        std::fs::write(&path, input).map_or_else(|error| error.to_string(), |()| path.display().to_string());
    eprintln!("{why}: {kept}");
    ExitCode::FAILURE
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().ok());
    let mut next = |default| arguments.next().flatten().unwrap_or(default);
    let (seconds, inputs, seed) = (next(600), next(1_000_000), next(42));
    let corpus = corpus();
    assert!(!corpus.is_empty(), "there is no corpus in {SCENARIO_FOLDERS}");
    let mut random = RandomSource(seed | 1);
    let began = runtime_now();
    let (mut files, mut strings, mut right, mut slowest) = (0_u64, 0_u64, 0_u64, Duration::ZERO);
    let base = resident_kib();
    while (files + strings < inputs) || began.elapsed() < Duration::from_secs(seconds) {
        let is_file = random.below(2) == 0;
        let mut input = if is_file { corpus[random.below(corpus.len())].clone() } else { String::new() };
        if is_file {
            for _ in 0..=random.below(6) {
                mutate(&mut random, &mut input, &corpus);
            }
        } else {
            input = (0..random.below(14)).map(|_| random.one(TERMS)).collect();
        }
        let started = runtime_now();
        let outcome = std::panic::catch_unwind(|| {
            if is_file {
                match scenario::read(Path::new("fuzz.toml"), input.clone(), &APPLICATION) {
                    Ok(_) => true,
                    // The message is what a user sees: it must not panic either.
                    Err(diagnostics) => diagnostics.to_string().is_empty(),
                }
            } else {
                input.parse::<Expectation>().is_ok()
            }
        });
        let took = started.elapsed();
        slowest = slowest.max(took);
        match outcome {
            Err(_) => return keep(&input, "a panic"),
            Ok(ok) => right += u64::from(ok),
        }
        if took > MAX_READ_TIME {
            return keep(&input, "too slow");
        }
        files += u64::from(is_file);
        strings += u64::from(!is_file);
        if (files + strings).is_multiple_of(100_000) {
            let grown = resident_kib().saturating_sub(base);
            println!(
                "{files} files, {strings} expectations, {right} of them right, slowest {slowest:?}, {grown} KiB grown"
            );
            if grown > MAX_GROWTH_KIB {
                return keep(&input, "memory grows");
            }
        }
    }
    println!(
        "{files} files and {strings} expectations in {:?}; {right} were right, the slowest took {slowest:?}",
        began.elapsed()
    );
    ExitCode::SUCCESS
}

#[expect(clippy::disallowed_methods, reason = "a program of its own, outside every run")]
fn runtime_now() -> Instant {
    Instant::now()
}
