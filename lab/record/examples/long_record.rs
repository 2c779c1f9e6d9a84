//! Makes a long record of a short one, and reads it: what a view of a long run costs.
//!
//! ```text
//! cargo run --release -p record --example long_record -- make lab/tests/it/records/crash.jsonl hour.jsonl 3600 4
//! cargo run --release -p record --example long_record -- read hour.jsonl     each line, one at a time
//! cargo run --release -p record --example long_record -- keep hour.jsonl     all lines at once
//! cargo run --release -p record --example long_record -- index hour.jsonl    its index, anew and kept
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use record::{Entry, Index, Kind, Latencies, Line, Reader, Window, Writer};

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;
/// CPU that every process uses, of one core: counters have to go on.
const CPU_SHARE: u64 = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["make", from, to, seconds, width] => {
            make(Path::new(from), Path::new(to), seconds.parse()?, width.parse()?)
        }
        ["read", path] => {
            let (lines, took) = timed(|| {
                Reader::open(Path::new(path))?.try_fold(0_u64, |lines, line| line.map(|_| lines + 1))
            })?;
            println!("{lines} lines in {took:.2?}");
            Ok(())
        }
        ["keep", path] => {
            let (lines, took) = timed(|| Reader::open(Path::new(path))?.collect::<Result<Vec<_>, _>>())?;
            println!("{} lines in {took:.2?}", lines.len());
            Ok(())
        }
        ["index", path] => {
            let path = Path::new(path);
            let _ = std::fs::remove_file(path.with_extension("idx"));
            let (_, anew) = timed(|| Index::of(path))?;
            let (index, kept) = timed(|| Index::of(path))?;
            println!("{} lines, anew in {anew:.2?}, kept in {kept:.2?}", index.end().lines);
            Ok(())
        }
        _ => Err("expected `make FROM TO SECONDS WIDTH`, `read PATH`, `keep PATH` or `index PATH`".into()),
    }
}

fn timed<T, E>(of: impl FnOnce() -> Result<T, E>) -> Result<(T, Duration), E> {
    #[expect(clippy::disallowed_methods, reason = "a measurement of this program, which is no part of a run")]
    let begun = Instant::now();
    Ok((of()?, begun.elapsed()))
}

/// The lines of each second again and again, each of them `width` times under a name of its own, as of a suite with that
/// many times as many journeys, edges and processes; what a phase or a run has once stays once.
fn make(from: &Path, to: &Path, seconds: u32, width: u32) -> Result<(), Box<dyn Error>> {
    let mut lines: Vec<Line> = Reader::open(from)?.collect::<Result<_, _>>()?;
    let Some(Entry::Header(header)) = lines.first_mut().map(|line| &mut line.entry) else {
        return Err("the short record has no header".into());
    };
    let length = header.phases.iter().map(|phase| phase.start_ns + phase.length_ns).max().unwrap_or(0);
    let (start, base) = (header.load_start_ns, u32::try_from(length / SECOND)?);
    if let Some(last) = header.phases.last_mut() {
        last.length_ns += u64::from(seconds.saturating_sub(base)) * SECOND;
    }
    let is_periodic = |line: &Line| Kind::named(line.entry.kind()).is_some_and(Kind::is_periodic);
    let second_of = |line: &Line| line.t.checked_sub(start).map(|t| t / SECOND);
    let busy = busy_windows(&lines);
    let mut writer = Writer::create(to)?;
    let is_early = |line: &&Line| second_of(line).is_none_or(|second| second < u64::from(base));
    for line in lines.iter().filter(|line| !is_periodic(line)).filter(is_early) {
        writer.write(line)?;
    }
    for second in 0..seconds {
        let later = second - second % base;
        for line in lines.iter().filter(|line| is_periodic(line)) {
            if second_of(line) == Some(u64::from(second % base)) {
                for copy in 0..width {
                    writer.write(&moved(line, later, copy, &busy))?;
                }
            }
        }
    }
    let rest = u64::from(seconds.saturating_sub(base)) * SECOND;
    for line in lines.iter().filter(|line| !is_periodic(line) && !is_early(line)) {
        writer.write(&Line { t: line.t + rest, ..line.clone() })?;
    }
    Ok(())
}

/// The windows of each journey at each arm as if all seconds were one: at a rate that many times as high.
fn busy_windows(lines: &[Line]) -> BTreeMap<(char, String), Window> {
    let mut busy: BTreeMap<(char, String), Window> = BTreeMap::new();
    for line in lines {
        let Entry::Window(window) = &line.entry else { continue };
        let sum = busy.entry((window.arm, window.journey.clone())).or_insert_with(|| {
            let none = Latencies::default;
            let (intended, service, pace_lag, own_wait) = (none(), none(), none(), none());
            Window {
                intended,
                service,
                pace_lag,
                own_wait,
                offered: 0,
                sent: 0,
                ok: 0,
                good: 0,
                ..(**window).clone()
            }
        });
        sum.offered += window.offered;
        sum.sent += window.sent;
        sum.ok += window.ok;
        sum.good += window.good;
        sum.intended.merge(&window.intended);
        sum.service.merge(&window.service);
        sum.pace_lag.merge(&window.pace_lag);
        sum.own_wait.merge(&window.own_wait);
    }
    busy
}

fn moved(line: &Line, seconds: u32, copy: u32, busy: &BTreeMap<(char, String), Window>) -> Line {
    let later = u64::from(seconds) * SECOND;
    let name = |name: &str| if copy == 0 { name.to_owned() } else { format!("{name}.{copy}") };
    let mut entry = line.entry.clone();
    match &mut entry {
        Entry::Window(window) => {
            let window = Arc::make_mut(window);
            let second = window.second + seconds;
            if let Some(busy) = busy.get(&(window.arm, window.journey.clone())) {
                *window = busy.clone();
            }
            window.second = second;
            window.journey = name(&window.journey);
        }
        Entry::Edge(edge) => edge.callee = name(&edge.callee),
        Entry::Proc(proc) => {
            let proc = Arc::make_mut(proc);
            proc.instance = name(&proc.instance);
            proc.cpu_ns += later / CPU_SHARE;
        }
        _ => {}
    }
    Line { t: line.t + later, entry }
}
