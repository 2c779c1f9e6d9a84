//! Replays a record, or without one the tests' synthetic run:
//! `cargo run -p tui --example demo [seconds to skip] [run.jsonl] [--ascii] [--fast] [--live] [--close] [--panic]`.
//!
//! `--fast` shows everything at once, `--live` shows it as a run made here, `--close` leaves when that ends; with `--panic` the key `r` panics, to see
//! whether the terminal is restored.

#[path = "../tests/it/fixture/mod.rs"]
#[expect(dead_code, reason = "tests use more of it")]
mod fixture;

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// How the program ends by a signal, as the shell has it.
const INTERRUPTED: i32 = 130;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let skip: u64 = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(0);
    let skip = if has("--fast") { u64::MAX / fixture::SECOND / 2 } else { skip };
    let record = arguments.iter().find(|argument| argument.ends_with(".jsonl"));
    let lines = match record {
        Some(path) => record::Reader::open(std::path::Path::new(path))?.collect::<Result<_, _>>()?,
        None => fixture::lines(),
    };
    let (sender, mut source) = mpsc::channel();
    let closed = Arc::new(AtomicBool::new(false));
    let is_closed = closed.clone();
    let replayed = lines.clone();
    let is_guest = !has("--live");
    let replay = std::thread::spawn(move || {
        let mut at = fixture::LOAD_START + skip * fixture::SECOND;
        for line in replayed {
            std::thread::sleep(Duration::from_nanos(line.t.saturating_sub(at)));
            at = at.max(line.t);
            if is_closed.load(Ordering::SeqCst) || sender.send(Arc::new(line)).is_err() {
                return;
            }
        }
        // A replay can be scrubbed until it is closed; a run made here is over.
        while is_guest && !is_closed.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    if std::io::stdout().is_terminal() {
        ctrlc::set_handler(|| {
            tui::restore();
            std::process::exit(INTERRUPTED);
        })?;
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let (ascii, closes, guest) = (has("--ascii"), has("--close"), is_guest);
        let options =
            tui::Options { ascii, no_color, closes, guest, pace: guest.then_some(1.0), ..Default::default() };
        let panics = has("--panic");
        let exit = tui::run(options, &mut source, &mut |request| match request {
            tui::Request::Report if panics => panic!("asked to panic"),
            tui::Request::Report => Some("a demonstration has no report".into()),
            tui::Request::Quit(_) | tui::Request::Pace(_) => None,
        })?;
        if exit.detached {
            closed.store(true, Ordering::SeqCst);
            tui::plain::resume(exit.run, &mut source, std::io::stdout())?;
        }
    } else {
        closed.store(true, Ordering::SeqCst);
        tui::plain::print(&mut lines.clone().into_iter(), std::io::stdout())?;
    }
    closed.store(true, Ordering::SeqCst);
    drop(source);
    replay.join().map_err(|_| "the replay panicked")?;
    let mut run = model::Run::default();
    run.take(&lines);
    tui::card::print(&mut std::io::stdout(), &run, 80, std::io::stdout().is_terminal())?;
    Ok(())
}
