//! Every tab at every size, as text and as the roles of its cells; and what a screen must show whatever it looks like.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyModifiers};
use model::startup::Startup;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use record::Entry;
use tui::state::{Metric, Overlay, State};
use tui::style::{ColorScheme, Palette, Role};
use tui::tab::Tab;
use tui::update::{Msg, update};

use crate::fixture;
use crate::still::{after, drawn, rows, text};

/// The breakpoints of the layouts, and a screen beyond them.
const SIZES: [(u16, u16); 6] = [(160, 50), (120, 40), (100, 30), (80, 24), (60, 20), (40, 12)];

/// One letter of a role for every cell that shows something; capital where it is marked.
fn roles(buffer: &Buffer) -> String {
    rows(buffer, |cell| match cell.fg {
        _ if cell.symbol() == " " => " ".to_owned(),
        Color::Indexed(role) => {
            let letter = Role::ALL[usize::from(role)].letter();
            if cell.modifier.contains(Modifier::REVERSED) {
                letter.to_uppercase().collect()
            } else {
                letter.to_string()
            }
        }
        other => panic!("a cell without a role: {other:?}"),
    })
}

/// Text, and below it the roles of the same cells.
fn both(state: &State, width: u16, height: u16) -> String {
    let buffer = drawn(state, width, height);
    format!("{}\n{}\n{}", text(&buffer), "=".repeat(usize::from(width)), roles(&buffer))
}

fn tab(tab: Tab) {
    let mut state = after(fixture::until(43));
    state.tab = tab;
    for (width, height) in SIZES {
        let name = format!("{}_{width}x{height}", tab.name().to_lowercase());
        insta::assert_snapshot!(name, both(&state, width, height));
    }
}

#[test]
fn live() {
    tab(Tab::Live);
}

#[test]
fn map() {
    tab(Tab::Map);
}

#[test]
fn score() {
    tab(Tab::Score);
}

#[test]
fn traces() {
    tab(Tab::Traces);
}

#[test]
fn procs() {
    tab(Tab::Procs);
}

#[test]
fn events() {
    tab(Tab::Events);
}

/// Enter on what is chosen: a trace and its twin, an edge, the answer, a score, an expectation, a chart alone.
#[test]
fn opened() {
    let mut state = after(fixture::lines());
    let press = |state: &mut State, keys: &[KeyCode]| {
        keys.iter().for_each(|key| drop(update(state, Msg::Key(*key, KeyModifiers::NONE))));
    };
    press(&mut state, &[KeyCode::Char('4'), KeyCode::Enter]);
    insta::assert_snapshot!("opened_trace_160x50", both(&state, 160, 50));
    insta::assert_snapshot!("opened_trace_80x24", both(&state, 80, 24));
    press(&mut state, &[KeyCode::Char('3')]);
    insta::assert_snapshot!("score_at_the_end_120x40", both(&state, 120, 40));
    insta::assert_snapshot!("score_at_the_end_80x24", both(&state, 80, 24));
    press(&mut state, &[KeyCode::Enter]);
    insta::assert_snapshot!("opened_answer_80x24", text(&drawn(&state, 80, 24)));
    press(&mut state, &[KeyCode::Esc, KeyCode::Char('j'), KeyCode::Enter]);
    insta::assert_snapshot!("opened_score_80x24", text(&drawn(&state, 80, 24)));
    press(&mut state, &[KeyCode::Esc, KeyCode::PageDown, KeyCode::PageDown, KeyCode::Enter]);
    insta::assert_snapshot!("opened_expectation_80x24", text(&drawn(&state, 80, 24)));
    let mut state = after(fixture::until(31));
    press(
        &mut state,
        &[KeyCode::Char('2'), KeyCode::Char('s'), KeyCode::Char('s'), KeyCode::Char('j'), KeyCode::Char('j')],
    );
    insta::assert_snapshot!("map_slow_120x40", both(&state, 120, 40));
    press(&mut state, &[KeyCode::Enter]);
    insta::assert_snapshot!("opened_edge_80x24", both(&state, 80, 24));
    press(&mut state, &[KeyCode::Char('1'), KeyCode::Char('c'), KeyCode::Enter]);
    insta::assert_snapshot!("opened_chart_80x24", both(&state, 80, 24));
}

/// A run of which nothing is known but how it gets ready.
fn starting() -> State {
    let about = |text: &str| text.to_owned();
    let mut startup = Startup::new(
        "first-look",
        42,
        [
            ("data", about("users, photos and their history, from seed 42")),
            ("A mono", about("its processes start")),
            ("B micro", about("its processes start")),
            ("generator", about("tries every journey on every arm")),
        ],
    );
    startup.finish("data", "ready for 2 arms", 0.412);
    startup.finish("A mono", "serves with 1 process", 0.052);
    startup.begin("B micro", "7 processes to start");
    State { startup, ..after(Vec::new()) }
}

#[test]
fn a_start_shows_what_is_done() {
    let state = starting();
    insta::assert_snapshot!("starting_80x24", both(&state, 80, 24));
    let small = text(&drawn(&state, 60, 4));
    assert!(small.contains("◐ B micro") && !small.contains("data"), "what is done goes first:\n{small}");
    let mut ascii = state;
    ascii.theme.ascii = true;
    assert!(text(&drawn(&ascii, 80, 24)).is_ascii());
    assert!(text(&drawn(&after(Vec::new()), 80, 24)).contains("waiting for the run to begin"));
}

/// The header is written two seconds before the load.
#[test]
fn before_the_load_arms_are_at_rest() {
    let state = after(fixture::lines().into_iter().take(1).collect());
    let screen = text(&drawn(&state, 120, 40));
    assert!(screen.contains("AT REST") && screen.contains("at rest: the load begins"), "{screen}");
    assert!(!screen.contains("LIVE"), "{screen}");
}

/// In turns: which, of how many, and how long it still takes.
#[test]
fn arms_in_turns_are_counted() {
    let mut lines = fixture::until(31);
    if let Entry::Header(header) = &mut lines[0].entry {
        header.rounds = 3;
    }
    for line in &mut lines {
        if let Entry::Phase(phase) = &mut line.entry {
            phase.arms = "A".to_owned();
        }
    }
    let screen = text(&drawn(&after(lines), 160, 50));
    // 29 s of this turn and five turns of a minute.
    assert!(screen.contains("round 1/3, arm 1 of 6, 5 min left"), "{screen}");
    assert!(screen.contains("its turn has not come yet"), "B waits:\n{screen}");
}

/// Where every request fails there is no latency to draw, which must not look as if nothing had been asked.
#[test]
fn a_total_outage_is_called_what_it_is() {
    let mut lines = fixture::until(43);
    for line in &mut lines {
        if let Entry::Window(window) = &mut line.entry
            && window.arm == 'B'
        {
            let window = Arc::make_mut(window);
            window.errors = [("connect".to_owned(), window.offered)].into();
            (window.ok, window.good, window.intended) = (0, 0, Default::default());
        }
    }
    let mut state = after(lines);
    for (width, height) in [(160, 50), (120, 40), (80, 24)] {
        let screen = text(&drawn(&state, width, height));
        let of_b: String =
            screen.lines().map(|row| row.chars().skip(usize::from(width) / 2).collect::<String>()).collect();
        assert_eq!(of_b.matches("no successful requests").count(), 1, "{screen}");
        assert!(of_b.contains("××××××"), "{screen}");
    }
    state.live.metric = Metric::Goodput;
    assert!(!text(&drawn(&state, 120, 40)).contains("no successful"), "goodput has a line at zero");
    let well = text(&drawn(&after(fixture::until(30)), 120, 40));
    assert!(!well.contains("no successful"), "{well}");
}

/// A limit says which it is wherever lines run.
#[test]
fn limits_are_named_next_to_the_lines() {
    for second in (1..=60).step_by(7) {
        let state = after(fixture::until(second));
        for (width, height) in [(160, 50), (120, 40), (80, 24)] {
            let screen = text(&drawn(&state, width, height));
            assert_eq!(screen.matches("p99<150").count(), 2, "at {second} s, {width}x{height}:\n{screen}");
        }
    }
}

/// What is unsure is dotted in its own colour: two unsure lines still differ, and their names go with them.
#[test]
fn lines_keep_their_colours_where_samples_are_few() {
    let shown = roles(&drawn(&after(fixture::until(31)), 120, 40));
    let chart: String = shown.lines().skip(3).take(9).collect();
    assert!(chart.contains('p') && chart.contains('q') && chart.contains('m'), "{shown}");
    let dots = |role: char| chart.chars().filter(|c| *c == role).count();
    assert!(dots('q') > 20, "p99.9 is drawn as itself, not only named: {shown}");
}

/// Frames are whole: no text runs over their sides.
#[test]
fn no_text_runs_over_a_frame() {
    let mut state = after(fixture::lines());
    let press = |state: &mut State, key| drop(update(state, Msg::Key(key, KeyModifiers::NONE)));
    for (width, height) in SIZES.into_iter().chain([(200, 60), (119, 36), (130, 45)]) {
        for tab in Tab::ALL {
            for is_open in [false, true] {
                (state.tab, state.size) = (tab, (width, height));
                press(&mut state, KeyCode::Esc);
                if is_open {
                    press(&mut state, KeyCode::Enter);
                }
                let buffer = drawn(&state, width, height);
                assert_eq!(
                    broken_frames(&buffer),
                    [""; 0],
                    "{tab:?} at {width}x{height}:\n{}",
                    text(&buffer)
                );
                state.cursor = None;
            }
        }
    }
}

/// The sides of frames that hold something else, as sentences: from a corner down to the one below it.
fn broken_frames(buffer: &Buffer) -> Vec<String> {
    let area = buffer.area;
    let mut broken = Vec::new();
    let cells = (0..area.height).flat_map(|y| (0..area.width).map(move |x| (x, y)));
    for (x, y) in cells {
        let end = match buffer[(x, y)].symbol() {
            "╭" => "╰",
            "╮" => "╯",
            _ => continue,
        };
        let below = (y + 1..area.height).find(|y| buffer[(x, *y)].symbol() != "│");
        if below.is_none_or(|y| buffer[(x, y)].symbol() != end) {
            broken.push(format!("the side at {x}, {y} ends at row {below:?}"));
        }
    }
    broken
}

/// On a wide screen figures stand beside what they are of.
#[test]
fn names_and_figures_stand_together() {
    let mut state = after(fixture::lines());
    for (tab, row) in [
        (Tab::Map, "→ follower"),
        (Tab::Score, "collateral failures of dead-photo (journeys that do not need photo)"),
    ] {
        state.tab = tab;
        let screen = text(&drawn(&state, 200, 60));
        let line = screen.lines().find(|line| line.contains(row)).unwrap_or_default();
        let rest = line.split(row).nth(1).unwrap_or_default();
        let blank = rest.chars().take_while(|c| *c == ' ').count();
        assert!(blank < 40, "{tab:?}: {blank} blanks behind a name:\n{screen}");
    }
}

#[test]
fn small_screens_show_what_matters_most() {
    insta::assert_snapshot!("sparklines_60x8", both(&after(fixture::until(43)), 60, 8));
    insta::assert_snapshot!("one_line_20x5", both(&after(fixture::until(39)), 20, 5));
    let mut state = after(fixture::until(43));
    state.tab = Tab::Procs;
    insta::assert_snapshot!("procs_60x8", text(&drawn(&state, 60, 8)));
}

/// What each theme makes of the same screen: a letter a colour, capital where it is bold.
#[test]
fn themes() {
    let letter = |cell: &Cell| {
        let letter = match cell.fg {
            _ if cell.symbol() == " " => ' ',
            Color::Reset => 'o',
            Color::LightCyan => 'c',
            Color::LightYellow | Color::Yellow => 'y',
            Color::LightMagenta | Color::Magenta => 'm',
            Color::LightRed | Color::Red => 'r',
            Color::Blue => 'b',
            other => panic!("a colour beyond the sixteen: {other:?}"),
        };
        let bold = cell.modifier.contains(Modifier::BOLD);
        if bold { letter.to_ascii_uppercase().to_string() } else { letter.to_string() }
    };
    for (name, theme) in
        [("dark", ColorScheme::Dark), ("light", ColorScheme::Light), ("mono", ColorScheme::Mono)]
    {
        let mut state = after(fixture::until(31));
        state.theme.palette = Palette::new(theme, false);
        let shown = Tab::ALL.map(|tab| {
            state.tab = tab;
            rows(&drawn(&state, 60, 20), letter)
        });
        insta::assert_snapshot!(format!("theme_{name}_60x20"), shown.join("\n----\n"));
    }
}

#[test]
fn ascii_is_ascii_on_every_tab() {
    let mut state = after(fixture::lines());
    state.theme.ascii = true;
    let mut shown = Vec::new();
    for tab in Tab::ALL {
        state.tab = tab;
        for over in [Overlay::Nothing, Overlay::Help, Overlay::Leave, Overlay::Typing] {
            state.overlay = over;
            for (width, height) in SIZES.into_iter().chain([(60, 8), (20, 5)]) {
                let text = text(&drawn(&state, width, height));
                let other: String = text.chars().filter(|c| !c.is_ascii()).collect();
                assert_eq!(other, "", "{tab:?} {over:?} at {width}x{height}:\n{text}");
            }
        }
        state.overlay = Overlay::Nothing;
        shown.push(text(&drawn(&state, 80, 24)));
    }
    insta::assert_snapshot!("ascii_80x24", shown.join("\n"));
}

#[test]
fn paused_80x24_shows_the_past() {
    let mut paused = after(fixture::until(43));
    for _ in 0..12 {
        update(&mut paused, Msg::Key(KeyCode::Left, KeyModifiers::NONE));
    }
    let then = text(&drawn(&paused, 80, 24));
    assert!(then.contains("PAUSED -12.0s"), "{then}");
    assert!(!then.contains("went down"), "the crash comes later:\n{then}");
    paused.tab = Tab::Traces;
    let traces = text(&drawn(&paused, 120, 40));
    assert!(
        traces.contains("1412") && !traces.contains("4560"),
        "what was kept later is not there yet:\n{traces}"
    );
}

/// Replaying a record to a moment shows what was shown at that moment.
#[test]
fn the_past_is_as_it_was() {
    let mut whole = after(fixture::lines());
    let then = after(fixture::until(30));
    whole.cursor = Some(then.at());
    // Windows are written again while answers come in, so what stands on them is known better later; the rest is as it was.
    for tab in [Tab::Traces, Tab::Procs, Tab::Events] {
        let mut then = then.clone();
        (then.tab, whole.tab) = (tab, tab);
        // Below the header, whose state says where one stands, and above the footer.
        let body = |state: &State| {
            let screen = text(&drawn(state, 120, 40));
            screen.lines().skip(2).take(36).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(body(&whole), body(&then), "{tab:?}");
    }
}

/// The charts show in words what the map would show.
#[test]
fn the_worst_finding_is_on_the_live_tab() {
    let state = after(fixture::until(31));
    for (width, height) in [(120, 40), (80, 24)] {
        let screen = text(&drawn(&state, width, height));
        assert!(screen.contains("feed->follower: retry amplif"), "{screen}");
    }
    let well = text(&drawn(&after(fixture::until(15)), 120, 40));
    assert!(!well.contains("amplification"), "{well}");
}

/// The tab of the scorecard begins with what it comes to, in the lines of the final card, once there is one.
#[test]
fn the_score_tab_begins_with_the_answer() {
    let mut state = after(fixture::lines());
    state.tab = Tab::Score;
    let lines = scorecard::answer::answer(&state.run);
    assert!(lines.len() > 2, "{lines:?}");
    for (width, height) in [(160, 50), (120, 40), (80, 24), (60, 20), (40, 12), (60, 8)] {
        let screen = text(&drawn(&state, width, height));
        let found: Vec<usize> =
            lines.iter().filter_map(|line| screen.find(&line.chars().take(7).collect::<String>())).collect();
        let shown = if height < 12 { 5.min(lines.len()) } else { lines.len() };
        assert_eq!(found.len(), shown, "{width}x{height}: {screen}");
        assert!(found.is_sorted(), "{screen}");
        let card = screen.find("╭ scorecard").unwrap_or(usize::MAX);
        assert!(found.iter().all(|at| *at < card), "{screen}");
    }
    state.cursor = Some(state.run.load_start());
    let before = text(&drawn(&state, 120, 40));
    assert!(!before.contains("╭ answer"), "nothing was judged then:\n{before}");
}

/// A dead arm is a gap: its column of the chart holds no line.
#[test]
fn a_dead_arm_leaves_a_gap() {
    let buffer = drawn(&after(fixture::until(50)), 120, 40);
    let braille = |x: u16| {
        (4..12).any(|y| {
            ('\u{2801}'..='\u{28ff}').contains(&buffer[(x, y)].symbol().chars().next().unwrap_or(' '))
        })
    };
    // 54 columns for 60 s behind the frame and the gutter: second 38 to 39 is column 34 or 35.
    assert!(braille(5 + 20), "an answering arm has a line");
    assert!(!braille(5 + 35), "nothing was answered from 37 s to 40 s");
}

#[test]
fn every_metric_has_its_chart() {
    let mut state = after(fixture::until(43));
    for metric in Metric::ALL {
        state.live.metric = metric;
        for other_scale in [false, true] {
            state.live.other_scale = other_scale;
            let buffer = drawn(&state, 120, 40);
            let dots = buffer.content.iter().filter(|cell| {
                ('\u{2801}'..='\u{28ff}').contains(&cell.symbol().chars().next().unwrap_or(' '))
            });
            assert!(dots.count() > 20, "{metric:?} draws a line:\n{}", text(&buffer));
        }
    }
}

/// Three arms: A stays, `a` changes what it is compared with.
#[test]
fn a_third_arm_is_reached_by_key() {
    let mut lines = fixture::until(31);
    if let Entry::Header(header) = &mut lines[0].entry {
        let mut third = header.arms[1].clone();
        (third.letter, third.name) = ('C', "duo".to_owned());
        header.arms.push(third);
    }
    let mut state = after(lines);
    assert!(text(&drawn(&state, 120, 40)).contains("B micro"));
    update(&mut state, Msg::Key(KeyCode::Char('a'), KeyModifiers::NONE));
    let screen = text(&drawn(&state, 120, 40));
    assert!(screen.contains("C duo") && !screen.contains("B micro"), "{screen}");
    assert!(screen.contains("p99 - "), "an arm without windows has no figures:\n{screen}");
}

/// In the scorecard as well: what stands beside an arm's figure is of that arm.
#[test]
fn the_arm_that_is_chosen_stands_with_its_own_ratio() {
    let mut state = after(fixture::endings::crash_one());
    state.tab = Tab::Score;
    let row = |state: &State| {
        let screen = text(&drawn(state, 160, 50));
        screen
            .lines()
            .rfind(|line| line.contains("databases"))
            .unwrap_or_else(|| panic!("{screen}"))
            .to_owned()
    };
    assert!(row(&state).contains("×1.00"), "B has one: {}", row(&state));
    update(&mut state, Msg::Key(KeyCode::Char('a'), KeyModifiers::NONE));
    assert!(row(&state).contains("×5.00"), "C has five: {}", row(&state));
    let mut lines = fixture::endings::crash_one();
    if let Entry::Header(header) = &mut lines[0].entry {
        header.base = Some('C');
    }
    let mut state = after(lines);
    state.tab = Tab::Live;
    let screen = text(&drawn(&state, 160, 50));
    assert!(
        screen.contains("C micro") && screen.contains("A mono"),
        "the base arm is on the left:\n{screen}"
    );
}

#[test]
fn without_colour_every_role_keeps_the_terminals() {
    for role in Role::ALL {
        let style = Palette::new(ColorScheme::Dark, true).style(role);
        assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
    }
}
