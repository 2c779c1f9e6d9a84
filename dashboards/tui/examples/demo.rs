//! Replays a record in real time, or without one the tests' synthetic run:
//! `cargo run -p tui --example demo [seconds to skip] [run.jsonl] [--ascii]`.

#[path = "../tests/it/fixture.rs"]
#[expect(dead_code, reason = "tests use more of it")]
mod fixture;

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let skip: u64 = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(0);
    let ascii = arguments.iter().any(|argument| argument == "--ascii");
    let record = arguments.iter().find(|argument| argument.ends_with(".jsonl"));
    let lines = match record {
        Some(path) => record::Reader::read_all(std::path::Path::new(path)).map_err(std::io::Error::other)?,
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
    });
    if std::io::stdout().is_terminal() {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let options = tui::Options { ascii, no_color, guest: true, ..tui::Options::default() };
        tui::run(options, &told, |_| None)?;
        left.store(true, Ordering::SeqCst);
    } else {
        let mut printer = tui::plain::Printer::new(std::io::stdout());
        for line in &told {
            printer.line(&line)?;
        }
    }
    drop(told);
    replay.join().expect("the replay does not panic");
    tui::card::print(&mut std::io::stdout(), &lines, 80, std::io::stdout().is_terminal())
}
