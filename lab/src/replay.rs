//! A run of another terminal, or of another day, on this screen: the same lines, the same views.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use record::{Entry, Line, ReadError, Reader};

use crate::{cli, complain, past};

/// How often a record that is being written is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How long a run may take from its folder to the first line of its record.
const BEGINNING: Duration = Duration::from_secs(30);
/// Lines on their way to the screen: it takes thousands at a time.
const WAITING: usize = 8_192;

/// Whether a view is still there.
type Left = Arc<AtomicBool>;

/// `cleave watch`.
pub fn watch(asked: &cli::Watch) -> ExitCode {
    let folder = match past::find(&asked.out, &asked.run) {
        Ok(folder) => folder,
        Err(text) => return complain::usage(&text),
    };
    let path = folder.join(past::RECORD);
    show(asked.ascii, move |tell, left| follow(&path, &tell, &left))
}

/// `cleave replay`.
pub fn replay(asked: &cli::Replay) -> ExitCode {
    let lines =
        past::find(&asked.out, &asked.run).map_err(|text| complain::usage(&text)).and_then(|folder| {
            Reader::read_all(&folder.join(past::RECORD)).map_err(|error| complain::error(&error))
        });
    let lines = match lines {
        Ok(lines) => lines,
        Err(code) => return code,
    };
    // In a pipe nobody waits to see it go by.
    let speed = if is_screen() { asked.speed } else { f64::INFINITY };
    show(asked.ascii, move |tell, left| {
        play(lines, speed, &tell, &left);
        Ok(())
    })
}

fn is_screen() -> bool {
    std::io::stdout().is_terminal() && std::io::stdin().is_terminal()
}

/// A view of what a thread feeds; the screen stays until it is left.
fn show(
    ascii: bool,
    feed: impl FnOnce(mpsc::SyncSender<Arc<Line>>, Left) -> Result<(), ReadError> + Send + 'static,
) -> ExitCode {
    let (tell, told) = mpsc::sync_channel::<Arc<Line>>(WAITING);
    let left = Left::default();
    let seen = left.clone();
    let screen = is_screen();
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
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let options = tui::Options { ascii, theme: tui::Theme::default(), no_color, guest: true };
        tui::run(options, told, |_| {})
    } else {
        let mut printer = tui::plain::Printer::new(std::io::stdout());
        told.into_iter().try_for_each(|line| printer.line(&line))
    };
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
fn play(lines: Vec<Line>, speed: f64, tell: &mpsc::SyncSender<Arc<Line>>, left: &AtomicBool) {
    let began = runtime::clock::now();
    // What came before the load is not waited for again.
    let start = lines.iter().find_map(|line| match &line.entry {
        Entry::Header(header) => Some(header.load_start_ns),
        _ => None,
    });
    for line in lines {
        let due = line.t.saturating_sub(start.unwrap_or(0)) as f64 / speed;
        if !sleep_until(began + Duration::from_nanos(due as u64), left) || tell.send(Arc::new(line)).is_err()
        {
            return;
        }
    }
}

/// False when the view was left meanwhile.
fn sleep_until(due: Instant, left: &AtomicBool) -> bool {
    loop {
        if left.load(Ordering::Relaxed) {
            return false;
        }
        let rest = due.saturating_duration_since(runtime::clock::now());
        if rest.is_zero() {
            return true;
        }
        std::thread::sleep(rest.min(LOOK));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(t: u64) -> Line {
        Line { t, entry: Entry::Host(record::Host::default()) }
    }

    #[test]
    fn a_replay_tells_every_line_in_its_order_and_ends_with_the_view() {
        let (tell, told) = mpsc::sync_channel(16);
        play((0..10).map(line).collect(), f64::INFINITY, &tell, &AtomicBool::new(false));
        drop(tell);
        assert_eq!(told.into_iter().map(|line| line.t).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
        let (tell, told) = mpsc::sync_channel(16);
        // An hour later nobody looks any more.
        play(vec![line(0), line(3_600_000_000_000)], 1.0, &tell, &AtomicBool::new(true));
        drop(tell);
        assert_eq!(told.into_iter().count(), 0);
    }
}
