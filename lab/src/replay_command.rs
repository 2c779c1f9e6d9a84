//! `cleave watch` and `cleave replay`: a run of another terminal, or one that is over, shown by the views of a live run.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use model::Run;
use record::{Entry, Line, MAX_LINE_BYTES, ReadError, Reader};

use crate::recorded_source::RecordedSource;
use crate::run_files::{self, RECORD_FILE};
use crate::{cli, output, report_command};

/// How often a record that is being written is looked at for more.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Longest wait for the first line of a record after its folder exists.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Lines buffered between the record and the view, which takes thousands at a time.
const CHANNEL_LINES: usize = 8_192;

/// How the lines of a record ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// With the record, or because the view was closed.
    Complete,
    /// The program that wrote the record has ended before the record did.
    ProgramGone,
}

/// Set when the view is closed.
type Closed = Arc<AtomicBool>;

/// How many times as fast as the run a record is replayed. Keys change it during the replay.
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
pub fn watch(args: &cli::Watch) -> ExitCode {
    let folder = match run_files::find(&args.out, &args.run) {
        Ok(folder) => folder,
        Err(text) => return output::usage_error(&text),
    };
    let path = folder.join(RECORD_FILE);
    show(args.screen, folder, None, move |lines, closed| follow(&path, &lines, &closed))
}

/// `cleave replay`.
pub fn replay(args: &cli::Replay) -> ExitCode {
    let folder = match run_files::find_recorded(&args.out, &args.run) {
        Ok(folder) => folder,
        Err(text) => return output::usage_error(&text),
    };
    let path = folder.join(RECORD_FILE);
    if let Some(second) = args.shot {
        return match run_files::fold(&folder) {
            Ok(run) => shot(args.screen, folder, run, second),
            Err(error) => output::error(&error),
        };
    }
    let reader = match Reader::open(&path) {
        Ok(reader) => reader,
        Err(error) => return output::error(&error),
    };
    // A pipe is not read at the run's pace.
    let pace = Pace::new(if is_screen() { args.speed } else { f64::INFINITY });
    show(args.screen, folder, Some(pace.clone()), move |lines, closed| play(reader, &pace, &lines, &closed))
}

/// Writes the dashboard at a second of the load to files.
fn shot(screen: cli::Screen, folder: PathBuf, run: Run, second: f64) -> ExitCode {
    let mut source = RecordedSource::new(mpsc::channel().1, folder.join(RECORD_FILE));
    match tui::shot::of_run(&screen.options(true, folder), run, &mut source, second) {
        Ok(paths) => {
            for path in paths {
                output::print_line(format_args!("{}", path.display()));
            }
            ExitCode::SUCCESS
        }
        Err(error) => output::error(&error),
    }
}

fn is_screen() -> bool {
    std::io::stdout().is_terminal() && std::io::stdin().is_terminal()
}

/// A view of the lines that a thread sends; the screen stays until it is closed.
fn show(
    looks: cli::Screen,
    folder: PathBuf,
    pace: Option<Pace>,
    feed: impl FnOnce(mpsc::SyncSender<Arc<Line>>, Closed) -> Result<Ending, ReadError> + Send + 'static,
) -> ExitCode {
    let screen = is_screen();
    // A view of another program's run has no run to end: it restores the terminal and exits.
    let interrupted = || {
        tui::restore();
        std::process::exit(i32::from(output::EXIT_INTERRUPTED));
    };
    if screen && let Err(error) = ctrlc::set_handler(interrupted) {
        return output::error(&error);
    }
    let (sender, lines) = mpsc::sync_channel::<Arc<Line>>(CHANNEL_LINES);
    let mut source = RecordedSource::new(lines, folder.join(RECORD_FILE));
    let closed = Closed::default();
    let is_closed = closed.clone();
    let feeding = std::thread::spawn(move || {
        // Kept until the view is closed: a channel without a sender ends the screen.
        let kept = screen.then(|| sender.clone());
        let fed_result = feed(sender, is_closed.clone());
        let stays = kept.is_some() && !matches!(fed_result, Ok(Ending::ProgramGone));
        while stays && !is_closed.load(Ordering::Relaxed) {
            std::thread::sleep(POLL_INTERVAL);
        }
        fed_result
    });
    let shown = if screen {
        let times = pace.as_ref().map(Pace::times);
        let options = tui::Options { pace: times, ..looks.options(true, folder.clone()) };
        let mut request = |request| match request {
            tui::Request::Pace(times) => {
                if let Some(pace) = &pace {
                    pace.set(times);
                }
                None
            }
            tui::Request::Report => Some(report_command::page_status(&folder)),
            tui::Request::Quit(_) => None,
        };
        tui::run(options, &mut source, &mut request).map(drop)
    } else {
        tui::plain::print(&mut source, output::stdout())
    };
    // The feeding thread may be waiting for room in the channel.
    drop(source);
    closed.store(true, Ordering::Relaxed);
    let fed_result = feeding.join().unwrap_or(Ok(Ending::Complete));
    match (fed_result, shown) {
        (Err(error), _) => output::error(&error),
        (Ok(Ending::ProgramGone), _) => {
            output::note(format_args!(
                "the program of this run is gone, and its record has no end line: cleave record check {} prints what it \
                 holds",
                folder.display()
            ));
            ExitCode::from(output::EXIT_INVALID)
        }
        (Ok(Ending::Complete), Err(error)) if screen => output::error(&error),
        // Of standard output a failure is reported at the end.
        (Ok(Ending::Complete), _) => ExitCode::SUCCESS,
    }
}

/// Sends the lines of a record as they are written, until its end or that of the program that writes it.
fn follow(
    path: &Path,
    lines: &mpsc::SyncSender<Arc<Line>>,
    closed: &AtomicBool,
) -> Result<Ending, ReadError> {
    let deadline = runtime::clock::now() + HEADER_TIMEOUT;
    let mut reader = loop {
        let is_live = record::is_being_written(path);
        match Reader::open(path) {
            Ok(reader) => break reader,
            Err(ReadError::NoHeader { .. }) if !is_live && !has_a_line(path) => {
                return Ok(Ending::ProgramGone);
            }
            Err(error @ ReadError::NoHeader { .. }) if !is_live => return Err(error),
            // The header is not written yet.
            Err(ReadError::NoHeader { .. } | ReadError::Io { .. })
                if runtime::clock::now() < deadline && !closed.load(Ordering::Relaxed) =>
            {
                std::thread::sleep(POLL_INTERVAL);
            }
            Err(error) => return Err(error),
        }
    };
    let mut is_live = true;
    while !closed.load(Ordering::Relaxed) {
        let Some(line) = reader.next_line()? else {
            if !is_live {
                return Ok(Ending::ProgramGone);
            }
            // What it wrote before it ended is read in the next turn.
            is_live = record::is_being_written(path);
            if is_live {
                std::thread::sleep(POLL_INTERVAL);
            }
            continue;
        };
        let is_end = matches!(line.entry, Entry::End(_));
        if lines.send(Arc::new(line)).is_err() || is_end {
            return Ok(Ending::Complete);
        }
    }
    Ok(Ending::Complete)
}

/// Whether a record has its first line, whatever that is, also where that is longer than any header.
fn has_a_line(path: &Path) -> bool {
    let Ok(record) = File::open(path) else { return false };
    let mut line = Vec::new();
    let read = BufReader::new(record.take(MAX_LINE_BYTES)).read_until(b'\n', &mut line);
    read.is_ok_and(|bytes| line.ends_with(b"\n") || bytes as u64 == MAX_LINE_BYTES)
}

/// Sends the lines of a record at the moments they were written, so many times as fast. Reads no further than the
/// replay has come, so that the first frame of a long record is as soon as that of a short one.
fn play(
    record: impl IntoIterator<Item = Result<Line, ReadError>>,
    pace: &Pace,
    lines: &mpsc::SyncSender<Arc<Line>>,
    closed: &AtomicBool,
) -> Result<Ending, ReadError> {
    let mut playhead = Playhead { at: 0.0, seen: runtime::clock::now() };
    for line in record {
        let line = line?;
        if let Entry::Header(header) = &line.entry {
            // The replay begins with the load: what came before it is shown at once.
            playhead.at = header.load_start_ns as f64;
        }
        if !playhead.reach(line.t, pace, closed) || lines.send(Arc::new(line)).is_err() {
            break;
        }
    }
    Ok(Ending::Complete)
}

/// How far a replay has come.
struct Playhead {
    /// The moment of the run that is shown, ns.
    at: f64,
    /// When it was shown.
    seen: Instant,
}

impl Playhead {
    /// Waits until the replay has come to `t`, ns, at the pace of each moment; false when the view was closed meanwhile.
    fn reach(&mut self, t: u64, pace: &Pace, closed: &AtomicBool) -> bool {
        loop {
            if closed.load(Ordering::Relaxed) {
                return false;
            }
            let Some(rest) = self.rest(t, runtime::clock::now(), pace.times()) else { return true };
            // The pace may change meanwhile.
            std::thread::sleep(rest.min(POLL_INTERVAL));
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
    fn the_first_line_of_a_record_is_looked_for_within_a_limit() {
        let folder = tempfile::tempdir().expect("a folder");
        let record = folder.path().join(RECORD_FILE);
        assert!(!has_a_line(&record), "none yet");
        for (text, expected) in [("", false), ("{\"torn", false), ("{}\n", true), ("{}\n{\"torn", true)] {
            std::fs::write(&record, text).expect("a folder of ours");
            assert_eq!(has_a_line(&record), expected, "{text}");
        }
        assert!(!has_a_line(folder.path()), "a folder has no lines");
        assert!(has_a_line(Path::new("/dev/zero")), "it has no end");
    }

    #[test]
    fn a_replay_goes_on_at_the_pace_of_each_moment() {
        let begun = runtime::clock::now();
        let after = |ms| begun + Duration::from_millis(ms);
        let mut playhead = Playhead { at: 0.0, seen: begun };
        let minute = 60_000_000_000;
        assert_eq!(playhead.rest(minute, after(1_000), 1.0), Some(Duration::from_secs(59)));
        // 59 s of the run are left; eight times as fast that takes 7.375 s, of which one goes by.
        assert_eq!(playhead.rest(minute, after(2_000), 8.0), Some(Duration::from_millis(6_375)));
        assert_eq!(
            playhead.rest(minute, after(2_000), 0.25),
            Some(Duration::from_secs(204)),
            "and a quarter is slow"
        );
        assert_eq!(playhead.rest(minute, after(206_000), 0.25), None);
        assert_eq!(
            playhead.rest(2 * minute, after(206_000), f64::INFINITY),
            None,
            "a pipe is not read at a pace"
        );
    }

    #[test]
    fn a_replay_sends_every_line_in_order_and_ends_with_the_view() {
        let (sender, lines) = mpsc::sync_channel(16);
        let record = (0..10).map(|t| Ok(line(t)));
        play(record, &Pace::new(f64::INFINITY), &sender, &AtomicBool::new(false)).expect("no error");
        drop(sender);
        assert_eq!(lines.into_iter().map(|line| line.t).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
        let (sender, lines) = mpsc::sync_channel(16);
        // An hour later the view is closed.
        let record = [line(0), line(3_600_000_000_000)].map(Ok);
        play(record, &Pace::new(1.0), &sender, &AtomicBool::new(true)).expect("no error");
        drop(sender);
        assert_eq!(lines.into_iter().count(), 0);
    }

    #[test]
    fn a_replay_reads_no_further_than_it_shows() {
        let (sender, lines) = mpsc::sync_channel(1);
        let mut read = 0;
        let record = (0..1_000).map(|t| {
            read += 1;
            Ok(line(t))
        });
        drop(lines);
        play(record, &Pace::new(f64::INFINITY), &sender, &AtomicBool::new(false)).expect("no error");
        assert_eq!(read, 1, "the view is closed");
    }
}
