//! Figures of a long phase that goes on: all of them are of the same seconds, whatever has left memory.

use model::so_far::SoFar;
use model::{Quantile, Run, SECOND};
use record::{Entry, Header, Latencies, Line, Phase, Proc, Window};

use crate::retention::phase;

/// What is kept while a run goes on, and what the judge keeps.
const RETENTIONS: [fn(Run) -> Run; 2] = [Run::live, |run| run];

/// What a second has: many slow answers in the first five minutes, and a few fast ones from then on.
fn answers(second: u32) -> (u64, u64) {
    if second < 300 { (10, 9_000) } else { (2, 1_000) }
}

fn latencies(second: u32) -> Latencies {
    let (count, us) = answers(second);
    std::iter::repeat_n(us, count as usize).collect()
}

/// One phase of so many seconds: half of its answers are good, one read a second misses a write in the first five minutes, and
/// for each arrival its process spends 10 ms, 4 of them on injected delays.
fn folded(length_s: u32, keep: fn(Run) -> Run) -> Run {
    folded_until(length_s, length_s, keep)
}

/// The same, when so many of them have passed.
fn folded_until(now_s: u32, length_s: u32, keep: fn(Run) -> Run) -> Run {
    let arm = record::Arm { letter: 'A', name: "a".into(), ..record::Arm::default() };
    let header = Header {
        arms: vec![arm],
        phases: vec![phase("steady", 0, length_s)],
        rounds: 1,
        ..Header::default()
    };
    let mut run = keep(Run::new(header));
    let line = |t_s: u32, entry: Entry| Line { t: u64::from(t_s) * SECOND, entry };
    let mut sent = 0;
    let proc = |sent: u64| Proc {
        arm: 'A',
        instance: "app#0".into(),
        pid: 1,
        scraped: true,
        cpu_ns: sent * SECOND / 100,
        cpu_timer_ns: sent * SECOND / 250,
        pss_kib: 1_024,
        ..Proc::default()
    };
    run.add(&line(0, Entry::Phase(Phase { index: 0, name: "steady".into(), round: 1, arms: String::new() })));
    run.add(&line(0, Entry::from(proc(sent))));
    for second in 0..now_s {
        let (count, _) = answers(second);
        sent += count;
        let window = Window {
            arm: 'A',
            round: 1,
            journey: "home-feed".into(),
            second,
            offered: count,
            sent: count,
            ok: count,
            good: count / 2,
            probes: 1,
            stale: u64::from(second < 300),
            intended: latencies(second),
            closed: true,
            ..Window::default()
        };
        run.add(&line(second + 1, Entry::from(window)));
        run.add(&line(second + 1, Entry::from(proc(sent))));
        if second % 30 == 29 {
            run.settle();
        }
    }
    run.settle();
    run
}

fn is_near(found: Option<f64>, expected: f64) -> bool {
    found.is_some_and(|found| (found / expected - 1.0).abs() < 0.01)
}

/// Figures of the seconds up to one, by their definitions.
fn check(so_far: SoFar, to: u32) {
    let seconds = || 0..to;
    let sent: u64 = seconds().map(|second| answers(second).0).sum();
    let all = Latencies::merged(&seconds().map(latencies).collect::<Vec<_>>());
    assert_eq!(all.len(), sent);
    for (q, found) in [(0.5, so_far.latency_p50), (0.99, so_far.latency_p99)] {
        assert_eq!(found.value, Quantile::of(&all, q).ms, "of {sent} answers: {so_far:?}");
    }
    let per_second = (sent / 2) as f64 / f64::from(to);
    assert!(is_near(so_far.rate.value, per_second), "{per_second} a second: {so_far:?}");
    assert!(is_near(so_far.cpu_per_journey.value, 6.0), "6 ms of each arrival are its own: {so_far:?}");
    assert!(is_near(so_far.stale_reads.value, 300.0 / f64::from(to)), "{so_far:?}");
}

#[test]
fn figures_of_a_phase_of_a_quarter_of_an_hour_are_of_all_of_it() {
    for keep in RETENTIONS {
        let run = folded(900, keep);
        check(run.so_far_at('A', 900 * SECOND), 900);
        check(run.so_far_at('A', 700 * SECOND), 700);
        let long_after = Line { t: 1_400 * SECOND, entry: Entry::Host(record::Host::default()) };
        let mut over = run.clone();
        over.take([&long_after]);
        check(over.so_far_at('A', 1_400 * SECOND), 900);
    }
}

#[test]
fn figures_of_a_phase_of_an_hour_are_of_all_of_it() {
    for keep in RETENTIONS {
        let run = folded(3_600, keep);
        check(run.so_far_at('A', 3_600 * SECOND), 3_600);
        check(run.so_far_at('A', 3_400 * SECOND), 3_400);
    }
}

#[test]
fn of_a_moment_that_memory_has_thinned_there_are_no_percentiles_and_other_figures_only_of_the_whole_phase() {
    let run = folded_until(580, 900, Run::live);
    let past = run.so_far_at('A', 200 * SECOND);
    assert_eq!((past.latency_p50.value, past.latency_p99.value), (None, None), "{past:?}");
    assert_eq!((past.rate.value, past.stale_reads.value), (Some(5.0), Some(1.0)), "{past:?}");
    assert!(is_near(past.cpu_per_journey.value, 6.0), "{past:?}");
    // What the phase began with has gone to a segment, which goes on beyond the moment.
    let run = folded(3_600, Run::live);
    let past = run.so_far_at('A', 2_400 * SECOND);
    let shown = [past.latency_p50, past.latency_p99, past.rate, past.cpu_per_journey, past.stale_reads];
    assert!(shown.iter().all(|figure| figure.value.is_none()), "{past:?}");
}
