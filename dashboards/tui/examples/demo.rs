//! Replays a record, or without one the tests' synthetic run:
//! `cargo run -p tui --example demo [seconds to skip] [run.jsonl] [--ascii] [--fast] [--live] [--panic]`.
//!
//! `--fast` tells everything at once, `--live` as if the run was made here; with `--panic` the key `r` panics, to see
//! what is left of the terminal.

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
        Some(path) => record::Reader::read_all(std::path::Path::new(path))?,
        None => fixture::lines(),
    };
    let (tell, told) = mpsc::channel();
    let left = Arc::new(AtomicBool::new(false));
    let seen = left.clone();
    let replayed = lines.clone();
    let replay = std::thread::spawn(move || {
        let mut at = fixture::LOAD_START + skip * fixture::SECOND;
        for line in replayed {
            std::thread::sleep(Duration::from_nanos(line.t.saturating_sub(at)));
            at = at.max(line.t);
            if seen.load(Ordering::SeqCst) || tell.send(Arc::new(line)).is_err() {
                return;
            }
        }
        // The screen stays until it is left.
        while !seen.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    if std::io::stdout().is_terminal() {
        ctrlc::set_handler(|| {
            tui::restore();
            std::process::exit(INTERRUPTED);
        })?;
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let (ascii, guest) = (has("--ascii"), !has("--live"));
        let options =
            tui::Options { ascii, no_color, guest, pace: guest.then_some(1.0), ..Default::default() };
        let panics = has("--panic");
        let shown = tui::run(options, &told, |ask| match ask {
            tui::Ask::Report if panics => panic!("asked to panic"),
            tui::Ask::Report => Some("a demonstration has no report".into()),
            tui::Ask::Quit(_) | tui::Ask::Pace(_) => None,
        })?;
        if shown.detached {
            let mut printer = tui::plain::Printer::new(std::io::stdout());
            for line in shown.before.into_iter().chain(told.try_iter()) {
                printer.line(&line)?;
            }
        }
    } else {
        let mut printer = tui::plain::Printer::new(std::io::stdout());
        left.store(true, Ordering::SeqCst);
        for line in &lines {
            printer.line(line)?;
        }
    }
    left.store(true, Ordering::SeqCst);
    drop(told);
    replay.join().map_err(|_| "the replay panicked")?;
    tui::card::print(&mut std::io::stdout(), &lines, 80, std::io::stdout().is_terminal())?;
    Ok(())
}
