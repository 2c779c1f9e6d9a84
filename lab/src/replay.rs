//! A run of another terminal, or of another day, on this screen: the same lines, the same views.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use record::{Entry, Line, ReadError, Reader};

use crate::{cli, complain, past, run};

/// How often a record that is being written is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How long a run may take from its folder to the first line of its record.
const BEGINNING: Duration = Duration::from_secs(30);
/// Lines on their way to the screen: it takes thousands at a time.
const WAITING: usize = 8_192;

/// Whether a view is still there.
type Left = Arc<AtomicBool>;

/// How many times as fast a record is told, which keys change while it is.
#[derive(Clone, Debug)]
struct Pace(Arc<AtomicU64>);

impl Pace {
    fn new(times: f64) -> Self {
        Self(Arc::new(AtomicU64::new(times.to_bits())))
    }

    fn set(&self, times: f64) {
        self.0.store(times.to_bits(), Ordering::Relaxed);
    }

    fn times(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

/// `cleave watch`.
pub fn watch(asked: &cli::Watch) -> ExitCode {
    let folder = match past::find(&asked.out, &asked.run) {
        Ok(folder) => folder,
        Err(text) => return complain::usage(&text),
    };
    let path = folder.join(past::RECORD);
    show(asked.screen, folder, None, move |tell, left| follow(&path, &tell, &left))
}

/// `cleave replay`.
pub fn replay(asked: &cli::Replay) -> ExitCode {
    let folder = match past::find(&asked.out, &asked.run) {
        Ok(folder) => folder,
        Err(text) => return complain::usage(&text),
    };
    let lines = match Reader::read_all(&folder.join(past::RECORD)) {
        Ok(lines) => lines,
        Err(error) => return complain::error(&error),
    };
    if let Some(second) = asked.shot {
        return shot(asked.screen, folder, lines, second);
    }
    // In a pipe nobody waits to see it go by.
    let pace = Pace::new(if is_screen() { asked.speed } else { f64::INFINITY });
    show(asked.screen, folder, Some(pace.clone()), move |tell, left| {
        play(lines, &pace, &tell, &left);
        Ok(())
    })
}

/// The dashboard at a second of the load, as files.
fn shot(look: cli::Screen, folder: PathBuf, lines: Vec<Line>, second: f64) -> ExitCode {
    let lines = lines.into_iter().map(Arc::new).collect();
    match tui::shot::of_record(&look.options(true, folder), lines, second) {
        Ok(paths) => {
            for path in paths {
                complain::say(format_args!("{}", path.display()));
            }
            ExitCode::SUCCESS
        }
        Err(error) => complain::error(&error),
    }
}

fn is_screen() -> bool {
    std::io::stdout().is_terminal() && std::io::stdin().is_terminal()
}

/// A view of what a thread feeds; the screen stays until it is left.
fn show(
    look: cli::Screen,
    folder: PathBuf,
    pace: Option<Pace>,
    feed: impl FnOnce(mpsc::SyncSender<Arc<Line>>, Left) -> Result<(), ReadError> + Send + 'static,
) -> ExitCode {
    let screen = is_screen();
    // A view of somebody else's run has nothing to end in order: the terminal is given back, and that is all.
    let gone = || {
        tui::restore();
        std::process::exit(i32::from(run::EXIT_INTERRUPTED));
    };
    if screen && let Err(error) = ctrlc::set_handler(gone) {
        return complain::error(&error);
    }
    let (tell, told) = mpsc::sync_channel::<Arc<Line>>(WAITING);
    let left = Left::default();
    let seen = left.clone();
    let feeding = std::thread::spawn(move || {
        // Held until the view is left: a closed channel ends the screen.
        let held = screen.then(|| tell.clone());
        let fed = feed(tell, seen.clone());
        while held.is_some() && !seen.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK);
        }
        fed
    });
    let shown = if screen {
        let times = pace.as_ref().map(Pace::times);
        let options = tui::Options { pace: times, ..look.options(true, folder.clone()) };
        let ask = |ask| match ask {
            tui::Ask::Pace(times) => {
                if let Some(pace) = &pace {
                    pace.set(times);
                }
                None
            }
            tui::Ask::Report => Some(past::page_now(&folder)),
            tui::Ask::Quit(_) => None,
        };
        tui::run(options, &told, ask).map(drop)
    } else {
        let mut printer = tui::plain::Printer::new(std::io::stdout());
        told.iter().try_for_each(|line| printer.line(&line))
    };
    // Whoever feeds may wait for room in the channel.
    drop(told);
    left.store(true, Ordering::Relaxed);
    let fed = feeding.join().unwrap_or(Ok(()));
    match (fed, shown) {
        (Err(error), _) => complain::error(&error),
        (Ok(()), Err(error)) if screen => complain::error(&error),
        // Whoever read us has gone.
        (Ok(()), _) => ExitCode::SUCCESS,
    }
}

/// Tells the lines of a record as they are written, until its end.
fn follow(path: &Path, tell: &mpsc::SyncSender<Arc<Line>>, left: &AtomicBool) -> Result<(), ReadError> {
    let patience = runtime::clock::now() + BEGINNING;
    let mut reader = loop {
        match Reader::open(path) {
            Ok(reader) => break reader,
            // Its header is not written yet.
            Err(ReadError::NoHeader { .. } | ReadError::Io { .. })
                if runtime::clock::now() < patience && !left.load(Ordering::Relaxed) =>
            {
                std::thread::sleep(LOOK);
            }
            Err(error) => return Err(error),
        }
    };
    while !left.load(Ordering::Relaxed) {
        let Some(line) = reader.next_line()? else {
            std::thread::sleep(LOOK);
            continue;
        };
        let is_end = matches!(line.entry, Entry::End(_));
        if tell.send(Arc::new(line)).is_err() || is_end {
            return Ok(());
        }
    }
    Ok(())
}

/// Tells the lines of a record when they were written, so many times as fast.
fn play(lines: Vec<Line>, pace: &Pace, tell: &mpsc::SyncSender<Arc<Line>>, left: &AtomicBool) {
    // What came before the load is not waited for again.
    let start = lines.iter().find_map(|line| match &line.entry {
        Entry::Header(header) => Some(header.load_start_ns),
        _ => None,
    });
    let mut head = Head { at: start.unwrap_or(0) as f64, seen: runtime::clock::now() };
    for line in lines {
        if !head.reach(line.t, pace, left) || tell.send(Arc::new(line)).is_err() {
            return;
        }
    }
}

/// Where a replay stands.
struct Head {
    /// The moment of the run it has come to, ns.
    at: f64,
    /// When that was.
    seen: Instant,
}

impl Head {
    /// Waits until the replay has come to `t`, ns, at the pace of each moment; false when the view was left meanwhile.
    fn reach(&mut self, t: u64, pace: &Pace, left: &AtomicBool) -> bool {
        loop {
            if left.load(Ordering::Relaxed) {
                return false;
            }
            let Some(rest) = self.rest(t, runtime::clock::now(), pace.times()) else { return true };
            // The pace may change meanwhile: no longer than a look at a time.
            std::thread::sleep(rest.min(LOOK));
        }
    }

    /// Moves on to `now`, so many times as fast as the run went; how long it still is to `t`, `None` where it is reached.
    fn rest(&mut self, t: u64, now: Instant, times: f64) -> Option<Duration> {
        let elapsed = now.saturating_duration_since(std::mem::replace(&mut self.seen, now));
        if times.is_infinite() {
            return None;
        }
        self.at += elapsed.as_nanos() as f64 * times;
        let ahead = t as f64 - self.at;
        (ahead > 0.0).then(|| Duration::from_nanos((ahead / times) as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(t: u64) -> Line {
        Line { t, entry: Entry::Host(record::Host::default()) }
    }

    #[test]
    fn a_replay_goes_on_at_the_pace_of_each_moment() {
        let begun = runtime::clock::now();
        let after = |ms| begun + Duration::from_millis(ms);
        let mut head = Head { at: 0.0, seen: begun };
        let minute = 60_000_000_000;
        assert_eq!(head.rest(minute, after(1_000), 1.0), Some(Duration::from_secs(59)));
        // 59 s of the run are left; eight times as fast that takes 7.375 s, of which one goes by.
        assert_eq!(head.rest(minute, after(2_000), 8.0), Some(Duration::from_millis(6_375)));
        assert_eq!(
            head.rest(minute, after(2_000), 0.25),
            Some(Duration::from_secs(204)),
            "and a quarter is slow"
        );
        assert_eq!(head.rest(minute, after(206_000), 0.25), None);
        assert_eq!(head.rest(2 * minute, after(206_000), f64::INFINITY), None, "in a pipe nobody waits");
    }

    #[test]
    fn a_replay_tells_every_line_in_its_order_and_ends_with_the_view() {
        let (tell, told) = mpsc::sync_channel(16);
        play((0..10).map(line).collect(), &Pace::new(f64::INFINITY), &tell, &AtomicBool::new(false));
        drop(tell);
        assert_eq!(told.into_iter().map(|line| line.t).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
        let (tell, told) = mpsc::sync_channel(16);
        // An hour later nobody looks any more.
        play(vec![line(0), line(3_600_000_000_000)], &Pace::new(1.0), &tell, &AtomicBool::new(true));
        drop(tell);
        assert_eq!(told.into_iter().count(), 0);
    }
}
