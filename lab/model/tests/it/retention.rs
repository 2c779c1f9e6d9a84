//! A long run: what is asked of phases stays exact, and what is held in memory stays bounded.

use std::sync::OnceLock;

use model::retention::{DETAIL_SECONDS, THINNED_SECONDS};
use model::{Run, SECOND, TimeRange, Window};
use record::{Edge, Entry, Header, Latencies, Line, Phase, PhasePlan, Proc};

/// Two and a half hours: longer than anything is kept second by second.
const LENGTH_S: u32 = 9_000;

/// A measured phase between two seconds.
pub fn phase(name: &str, from: u32, to: u32) -> PhasePlan {
    PhasePlan {
        name: name.into(),
        start_ns: u64::from(from) * SECOND,
        length_ns: u64::from(to - from) * SECOND,
        measure: true,
    }
}

fn header() -> Header {
    Header {
        phases: vec![
            phase("steady", 0, 4_000),
            phase("crash", 4_000, 4_100),
            phase("after", 4_100, LENGTH_S),
        ],
        rounds: 1,
        ..Header::default()
    }
}

/// Every second has a latency of its own among its neighbours.
fn latency(second: u32) -> Latencies {
    [u64::from(second % 97) * 1_000 + 1; 4].into_iter().collect()
}

fn line(t_s: u32, entry: Entry) -> Line {
    Line { t: u64::from(t_s) * SECOND, entry }
}

fn second(s: u32) -> Vec<Line> {
    let window = record::Window {
        arm: 'A',
        round: 1,
        journey: "home-feed".into(),
        second: s,
        offered: 5,
        sent: 5,
        ok: 4,
        good: 4,
        errors: [("timeout".to_owned(), 1)].into(),
        intended: latency(s),
        closed: true,
        ..record::Window::default()
    };
    // A tenth of a core; restarted in the 5,000th second.
    let (pid, since) = if s < 5_000 { (1, 0) } else { (2, 5_000) };
    let cpu_ns = u64::from(s - since) * SECOND / 10;
    let process = Proc { arm: 'A', instance: "app#0".into(), pid, cpu_ns, ..Proc::default() };
    let edge = Edge { arm: 'A', caller: "feed".into(), callee: "photo".into(), ..Edge::default() };
    vec![line(s + 1, Entry::from(window)), line(s + 1, Entry::from(process)), line(s + 1, Entry::Edge(edge))]
}

/// Folded once: both tests ask it.
fn long_run() -> &'static Run {
    static RUN: OnceLock<Run> = OnceLock::new();
    RUN.get_or_init(fold_long_run)
}

fn fold_long_run() -> Run {
    let mut run = Run::new(header());
    run.add(&line(0, Entry::Phase(Phase { index: 0, name: "steady".into(), round: 1, arms: String::new() })));
    for s in 0..LENGTH_S {
        run.take(&second(s));
    }
    run
}

#[test]
fn sums_and_percentiles_of_a_long_run_are_exact_over_its_phases_and_blocks() {
    let run = long_run();
    let windows = ["steady", "crash", "after"].map(|name| Window::Phase(name.into()));
    for window in windows.iter().chain([&Window::Whole]) {
        for range in run.units(window).into_iter().chain([run.whole(window)]) {
            let seconds = range.seconds.clone();
            let count = u64::from(seconds.end - seconds.start);
            assert_eq!(run.sum('A', &range, "all", |w| w.offered), 5 * count, "{range:?}");
            assert_eq!(run.sum('A', &range, "all", model::journeys::failed), count, "{range:?}");
            let all: Vec<Latencies> = seconds.map(latency).collect();
            let merged = run.merged('A', &range, "all", |w| &w.intended);
            assert_eq!(merged, Latencies::merged(&all), "{range:?}");
        }
    }
    let cpu = |from, to| run.cpu_ns('A', &TimeRange { round: 0, seconds: from..to });
    // What was sampled every tenth second still adds up to a tenth of a core, as far back as seconds are known.
    assert_eq!(cpu(LENGTH_S - 100, LENGTH_S), Some(10 * SECOND - SECOND / 10 + SECOND / 10));
    assert_eq!(cpu(7_500, 8_000), Some(50 * SECOND));
}

#[test]
fn what_is_held_in_memory_is_bounded() {
    let run = long_run();
    let samples = run.processes('A').map(|(_, samples)| samples.len()).sum::<usize>();
    // A sample a unit, of which a run has 600 at most, and a few where phases begin.
    let limit = DETAIL_SECONDS + 60 + 600 + 20;
    assert!((DETAIL_SECONDS as usize..=limit as usize).contains(&samples), "{samples} samples of a process");
    let known = run.seconds_between('A', 1, 0, u32::MAX).count();
    let thinned = THINNED_SECONDS as usize;
    assert!((thinned..thinned + 100).contains(&known), "{known} seconds");
    let detailed = run.seconds_between('A', 1, 0, u32::MAX);
    let detailed = detailed.filter(|(_, second)| second.windows().any(|window| !window.intended.is_empty()));
    assert!(detailed.count() <= DETAIL_SECONDS as usize + 1);
    // The percentile a chart draws is known where its histogram is not any more.
    let (_, old) = run.seconds_between('A', 1, 0, u32::MAX).next().expect("the oldest");
    assert!(old.p99().ms.is_some() && old.offered == 5);
}

#[test]
fn what_a_process_had_at_most_is_known_of_a_whole_run_and_of_its_own_phase() {
    let phases = vec![phase("steady", 0, 1_200), phase("crash", 1_200, 1_300), phase("after", 1_300, 2_700)];
    let mut run = Run::new(Header { phases, rounds: 1, ..Header::default() });
    run.add(&line(0, Entry::Phase(Phase { index: 0, name: "steady".into(), round: 1, arms: String::new() })));
    for s in 0..=2_700 {
        // A sample shows the waits of the second before it: those at 1,200 s are of the last second of the first phase.
        let wait_us = match s {
            1_200 => 7_000,
            1_202 => 9_000,
            _ => 10,
        };
        let process = Proc {
            arm: 'A',
            instance: "app#0".into(),
            pid: 1,
            // One that does not answer shows none.
            scraped: s != 1_201,
            sockets: if s == 703 { 50 } else { 5 },
            longest_waits: [("photo tx".to_owned(), wait_us)].into(),
            ..Proc::default()
        };
        let edge = Edge { arm: 'A', caller: "feed".into(), callee: "photo".into(), ..Edge::default() };
        run.take(&[line(s, Entry::from(process)), line(s, Entry::Edge(edge))]);
    }
    let longest = ["steady", "crash", "after"].map(|name| {
        let range = run.whole(&Window::Phase(name.into()));
        run.longest_wait('A', &range, |_| true).map(|wait| wait.us)
    });
    assert_eq!(longest, [Some(7_000), Some(9_000), Some(10)]);
    let calls = ["steady", "crash", "after"]
        .map(|name| run.edges('A', &run.whole(&Window::Phase(name.into()))).count());
    assert_eq!(calls, [1_200, 100, 1_400], "a sample a second");
    let (_, samples) = run.processes('A').next().expect("one process");
    assert_eq!(samples[0].0, 0, "its first sample is there");
    let is_most = |(_, proc): &&(u64, std::sync::Arc<Proc>)| proc.sockets == 50;
    let (t, _) = samples.iter().find(is_most).expect("left behind by the sample that had it");
    assert_eq!(t / SECOND, 700, "a unit has five seconds");
    // Of the last ten minutes each, of those before one a unit, and those where phases begin.
    assert!((600..=600 + 60 + 2_100 / 5 + 12).contains(&samples.len()), "{} samples", samples.len());
}
