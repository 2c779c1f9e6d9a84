//! Two arms and the terminal for as long as it is asked for: what the lab itself holds does not grow.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::processes::memory_kib;
use super::{MAX_MEMORY_KIB, setting};
use crate::cleave::Cleave;

const MINUTE: Duration = Duration::from_secs(60);
/// Until then the lab fills what it keeps of a run: ten minutes in full.
const FILLED_MINUTES: f64 = 10.0;
/// What it may take meanwhile, MiB.
const MAX_GROWTH_MIB: f64 = 60.0;
/// What it may take from then on, MiB an hour.
const MAX_SLOPE_MIB: f64 = 6.0;
/// Below so many minutes after that, a slope is of chance.
const JUDGED_MINUTES: f64 = 20.0;

/// Cells of the terminal.
const COLUMNS: u16 = 120;
const ROWS: u16 = 40;
/// A terminal is asked for the position of its cursor.
const QUESTION: &[u8] = b"\x1b[6n";

fn scenario(seconds: u64) -> String {
    format!(
        r#"schema = 1
name   = "flat"
title  = "Two arms for long"
why    = "What the lab holds of a run is bounded"
phases = [{{ name = "steady", for = "{seconds}s" }}]

[load]
rate = "20/s"
size = "tiny"

[topology.mono]
processes = {{ app = ["gateway", "*"] }}
[topology.micro]
processes = {{ each = ["*"] }}
"#
    )
}

/// The lab on a terminal, which takes in whatever is drawn.
struct OnTerminal {
    lab: Child,
    drawn: Arc<AtomicUsize>,
}

impl OnTerminal {
    fn start(cleave: &Cleave, arguments: &[&str]) -> Self {
        let size = Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(Some(&size), None).expect("a terminal");
        let end = || File::from(slave.try_clone().expect("a descriptor"));
        let mut command = cleave.command(arguments);
        command.env("TERM", "xterm-256color").stdin(end()).stdout(end()).stderr(end());
        let lab = command.spawn().expect("the program starts");
        let drawn = Arc::new(AtomicUsize::new(0));
        let (seen, mut screen) = (drawn.clone(), File::from(master));
        std::thread::spawn(move || {
            let mut bytes = [0; 16 * 1_024];
            // It fails once the last of the other end has gone.
            while let Ok(count) = screen.read(&mut bytes) {
                seen.fetch_add(count, Ordering::Relaxed);
                // The dashboard asks where the cursor is, and does not begin without an answer.
                if bytes[..count].windows(QUESTION.len()).any(|four| four == QUESTION) {
                    let _gone = screen.write_all(b"\x1b[1;1R");
                }
            }
        });
        Self { lab, drawn }
    }

    fn memory_mib(&self) -> f64 {
        memory_kib(self.lab.id(), "VmRSS").expect("it runs") as f64 / 1_024.0
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.lab.id()).expect("a pid"));
        // One that has ended needs none.
        let _gone = kill(pid, signal);
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        self.signal(Signal::SIGTERM);
        let _ended = self.lab.wait();
    }
}

/// The slope of a line through these points by least squares: of their second coordinate, by their first.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x_mean, y_mean) = (mean(|point| point.0), mean(|point| point.1));
    let products = points.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum::<f64>();
    products / points.iter().map(|(x, _)| (x - x_mean).powi(2)).sum::<f64>()
}

#[test]
fn a_slope_is_that_of_the_line() {
    assert!((slope(&[(0.0, 5.0), (1.0, 7.0), (2.0, 9.0)]) - 2.0).abs() < 1e-9);
    assert!(slope(&[(0.0, 5.0), (1.0, 6.0), (2.0, 5.0)]).abs() < 1e-9);
}

#[test]
#[ignore = "goes on for as long as it is asked to"]
fn what_the_lab_holds_does_not_grow() {
    let seconds: u64 = setting("LAB_SOAK_SECONDS").unwrap_or(20);
    let length = Duration::from_secs(seconds);
    let interval = (MINUTE / 2).min(length / 4);
    let cleave = Cleave::shared();
    std::fs::write(cleave.folder().join("flat.toml"), scenario(seconds + 600)).expect("a folder of ours");
    let lab = OnTerminal::start(&cleave, &["run", "flat.toml"]);
    cleave.in_mid_run();
    let began = runtime::clock::now();
    let mut held = vec![(0.0, lab.memory_mib())];
    while runtime::clock::now() - began < length {
        std::thread::sleep(interval);
        let minutes = (runtime::clock::now() - began).as_secs_f64() / 60.0;
        let drawn = lab.drawn.load(Ordering::Relaxed) / 1_024;
        held.push((minutes, lab.memory_mib()));
        println!("{minutes:5.1} min  {:.1} MiB, {drawn} KiB drawn", held[held.len() - 1].1);
    }
    // Less than a screen is the question for the cursor, and no dashboard.
    assert!(
        lab.drawn.load(Ordering::Relaxed) > usize::from(COLUMNS) * usize::from(ROWS),
        "it draws what it shows"
    );
    let filled = held.partition_point(|(minutes, _)| *minutes < FILLED_MINUTES);
    let most = held.iter().map(|(_, mib)| *mib).fold(0.0, f64::max);
    assert!(most <= MAX_MEMORY_KIB as f64 / 1_024.0, "{most:.1} MiB");
    let (first, rest) = held.split_at(filled);
    let growth = first[first.len() - 1].1 - first[0].1;
    println!("{growth:.1} MiB in the first {:.1} minutes", first[first.len() - 1].0);
    assert!(growth <= MAX_GROWTH_MIB, "{growth:.1} MiB");
    if rest.len() > 2 && rest[rest.len() - 1].0 - FILLED_MINUTES >= JUDGED_MINUTES {
        let an_hour = slope(rest) * 60.0;
        println!("{an_hour:.1} MiB an hour from then on");
        assert!(an_hour <= MAX_SLOPE_MIB, "{an_hour:.1} MiB an hour");
    }
}
