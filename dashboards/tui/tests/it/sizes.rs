//! No size, no tab and no moment panics.

use std::sync::Arc;

use record::{Entry, Line};
use tui::state::{Metric, Overlay, Percentiles, Solo, State, Zoom};
use tui::tab::Tab;

use crate::fixture;
use crate::still::{after, drawn, text};

/// Eight arms where there were two.
fn eight() -> Vec<Line> {
    let mut lines = fixture::until(40);
    let copies: Vec<Line> = lines
        .iter()
        .flat_map(|line| ['C', 'D', 'E', 'F', 'G', 'H'].into_iter().map(move |letter| (letter, line)))
        .filter_map(|(letter, line)| {
            let mut line = line.clone();
            let arm = match &mut line.entry {
                Entry::Window(window) => &mut Arc::make_mut(window).arm,
                Entry::Edge(edge) => &mut edge.arm,
                Entry::Proc(proc) => &mut Arc::make_mut(proc).arm,
                Entry::Trace(trace) => &mut Arc::make_mut(trace).arm,
                _ => return None,
            };
            let copied = *arm == 'B';
            *arm = letter;
            copied.then_some(line)
        })
        .collect();
    if let Entry::Header(header) = &mut lines[0].entry {
        for letter in ['C', 'D', 'E', 'F', 'G', 'H'] {
            let arm = record::Arm { letter, name: format!("micro/{letter}"), ..header.arms[1].clone() };
            header.arms.push(arm);
        }
    }
    lines.extend(copies);
    lines.sort_by_key(|line| line.t);
    lines
}

/// Names longer than any screen, some of them wide.
fn long_names() -> Vec<Line> {
    let long = |text: &mut String| *text = text.repeat(30) + "図書館の写真";
    let mut lines = fixture::lines();
    for line in &mut lines {
        match &mut line.entry {
            Entry::Header(header) => {
                long(&mut header.scenario);
                header.arms.iter_mut().for_each(|arm| long(&mut arm.name));
                header.phases.iter_mut().for_each(|phase| long(&mut phase.name));
                header.steps.iter_mut().for_each(|step| long(&mut step.text));
            }
            Entry::Edge(edge) => long(&mut edge.callee),
            Entry::Proc(proc) => long(&mut Arc::make_mut(proc).instance),
            Entry::Event(event) => long(&mut event.text),
            Entry::Score(score) => long(&mut score.measure),
            Entry::Check(check) => long(&mut check.text),
            Entry::Trace(trace) => {
                let trace = Arc::make_mut(trace);
                long(&mut trace.journey);
                trace.spans.iter_mut().for_each(|span| long(&mut span.name));
            }
            _ => {}
        }
    }
    lines
}

fn models() -> Vec<(&'static str, State)> {
    let no_traces = |line: &Line| !matches!(line.entry, Entry::Trace(_) | Entry::Split(_));
    vec![
        ("empty", State::default()),
        ("header only", after(fixture::lines().into_iter().take(1).collect())),
        ("the first second", after(fixture::until(1))),
        ("mid-run", after(fixture::until(31))),
        ("a crash", after(fixture::until(38))),
        ("ended", after(fixture::lines())),
        ("eight arms", after(eight())),
        ("no traces", after(fixture::lines().into_iter().filter(no_traces).collect())),
        ("long names", after(long_names())),
    ]
}

/// Looks at a tab of a state in one of many ways.
fn look_at(state: &mut State, tab: u32, i: u32) {
    let at = i as usize;
    state.tab = Tab::ALL[tab as usize % Tab::ALL.len()];
    state.overlay = [
        Overlay::Nothing,
        Overlay::Nothing,
        Overlay::Nothing,
        Overlay::Help,
        Overlay::Leave,
        Overlay::Typing,
    ][at / 7 % 6];
    state.solo = [Solo::Both, Solo::First, Solo::Other][at / 3 % 3];
    state.theme.ascii = i.is_multiple_of(5);
    state.live.metric = Metric::ALL[at / 5 % Metric::ALL.len()];
    state.live.percentiles = [Percentiles::All, Percentiles::Two, Percentiles::Tail][at / 11 % 3];
    state.live.zoom =
        [Zoom::Fit, Zoom::Seconds(15), Zoom::Seconds(9_999), Zoom::Phase(2), Zoom::Phase(99)][at / 13 % 5];
    state.live.other_scale = i.is_multiple_of(2);
    state.live.alone = i.is_multiple_of(4);
    let open = i.is_multiple_of(3);
    for list in
        [&mut state.map, &mut state.score, &mut state.procs, &mut state.events, &mut state.traces.list]
    {
        (list.selected, list.open, list.sort) = (Some(at * 7), open, Some(at % 14));
    }
    state.traces.shown = open.then_some(('B', 1, 3_031));
    state.traces.scroll = at % 30;
}

#[test]
fn two_hundred_sizes_of_everything() {
    let mut models = models();
    let count = models.len() as u32;
    // Spread over 0..180 by 0..56 by steps that share no factor with either; two models a size, so that every state
    // meets every tab.
    for i in 0..200_u32 {
        let (width, height) = ((i * 37 % 181) as u16, (i * 23 % 57) as u16);
        for j in [i, i * 5 + 3] {
            let (_, state) = &mut models[(j % count) as usize];
            look_at(state, i / count, i + j);
            drawn(state, width, height);
        }
    }
}

#[test]
fn the_edges_of_the_layouts() {
    let sizes =
        [(0, 0), (1, 1), (39, 6), (40, 5), (40, 6), (40, 11), (79, 24), (80, 12), (120, 35), (119, 36)];
    for (_, mut state) in models() {
        for (i, (width, height)) in (0..).zip(sizes) {
            for tab in 0..6 {
                look_at(&mut state, tab, i * 7 + tab);
                drawn(&state, width, height);
            }
        }
    }
}

/// Whatever the width, the tabs are all there and the footer begins with help.
#[test]
fn nothing_is_cut_silently() {
    let mut state = after(fixture::lines());
    for width in (40..=84).chain((85..=180).step_by(5)) {
        for tab in Tab::ALL {
            state.tab = tab;
            let screen = text(&drawn(&state, width, 14));
            let lines: Vec<&str> = screen.lines().collect();
            let (tabs, footer) = (lines[1], lines[13]);
            let written = |tab: Tab| [tab.name(), tab.short()].map(|name| format!("{} {name}", tab.number()));
            for tab in Tab::ALL {
                assert!(written(tab).iter().any(|name| tabs.contains(name)), "{tab:?} at {width}: {tabs}");
            }
            assert!(
                written(tab).iter().any(|name| tabs.contains(&format!("[{name}]"))),
                "at {width}: {tabs}"
            );
            assert!(footer.starts_with(" ? help"), "{tab:?} at {width}: {footer}");
        }
    }
}
