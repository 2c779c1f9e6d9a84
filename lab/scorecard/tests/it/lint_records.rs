//! What lints look at: a quiet run, changed.

use record::{Entry, Host, Latencies, Proc, StepPlan, Window};
use scorecard::Circumstances;

use crate::fixture::{Run, SECOND};

pub const MS: u64 = 1_000;

/// A run with what the lab knows besides.
pub type Recorded = (Run, Circumstances);

pub fn quiet() -> Run {
    Run::new().quiet(|_, _| 5 * MS)
}

pub fn plain(run: Run) -> Recorded {
    (run, Circumstances::default())
}

pub fn known(change: impl FnOnce(&mut Circumstances)) -> Recorded {
    let mut circumstances = Circumstances::default();
    change(&mut circumstances);
    (quiet(), circumstances)
}

/// A quiet run that claims something.
pub fn claiming(text: &str) -> Run {
    quiet().claiming(text)
}

pub fn with_header(mut run: Run, change: impl FnOnce(&mut record::Header)) -> Run {
    change(run.header());
    run
}

/// The home feeds of an arm in each second that counts, changed.
pub fn with_seconds(mut run: Run, arm: char, change: impl Fn(&mut Window)) -> Run {
    for second in 5..35 {
        let latencies: Latencies = std::iter::repeat_n(5 * MS, 20).collect();
        let mut window = Window {
            arm,
            round: 1,
            journey: "home-feed".into(),
            second,
            offered: 20,
            sent: 20,
            ok: 20,
            good: 20,
            pages: 20,
            intended: latencies.clone(),
            service: latencies,
            finished: Some(20),
            closed: true,
            ..Window::default()
        };
        change(&mut window);
        run.add(u64::from(second) * SECOND, Entry::from(window));
    }
    run
}

/// Journeys of an arm that fail, of twenty a second.
pub fn with_failures(run: Run, arm: char, failed: u64) -> Run {
    with_seconds(run, arm, |window| {
        (window.ok, window.good) = (20 - failed, 20 - failed);
        window.errors = [("status_5xx".to_owned(), failed)].into_iter().collect();
        window.intended = std::iter::repeat_n(5 * MS, (20 - failed) as usize).collect();
    })
}

/// Arrivals of an arm that are dropped by design, of twenty a second.
pub fn with_drops(run: Run, arm: char, dropped: u64) -> Run {
    let run = with_header(run, |header| header.drops = true);
    with_seconds(run, arm, |window| {
        let ok = 20 - dropped;
        (window.ok, window.good, window.sent, window.dropped) = (ok, ok, ok, dropped);
        window.intended = std::iter::repeat_n(5 * MS, ok as usize).collect();
    })
}

/// Seconds of the host, from one to another.
pub fn with_hosts(mut run: Run, seconds: std::ops::Range<u64>, change: impl Fn(&mut Host)) -> Run {
    for second in 0..35 {
        let mut host =
            Host { cpu_stall: Some(20.0), io_stall: Some(1.0), memory_available_mib: 500, ..Host::default() };
        if seconds.contains(&second) {
            change(&mut host);
        }
        run.add((second + 1) * SECOND + 1, Entry::Host(host));
    }
    run
}

/// Seconds of a process of no arm: CPU, ns each, and at the end none, since it has ended.
pub fn with_generator(mut run: Run, ns_a_second: u64) -> Run {
    for (pid, from) in [(7, 0), (8, 40)] {
        for second in 0..=20 {
            let cpu_ns = if second < 20 { second * ns_a_second } else { 0 };
            let proc = Proc { arm: '-', instance: "generator".into(), pid, cpu_ns, ..Proc::default() };
            run.add((from + second) * SECOND + 2, Entry::from(proc));
        }
    }
    run
}

/// Most arrivals were handed over so late.
pub fn with_lag(run: Run, late_us: u64) -> Run {
    with_seconds(run, 'A', |window| window.pace_lag = std::iter::repeat_n(late_us, 20).collect())
}

pub fn with_databases(mut run: Run, bytes: u64) -> Run {
    let proc = Proc { arm: 'A', instance: "app#0".into(), db_bytes: bytes, ..Proc::default() };
    run.add(10 * SECOND, Entry::from(proc));
    let step = StepPlan {
        number: 2,
        id: "slow-disk".into(),
        text: "db:photo slow disk, 5ms an operation".into(),
        hits: vec!["photo".into()],
        start_ns: 10 * SECOND,
        length_ns: SECOND,
        is_fault: true,
        build: None,
        not_applicable: std::collections::BTreeMap::new(),
    };
    with_hosts(with_header(run, |header| header.steps.push(step)), 0..0, |_| ())
}

/// Each arm's logs begin anew so often in the steady phase.
pub fn with_checkpoints(mut run: Run, counts: [u64; 2]) -> Run {
    for (arm, count) in ['A', 'B'].into_iter().zip(counts) {
        for (second, checkpoints) in [(6, 0), (15, count), (24, count)] {
            let proc = Proc { arm, instance: "app#0".into(), checkpoints, ..Proc::default() };
            run.add(second * SECOND, Entry::from(proc));
        }
    }
    run
}

pub fn with_parts(run: Run) -> Run {
    let parts = [("business", 40_000_000), ("transport", 20_000_000)];
    run.parts('A', 1, &parts).parts('B', 4, &parts)
}

pub fn with_spans_lost(mut run: Run, lost: u64) -> Run {
    let proc = Proc { arm: 'B', instance: "feed#0".into(), spans: [100, 90, 0, lost], ..Proc::default() };
    run.add(30 * SECOND, Entry::from(proc));
    run
}

/// Ten traced requests a second of the steady phase that are complete in both arms, and some that are in B alone.
pub fn with_traces(mut run: Run, unpaired: u64) -> Run {
    for second in 5..25 {
        let (arm, round, journey) = ('B', 1, "home-feed".to_owned());
        let line =
            record::TraceSecond { arm, round, second, journey, pairs: 10, unpaired, parts: Vec::new() };
        run.add(40 * SECOND, Entry::TraceSecond(Box::new(line)));
    }
    run
}
