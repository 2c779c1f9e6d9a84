//! The whole program on a real terminal: tmux is one, and prints what it shows.

use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Duration;

/// A condition that has not come about by then never will.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks at the screen.
const LOOK: Duration = Duration::from_millis(20);

/// A terminal of its own, on a server of its own; both end with it.
struct Terminal {
    socket: tempfile::TempDir,
}

impl Terminal {
    /// A shell in a terminal of that size, or a reason why there is none.
    fn open(columns: u16, rows: u16) -> Result<Self, String> {
        let known = Command::new("tmux").arg("-V").output();
        if !known.is_ok_and(|output| output.status.success()) {
            return Err("there is no tmux here".to_owned());
        }
        let socket = tempfile::TempDir::new().map_err(|error| error.to_string())?;
        let terminal = Self { socket };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        // A shell without habits of its own; job control is what stopping needs.
        let size = ["-x", &columns, "-y", &rows];
        let shell = ["env", "PS1=ready> ", "LC_ALL=C.UTF-8", "bash", "--norc", "--noprofile", "-i"];
        let output = terminal.tmux(&[&["new-session", "-d", "-s", "t"][..], &size[..], &shell[..]].concat());
        if !output.status.success() {
            return Err(format!("tmux has no session: {}", String::from_utf8_lossy(&output.stderr)));
        }
        terminal.until("a prompt", |screen| screen.contains("ready>"));
        Ok(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let socket = self.socket.path().join("socket");
        let mut tmux = Command::new("tmux");
        tmux.arg("-S").arg(socket).args(["-f", "/dev/null"]).args(arguments).env_remove("TMUX");
        tmux.output().expect("tmux was there a moment ago")
    }

    fn screen(&self) -> String {
        String::from_utf8_lossy(&self.tmux(&["capture-pane", "-p", "-t", "t"]).stdout).into_owned()
    }

    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys", "-t", "t"][..], keys].concat());
    }

    fn type_line(&self, text: &str) {
        self.tmux(&["send-keys", "-t", "t", "-l", text]);
        self.keys(&["Enter"]);
    }

    /// Looks at the screen until it is as it should be.
    fn until(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let begun = runtime::clock::now();
        loop {
            let screen = self.screen();
            if holds(&screen) {
                return screen;
            }
            let waited = runtime::clock::now().saturating_duration_since(begun);
            assert!(waited < PATIENCE, "no {what} after {} s:\n{screen}", waited.as_secs());
            std::thread::sleep(LOOK);
        }
    }

    /// Whether the alternate screen and the mouse are taken.
    fn taken(&self) -> (bool, bool) {
        let output = self.tmux(&["display-message", "-p", "-t", "t", "#{alternate_on} #{mouse_any_flag}"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let flags: Vec<bool> = text.split_whitespace().map(|flag| flag == "1").collect();
        (flags[0], flags[1])
    }

    /// Waits for the prompt; the terminal is as it was before, and takes lines again.
    fn given_back(&self, how: &str) {
        self.until("prompt", |screen| screen.trim_end().ends_with("ready>"));
        assert_eq!(self.taken(), (false, false), "{how}: alternate screen and mouse");
        self.type_line("stty -a | grep -o -- '-\\?icanon'; echo seen");
        let screen = self.until("answer", |screen| screen.lines().any(|line| line == "seen"));
        assert!(
            screen.lines().any(|line| line == "icanon"),
            "{how}: the terminal reads lines again:\n{screen}"
        );
        self.type_line("clear");
        self.until("cleared screen", |screen| !screen.contains("seen"));
    }

    /// The program's process.
    fn pid(&self) -> String {
        let shell = self.tmux(&["display-message", "-p", "-t", "t", "#{pane_pid}"]);
        let shell = String::from_utf8_lossy(&shell.stdout).trim().to_owned();
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"));
        let children = children.expect("the shell lives");
        children.split_whitespace().last().expect("it has started the program").to_owned()
    }

    /// Waits until the kernel has stopped the program: one thread gets the signal and stops the others, which read keys until
    /// then.
    fn until_stopped(&self) {
        let stat = format!("/proc/{}/stat", self.pid());
        // The state follows the name, which stands in brackets.
        let is_stopped = |_: &str| {
            std::fs::read_to_string(&stat)
                .is_ok_and(|text| text.rsplit(')').next().is_some_and(|s| s.starts_with(" T")))
        };
        self.until("stop", is_stopped);
    }

    fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.pid()]).status();
        assert!(done.is_ok_and(|status| status.success()), "kill {signal}");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

/// The example program, built as this test was where all tests of the workspace are: with its features, so that nothing is
/// compiled once more.
fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let profile: &[&str] = if cfg!(debug_assertions) { &[] } else { &["--release"] };
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--workspace", "--example", "demo"])
            .args(profile)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(built.is_ok_and(|status| status.success()), "the example builds");
        let test = std::env::current_exe().expect("this program has a path");
        let folder = test.ancestors().nth(2).expect("tests lie two folders deep");
        folder.join("examples/demo").to_string_lossy().into_owned()
    })
}

/// A terminal, or the reason why this test says nothing here.
fn terminal(columns: u16, rows: u16) -> Option<Terminal> {
    let opened = Terminal::open(columns, rows);
    if let Err(reason) = &opened {
        println!("skipped: {reason}");
    }
    opened.ok()
}

fn starts(terminal: &Terminal, arguments: &str) {
    terminal.type_line(&format!("{} --fast {arguments}", program()));
    terminal.until("end of the run", |screen| screen.contains("ENDED fail"));
    assert_eq!(terminal.taken(), (true, true));
}

#[test]
fn a_replay_at_120_by_40_from_its_start_to_its_scorecard() {
    let Some(terminal) = terminal(120, 40) else { return };
    starts(&terminal, "");
    let tabs = [
        ("2", "calls between components"),
        ("3", "expectations: 2 of 4 checks hold"),
        ("4", "requests kept"),
        ("5", "processes"),
        ("6", "8 events"),
        ("1", "service map"),
    ];
    for (key, shown) in tabs {
        terminal.keys(&[key]);
        terminal.until(shown, |screen| screen.contains(shown));
    }
    // A press of the left button in column 13 of row 2, as terminals report it (xterm mode 1006): the second tab.
    terminal.tmux(&["send-keys", "-t", "t", "-l", "\x1b[<0;13;2M"]);
    terminal.until("the tab clicked on", |screen| screen.contains("[2 Map]"));
    terminal.keys(&["["]);
    terminal.until("pause at the last event", |screen| screen.contains("PAUSED"));
    terminal.keys(&["?"]);
    terminal.until("help", |screen| screen.contains("type to search"));
    terminal.keys(&["Escape"]);
    terminal.until("no help", |screen| !screen.contains("type to search"));
    terminal.keys(&["q"]);
    terminal.until("the scorecard", |screen| screen.contains("better, ▼ worse"));
    terminal.given_back("q");
}

#[test]
fn stopped_and_woken_at_80_by_24() {
    let Some(terminal) = terminal(80, 24) else { return };
    starts(&terminal, "");
    terminal.keys(&["2"]);
    terminal.until("the map", |screen| screen.contains("[2 Map]"));
    terminal.keys(&["C-z"]);
    terminal.until("word of the shell", |screen| screen.contains("Stopped"));
    terminal.given_back("Ctrl-Z");
    terminal.type_line("fg");
    let whole = |screen: &str| {
        screen.contains("[2 Map]") && screen.contains("what is wrong") && screen.contains("? help")
    };
    terminal.until("whole screen again", whole);
    assert_eq!(terminal.taken(), (true, true));
    terminal.signal("-TSTP");
    terminal.until("word of the shell", |screen| screen.contains("Stopped"));
    terminal.given_back("SIGTSTP");
    terminal.type_line("fg");
    terminal.until("whole screen again", whole);
    // A stop that no handler gets: what the shell wrote meanwhile is drawn over.
    terminal.signal("-STOP");
    terminal.until_stopped();
    terminal.type_line("fg");
    terminal.until("whole screen again", |screen| whole(screen) && !screen.contains("fg"));
    terminal.keys(&["q"]);
    terminal.given_back("q after stops");
}

#[test]
fn ended_by_a_signal() {
    let Some(terminal) = terminal(80, 24) else { return };
    for signal in ["-TERM", "-HUP", "-INT"] {
        starts(&terminal, "");
        terminal.signal(signal);
        terminal.given_back(signal);
    }
}

#[test]
fn ended_by_a_panic() {
    let Some(terminal) = terminal(120, 40) else { return };
    starts(&terminal, "--panic");
    terminal.keys(&["r"]);
    let screen = terminal.until("the panic's own words", |screen| screen.contains("asked to panic"));
    assert!(!screen.contains("? help"), "they stand on the normal screen:\n{screen}");
    terminal.given_back("a panic");
}

#[test]
fn a_live_run_is_left_to_itself() {
    let Some(terminal) = terminal(80, 24) else { return };
    // A minute of load, ten seconds of it gone: its end is not waited for.
    terminal.type_line(&format!("{} 10 --live", program()));
    terminal.until("the dashboard", |screen| screen.contains("LIVE"));
    terminal.keys(&["q"]);
    terminal.until("the question", |screen| screen.contains("the run goes on"));
    terminal.keys(&["Escape"]);
    let no_question = |screen: &str| !screen.contains("the run goes on") && screen.contains("LIVE");
    terminal.until("the dashboard again", no_question);
    terminal.keys(&["q", "d"]);
    terminal.until("the scorecard", |screen| screen.contains("better, ▼ worse"));
    let all = terminal.tmux(&["capture-pane", "-p", "-S", "-", "-t", "t"]);
    let text = String::from_utf8_lossy(&all.stdout).into_owned();
    assert!(text.contains("PHASE  steady"), "plain lines begin with what came before:\n{text}");
    terminal.given_back("d");
}

#[test]
fn a_run_that_has_ended_stays_until_it_is_left() {
    let Some(terminal) = terminal(80, 24) else { return };
    starts(&terminal, "--live");
    terminal.until("what to do", |screen| screen.contains("ENDED fail, q leaves"));
    terminal.keys(&["["]);
    terminal.until("pause at the last event", |screen| screen.contains("PAUSED"));
    terminal.keys(&["q"]);
    terminal.until("the scorecard", |screen| screen.contains("better, ▼ worse"));
    terminal.given_back("q after the end");
    // No key is needed.
    terminal.type_line(&format!("{} --fast --live --close", program()));
    terminal.until("the scorecard", |screen| screen.contains("better, ▼ worse"));
    terminal.given_back("--close");
}

#[test]
fn ascii_without_colour_on_a_terminal() {
    let Some(terminal) = terminal(120, 40) else { return };
    terminal.type_line("export NO_COLOR=1");
    starts(&terminal, "--ascii");
    let coloured = terminal.tmux(&["capture-pane", "-p", "-e", "-t", "t"]);
    let text = String::from_utf8_lossy(&coloured.stdout).into_owned();
    assert!(text.is_ascii(), "{text}");
    let colour = |code: &str| matches!(code.parse(), Ok(30..=37 | 40..=47 | 90..=97 | 100..=107));
    let codes = text.split("\x1b[").skip(1).filter_map(|sequence| sequence.split_once('m'));
    let coloured = codes.filter(|(codes, _)| codes.split(';').any(colour)).count();
    assert_eq!(coloured, 0, "{text:?}");
    terminal.keys(&["q"]);
    terminal.given_back("q");
}

#[test]
fn a_closed_terminal_leaves_no_reader() {
    let Some(terminal) = terminal(80, 24) else { return };
    starts(&terminal, "");
    let pid = terminal.pid();
    // The window is closed: its processes get a signal, and what they read from is gone.
    terminal.tmux(&["kill-server"]);
    let begun = runtime::clock::now();
    while std::path::Path::new("/proc").join(&pid).exists() {
        let waited = runtime::clock::now().saturating_duration_since(begun);
        assert!(waited < PATIENCE, "{pid} is still there after {} s", waited.as_secs());
        std::thread::sleep(LOOK);
    }
}
