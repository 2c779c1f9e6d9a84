//! One table of keys: dispatch, the footer, the help overlay and docs/keys.md are all drawn from it.

use crossterm::event::{KeyCode, KeyModifiers};

use crate::tab::Tab;

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Shows or hides help.
    Help,
    /// Shows a tab.
    Show(Tab),
    /// The tab after or before this one.
    NextTab,
    /// The tab before.
    PreviousTab,
    /// Stops or resumes the view, not the run.
    Pause,
    /// So many seconds on, or back where it is negative.
    Step(i8),
    /// To the next event.
    NextEvent,
    /// To the one before.
    PreviousEvent,
    /// To the load's first second.
    Start,
    /// Shows what happens now.
    Live,
    /// A shorter stretch of time.
    ZoomIn,
    /// A longer one.
    ZoomOut,
    /// As much as the chart shows well.
    Fit,
    /// The phase of the moment.
    ZoomPhase,
    /// Both arms, A alone, the other alone.
    Solo,
    /// The next arm to compare with A.
    NextArm,
    /// What the charts show.
    Metric,
    /// Logarithmic or linear.
    Scale,
    /// Which percentiles.
    Percentiles,
    /// So many rows down, or up where it is negative.
    Rows(i8),
    /// A screenful of rows, down or up.
    Screens(i8),
    /// Types a filter.
    Filter,
    /// Into what is chosen.
    Open,
    /// Out again.
    Close,
    /// Sorts by the column to the right or left.
    Sort(bool),
    /// The slow requests through the component chosen.
    SlowTraces,
    /// Where a trace is in Jaeger.
    Jaeger,
    /// Copies what is focused.
    Copy,
    /// Writes the screen to files.
    Shot,
    /// Writes the report.
    Report,
    /// Replays faster or slower.
    Pace(bool),
    /// Leaves; while the run goes on a dialog offers how.
    Quit,
    /// Leaves the screen, the run goes on.
    Detach,
    /// Ends the run in order.
    Abort,
    /// Interrupts it; a second time leaves at once.
    Interrupt,
    /// Stops the process as the shell does, with the terminal restored.
    Suspend,
}

/// Where a key means something: one bit a tab, and what lies over them.
pub type Context = u16;

/// The context of a tab.
pub const fn of_tab(tab: Tab) -> Context {
    1 << tab as u16
}

const LIVE: Context = of_tab(Tab::Live);
const MAP: Context = of_tab(Tab::Map);
const TRACES: Context = of_tab(Tab::Traces);
const EVENTS: Context = of_tab(Tab::Events);
const TABS: Context = (1 << Tab::ALL.len()) - 1;
const LISTS: Context = TABS & !LIVE;
const TABLES: Context = TRACES | of_tab(Tab::Procs);
/// Help lies over the tab.
pub const HELP: Context = 1 << 8;
/// The question how to leave lies over it.
pub const LEAVE: Context = 1 << 9;
/// A filter is being typed.
pub const TYPING: Context = 1 << 10;
const EVERYWHERE: Context = TABS | HELP | LEAVE | TYPING;

/// A key with what it does.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// The key.
    pub key: KeyCode,
    /// With these held.
    pub with: KeyModifiers,
    /// Where it means this.
    pub within: Context,
    /// How it is written; empty for a further key of the same action.
    pub shown: &'static str,
    /// In ASCII.
    pub shown_ascii: &'static str,
    /// A word for the footer; empty where only the help shows it.
    pub hint: &'static str,
    /// A sentence for the help: what will happen.
    pub help: &'static str,
    /// What it does.
    pub action: Action,
}

const fn key(
    within: Context,
    code: char,
    shown: &'static str,
    hint: &'static str,
    help: &'static str,
    action: Action,
) -> Binding {
    named(within, KeyCode::Char(code), shown, hint, help, action)
}

const fn named(
    within: Context,
    key: KeyCode,
    shown: &'static str,
    hint: &'static str,
    help: &'static str,
    action: Action,
) -> Binding {
    Binding { key, with: KeyModifiers::NONE, within, shown, shown_ascii: shown, hint, help, action }
}

const fn also(within: Context, key: KeyCode, action: Action) -> Binding {
    named(within, key, "", "", "", action)
}

const fn ascii(shown_ascii: &'static str, binding: Binding) -> Binding {
    Binding { shown_ascii, ..binding }
}

const fn held(with: KeyModifiers, binding: Binding) -> Binding {
    Binding { with, ..binding }
}

use KeyCode::{Char, Down, End, Enter, Esc, Home, Left, PageDown, PageUp, Right, Up};
use KeyModifiers as Mods;

/// Every key there is, the one a narrow footer must not lose first. What belongs to one tab comes before what all have:
/// on that tab it is what a user looks for.
pub const KEYS: &[Binding] = &[
    key(TABS | HELP, '?', "?", "help", "shows keys and terms; again, or Esc, hides them", Action::Help),
    key(
        TABS,
        'q',
        "q",
        "quit",
        "leaves; while the run goes on, a dialog offers to detach or to abort",
        Action::Quit,
    ),
    key(
        LEAVE,
        'd',
        "d",
        "detach: the run goes on",
        "leaves the dashboard; the run goes on with plain lines",
        Action::Detach,
    ),
    key(LEAVE, 'q', "q", "abort the run", "ends the run in order and leaves the dashboard", Action::Abort),
    named(LEAVE, Esc, "Esc", "stay", "stays here", Action::Close),
    // A tab's own.
    key(
        LIVE,
        'c',
        "c",
        "metric",
        "charts latency, goodput, errors, queue, CPU, staleness in turn",
        Action::Metric,
    ),
    key(LIVE, 'l', "l", "log", "charts on a logarithmic or a linear scale", Action::Scale),
    key(
        LIVE,
        'p',
        "p",
        "percentiles",
        "draws p50, p99 and p99.9; without p99.9; p99 alone",
        Action::Percentiles,
    ),
    named(LIVE, Enter, "Enter", "whole", "shows the focused panel alone", Action::Open),
    key(LISTS, '/', "/", "filter", "shows only rows with the text typed", Action::Filter),
    named(LISTS & !EVENTS, Enter, "Enter", "open", "shows all of what is chosen", Action::Open),
    named(EVENTS, Enter, "Enter", "go there", "pauses the view at the event chosen", Action::Open),
    named(TABS | HELP, Esc, "Esc", "", "back out: of a filter, of what was opened, of help", Action::Close),
    key(
        MAP,
        't',
        "t",
        "slow traces",
        "lists kept requests that went through the component chosen",
        Action::SlowTraces,
    ),
    key(
        TRACES,
        'o',
        "o",
        "Jaeger",
        "copies the trace's address in Jaeger, where spans were sent to a collector",
        Action::Jaeger,
    ),
    key(TABLES, '>', "< >", "sort", "sorts by the column to the right or the left", Action::Sort(true)),
    also(TABLES, Char('<'), Action::Sort(false)),
    // The moment shown.
    ascii(
        "spc",
        key(TABS, ' ', "␣", "pause", "pauses the view; the run and its record go on", Action::Pause),
    ),
    ascii(
        "<- ->",
        named(TABS, Left, "← →", "scrub", "steps a second back or on; with Shift ten", Action::Step(-1)),
    ),
    also(TABS, Right, Action::Step(1)),
    also(TABS, Char('h'), Action::Step(-1)),
    also(TABS & !LIVE, Char('l'), Action::Step(1)),
    held(Mods::SHIFT, also(TABS, Left, Action::Step(-10))),
    held(Mods::SHIFT, also(TABS, Right, Action::Step(10))),
    key(TABS, ']', "[ ]", "event", "goes to the event before, or to the next", Action::NextEvent),
    also(TABS, Char('['), Action::PreviousEvent),
    key(TABS, 'g', "g End", "live", "shows what happens now", Action::Live),
    also(TABS, End, Action::Live),
    named(TABS, Home, "Home", "", "goes to the load's first second", Action::Start),
    key(LIVE, '+', "+ -", "zoom", "shows a shorter or a longer stretch, from 15 s to all", Action::ZoomIn),
    also(LIVE, Char('-'), Action::ZoomOut),
    key(LIVE, 'z', "z", "", "shows the phase of the moment", Action::ZoomPhase),
    key(LIVE, '0', "0", "", "shows as much as fits well", Action::Fit),
    // Arms and rows.
    key(TABS, 's', "s", "solo", "shows both arms, A alone, the other alone", Action::Solo),
    key(TABS, 'a', "a", "arm", "compares A with the next of the other arms", Action::NextArm),
    ascii(
        "up dn",
        named(TABS | HELP, Down, "↑ ↓", "", "moves the focus or the choice; also j and k", Action::Rows(1)),
    ),
    also(TABS | HELP, Up, Action::Rows(-1)),
    also(TABS, Char('j'), Action::Rows(1)),
    also(TABS, Char('k'), Action::Rows(-1)),
    named(TABS | HELP, PageDown, "PgUp PgDn", "", "moves by a screenful", Action::Screens(1)),
    also(TABS | HELP, PageUp, Action::Screens(-1)),
    key(TABS, '1', "1-6 Tab", "tab", "shows another tab", Action::Show(Tab::Live)),
    also(TABS, Char('2'), Action::Show(Tab::Map)),
    also(TABS, Char('3'), Action::Show(Tab::Score)),
    also(TABS, Char('4'), Action::Show(Tab::Traces)),
    also(TABS, Char('5'), Action::Show(Tab::Procs)),
    also(TABS, Char('6'), Action::Show(Tab::Events)),
    also(TABS, KeyCode::Tab, Action::NextTab),
    held(Mods::SHIFT, also(TABS, KeyCode::BackTab, Action::PreviousTab)),
    also(TABS, KeyCode::BackTab, Action::PreviousTab),
    // Taking something away.
    key(TABS, '.', ", .", "pace", "replays slower or faster, 0.25 to 16 times", Action::Pace(true)),
    also(TABS, Char(','), Action::Pace(false)),
    key(TABS, 'y', "y", "copy", "copies the focused panel's text", Action::Copy),
    key(
        TABS,
        'S',
        "S",
        "shot",
        "writes the screen as .txt, .ansi and .svg to the run's folder",
        Action::Shot,
    ),
    key(TABS, 'r', "r", "report", "writes the report of the run so far to its folder", Action::Report),
    held(
        Mods::CONTROL,
        key(
            EVERYWHERE,
            'c',
            "Ctrl-C",
            "",
            "interrupts the run; a second time leaves at once; after its end it leaves",
            Action::Interrupt,
        ),
    ),
    held(
        Mods::CONTROL,
        key(
            EVERYWHERE,
            'z',
            "Ctrl-Z",
            "",
            "gives the terminal to the shell until fg; a run started here stands still meanwhile",
            Action::Suspend,
        ),
    ),
];

/// What a key press does in a context, if anything. Shift is part of a character already.
pub fn action(context: Context, code: KeyCode, modifiers: KeyModifiers) -> Option<Action> {
    let held = modifiers & (KeyModifiers::CONTROL | KeyModifiers::SHIFT | KeyModifiers::ALT);
    let held = if matches!(code, KeyCode::Char(_)) { held - KeyModifiers::SHIFT } else { held };
    KEYS.iter()
        .find(|binding| binding.within & context != 0 && binding.key == code && binding.with == held)
        .map(|binding| binding.action)
}

/// Where a binding holds, in words.
pub fn place(within: Context) -> String {
    if within & TABS == TABS {
        return "everywhere".into();
    }
    let over = [(HELP, "help"), (LEAVE, "leaving"), (TYPING, "typing")];
    let tabs = Tab::ALL.into_iter().map(|tab| (of_tab(tab), tab.name()));
    let named = tabs.chain(over).filter(|(context, _)| within & context != 0);
    named.map(|(_, name)| name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// Set this variable to write the page again.
    const UPDATE_VARIABLE: &str = "UPDATE_KEYS";

    /// The table as a page: docs/keys.md.
    fn markdown() -> String {
        let mut page =
            "# Keys of the dashboard\n\n| keys | where | what happens |\n|---|---|---|\n".to_owned();
        for binding in KEYS.iter().filter(|binding| !binding.shown.is_empty()) {
            let shown: Vec<String> = binding.shown.split(' ').map(|key| format!("`{key}`")).collect();
            let _ = writeln!(page, "| {} | {} | {} |", shown.join(" "), place(binding.within), binding.help);
        }
        page += "\nThe mouse: a click shows a tab, does what a hint names, goes to a moment of a chart, chooses a row; a second \
                 click on a chosen row opens it. The wheel scrolls. `--no-mouse` leaves the mouse to the terminal.\n";
        page
    }

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for (i, one) in KEYS.iter().enumerate() {
            for other in &KEYS[i + 1..] {
                let same = (one.key, one.with) == (other.key, other.with);
                assert!(!same || one.within & other.within == 0, "{:?} is bound twice", one.key);
            }
        }
    }

    #[test]
    fn ctrl_c_is_not_c_and_a_key_depends_on_its_place() {
        let here = of_tab(Tab::Live);
        assert_eq!(action(here, Char('c'), Mods::NONE), Some(Action::Metric));
        assert_eq!(action(here, Char('c'), Mods::CONTROL), Some(Action::Interrupt));
        assert_eq!(action(here, Char('?'), Mods::SHIFT), Some(Action::Help));
        assert_eq!(action(here, Char('q'), Mods::ALT), None);
        assert_eq!(action(here, Char('l'), Mods::NONE), Some(Action::Scale));
        assert_eq!(action(of_tab(Tab::Procs), Char('l'), Mods::NONE), Some(Action::Step(1)));
        assert_eq!(action(LEAVE, Char('q'), Mods::NONE), Some(Action::Abort));
        assert_eq!(action(TYPING, Char('q'), Mods::NONE), None, "it is a letter there");
    }

    #[test]
    fn the_page_of_keys_is_this_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/keys.md");
        if std::env::var_os(UPDATE_VARIABLE).is_some() {
            return std::fs::write(path, markdown()).expect("docs/keys.md");
        }
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(page, markdown(), "write it again: {UPDATE_VARIABLE}=1 cargo test -p tui keymap");
    }
}
