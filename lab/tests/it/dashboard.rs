//! The dashboard of a run on a terminal: it stays when the run has ended, and the exit code is the run's.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::Signal;
use record::Entry;

use crate::cleave::{Cleave, Started, lines_of, scenario, wait_for};
use crate::places::side_by_side;

/// Rows and columns.
const SIZE: (u16, u16) = (40, 120);

/// The program on a terminal of its own.
struct Terminal {
    run: Started,
    keys: File,
    screen: Arc<Mutex<vt100::Parser>>,
    reading: std::thread::JoinHandle<()>,
}

impl Terminal {
    fn start(cleave: &Cleave, arguments: &[&str]) -> Self {
        let (ws_row, ws_col) = SIZE;
        let size = Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(&size, None).expect("a terminal");
        let program = cleave.command(arguments);
        // A session of its own, or the program would look at the terminal of these tests.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(program.get_program()).args(program.get_args());
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("TERM", "xterm-256color").current_dir(cleave.folder());
        let end = || Stdio::from(slave.try_clone().expect("a descriptor"));
        let run = Started(command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("it starts"));
        drop((command, slave));
        let cells = |n| NonZero::new(n).expect("a terminal has cells");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(ws_row), cells(ws_col), 0)));
        let mut output = File::from(master.try_clone().expect("a descriptor"));
        let shown = screen.clone();
        let reading = std::thread::spawn(move || {
            let mut bytes = [0; 8_192];
            // A terminal that no program has open any more cannot be read (EIO).
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                shown.lock().expect("no panic while held").process(&bytes[..count]);
            }
        });
        Self { run, keys: File::from(master), screen, reading }
    }

    fn text(&self) -> String {
        self.screen.lock().expect("no panic while held").screen().contents()
    }

    fn is_taken(&self) -> bool {
        self.screen.lock().expect("no panic while held").screen().alternate_screen()
    }

    /// Waits until the screen holds a text.
    fn until(&self, text: &str) {
        wait_for(text, || self.text().contains(text).then_some(()));
    }

    fn key(&mut self, key: &str) {
        self.keys.write_all(key.as_bytes()).expect("a terminal takes keys");
    }

    /// Waits until the program ends; its exit code, and what is on the screen then.
    fn end(mut self) -> (Option<i32>, String) {
        let code = self.run.0.wait().expect("it ends").code();
        drop(self.keys);
        self.reading.join().expect("no panic");
        let screen = self.screen.lock().expect("no panic while held");
        assert!(!screen.screen().alternate_screen(), "the terminal is restored");
        (code, screen.screen().contents())
    }
}

/// How a run is left that has ended.
#[derive(Clone, Copy, Debug)]
enum Leaving {
    /// `q`.
    Key,
    /// Ctrl-C, which raw mode makes a key.
    Interrupt,
    /// A service manager's stop.
    Terminate,
    /// `--close`.
    ByItself,
}

fn is_left_with_the_runs_code(leaving: Leaving) {
    let cleave = Cleave::shared();
    let quick = scenario("quick-look");
    let arguments = ["run", &quick, "--close"];
    let arguments = if matches!(leaving, Leaving::ByItself) { &arguments[..] } else { &arguments[..2] };
    let mut terminal = Terminal::start(&cleave, arguments);
    terminal.until("quick-look");
    assert!(terminal.is_taken(), "{}", terminal.text());
    if !matches!(leaving, Leaving::ByItself) {
        terminal.until(", q leaves");
        assert!(terminal.is_taken(), "it stays: {}", terminal.text());
    }
    match leaving {
        Leaving::Key => terminal.key("q"),
        Leaving::Interrupt => terminal.key("\u{3}"),
        Leaving::Terminate => terminal.run.signal(Signal::SIGTERM),
        Leaving::ByItself => {}
    }
    let (code, text) = terminal.end();
    let record = cleave.record().expect("one run");
    let lines = lines_of(&record).expect("a readable record");
    let Some(Entry::End(end)) = lines.last().map(|line| &line.entry) else { panic!("no end: {leaving:?}") };
    assert!(end.verdict.is_some(), "{leaving:?}: it was not interrupted");
    assert_eq!(code, Some(i32::from(end.exit_code)), "{leaving:?}: {text}");
    assert!(text.contains("record: "), "{leaving:?}: the scorecard follows: {text}");
    assert_eq!(cleave.processes(), Vec::<u32>::new(), "{leaving:?}: something is left running");
}

#[test]
fn the_dashboard_stays_until_it_is_left_and_the_exit_code_is_the_runs() {
    side_by_side(
        [Leaving::Key, Leaving::Interrupt, Leaving::Terminate, Leaving::ByItself],
        is_left_with_the_runs_code,
    );
}
