//! Every process with what it takes: the arms', the generator's, our own, and the dashboard's thread.

use std::cmp::Ordering;

use model::processes::{Rates, Sum};
use ratatui::layout::Rect;
use record::Proc;

use super::frame::{foot, framed, titled};
use super::graph;
use super::is_low;
use super::page::Page;
use super::table::{Column, Row, Table, more_columns};
use crate::state::State;
use crate::style::Role;
use crate::text::{NO_DATA, cores, count as counted, value};

pub(super) const COLUMNS: &[Column] = &[
    Column::words("arm", 3, 0),
    Column::words("instance", 12, 0),
    Column::words("state", 10, 5),
    Column::words("pid", 8, 3),
    Column::figure("proc_cpu", 7, 0),
    Column::figure("proc_wait", 7, 4),
    Column::figure("proc_pss", 9, 0),
    Column::figure("proc_threads", 4, 6),
    Column::figure("proc_fds", 5, 6),
    Column::figure("proc_switches", 7, 4),
    Column::figure("proc_restarts", 4, 2),
    Column::figure("proc_db", 9, 5),
    Column::words("port", 6, 7),
    Column::rest_if_any("components", 10, 8),
];

/// The letter of processes of no arm: the generator, and the lab.
const LAB_LETTER: char = '-';

/// A process and its rates.
struct Line<'a> {
    proc: &'a Proc,
    rates: Option<Rates>,
    port: Option<u16>,
}

fn lines(state: &State, arm: char) -> Vec<Line<'_>> {
    let ports = state.run.arm(arm).map_or(&[][..], |arm| &arm.instances);
    let line = |proc: &'_ Proc| -> (Option<Rates>, Option<u16>) {
        let port = ports.iter().find(|instance| instance.name == proc.instance).map(|instance| instance.port);
        (state.detail().rates_at(arm, &proc.instance, state.at()), port)
    };
    let mut lines: Vec<Line> = state
        .detail()
        .processes_at(arm, state.at())
        .map(|proc| {
            let (rates, port) = line(proc);
            Line { proc, rates, port }
        })
        .filter(|line| {
            let proc = line.proc;
            state.procs.passes(&format!(
                "{arm} {} {} {} {}",
                proc.instance,
                proc.state,
                proc.pid,
                proc.components.join(" ")
            ))
        })
        .collect();
    if let Some(column) = state.procs.sort {
        lines.sort_by(|a, b| order(column, a, b));
    }
    lines
}

/// Words rise, figures fall: the most is what one looks for.
fn order(column: usize, a: &Line, b: &Line) -> Ordering {
    let rate = |of: fn(&Rates) -> f64| {
        let of = |line: &Line| line.rates.as_ref().map_or(-1.0, of);
        of(b).total_cmp(&of(a))
    };
    let figure = |of: fn(&Proc) -> u64| of(b.proc).cmp(&of(a.proc));
    match column {
        2 => a.proc.state.cmp(&b.proc.state),
        3 => a.proc.pid.cmp(&b.proc.pid),
        4 => rate(|r| r.cpu),
        5 => rate(|r| r.wait),
        6 => figure(|p| p.pss_kib),
        7 => figure(|p| p.threads.into()),
        8 => figure(|p| p.fds.into()),
        9 => rate(|r| r.switches),
        10 => figure(|p| p.restarts.into()),
        11 => figure(|p| p.db_bytes),
        12 => a.port.cmp(&b.port),
        13 => a.proc.components.cmp(&b.proc.components),
        // Arms stay apart.
        _ => a.proc.instance.cmp(&b.proc.instance),
    }
}

/// The arms shown, then what is no arm's.
fn groups(state: &State) -> Vec<(char, Vec<Line<'_>>)> {
    let letters = if state.solo == crate::state::Solo::Both { state.run.letters() } else { state.arms() };
    letters.into_iter().chain([LAB_LETTER]).map(|arm| (arm, lines(state, arm))).collect()
}

pub(super) fn count(state: &State) -> usize {
    // Beside the processes a sum an arm, and the dashboard itself.
    rows(state).iter().filter(|row| matches!(row, Row::Cells(_))).count()
}

fn rows(state: &State) -> Vec<Row> {
    let mut rows = Vec::new();
    for (arm, lines) in groups(state) {
        rows.extend(lines.iter().map(|line| Row::Cells(cells(state, arm, line))));
        if arm != LAB_LETTER && !lines.is_empty() {
            rows.push(Row::Cells(sum(arm, &lines)));
        }
    }
    if state.procs.passes("- dashboard") {
        rows.push(Row::Cells(own(state)));
    }
    rows
}

fn bytes(kib: u64) -> String {
    value((kib > 0).then_some(kib as f64 * 1024.0), "B")
}

/// A count of which a process that runs has some: none is not known.
fn some(count: u64) -> String {
    if count > 0 { count.to_string() } else { NO_DATA.into() }
}

fn cells(state: &State, arm: char, line: &Line) -> Vec<(String, Role)> {
    let proc = line.proc;
    let (sign, role) = graph::process_sign(&state.theme, proc);
    let dim = |text: String| (text, Role::Dim);
    let plain = |text: String| (text, Role::Text);
    vec![
        plain(arm.to_string()),
        plain(proc.instance.clone()),
        (format!("{sign} {}", proc.state), role),
        dim(proc.pid.to_string()),
        plain(cores(line.rates.map(|r| r.cpu))),
        plain(cores(line.rates.map(|r| r.wait))),
        plain(bytes(proc.pss_kib)),
        plain(some(proc.threads.into())),
        plain(some(proc.fds.into())),
        plain(counted(line.rates.map(|r| r.switches))),
        (proc.restarts.to_string(), if proc.restarts > 0 { Role::Warn } else { Role::Dim }),
        plain(bytes(proc.db_bytes / 1024)),
        dim(line.port.map_or_else(|| NO_DATA.into(), |port| port.to_string())),
        dim(proc.components.join(", ")),
    ]
}

fn sum(arm: char, lines: &[Line]) -> Vec<(String, Role)> {
    let strong = |text: String| (text, Role::Strong);
    let sum = Sum::of(lines.iter().map(|line| (line.proc, line.rates)));
    let rate = |of: fn(&Rates) -> f64| sum.rates.as_ref().map(of);
    vec![
        strong(arm.to_string()),
        strong(format!("sum of {}", lines.len())),
        strong(String::new()),
        strong(String::new()),
        strong(cores(rate(|r| r.cpu))),
        strong(cores(rate(|r| r.wait))),
        strong(bytes(sum.pss_kib)),
        strong(some(sum.threads)),
        strong(some(sum.fds)),
        strong(counted(rate(|r| r.switches))),
        strong(sum.restarts.to_string()),
        strong(bytes(sum.db_bytes / 1024)),
        strong(String::new()),
        strong(String::new()),
    ]
}

/// The dashboard's own thread: what watching costs here and now. It is no line of the record, which other views read.
fn own(state: &State) -> Vec<(String, Role)> {
    let mut cells = vec![
        (LAB_LETTER.to_string(), Role::Text),
        ("dashboard".to_owned(), Role::Text),
        ("a thread".to_owned(), Role::Dim),
        (String::new(), Role::Dim),
        (cores(state.overhead.cpu), Role::Text),
    ];
    cells.resize(COLUMNS.len(), (String::new(), Role::Dim));
    cells
}

pub(super) fn draw(state: &State, area: Rect, page: &mut Page) {
    let theme = &state.theme;
    let inner = if is_low(area) { area } else { framed(theme, titled(theme, "processes"), area, page) };
    let rows = rows(state);
    let count = rows.iter().filter(|row| matches!(row, Row::Cells(_))).count();
    let chosen = state.procs.at(count, false);
    let table = Table { columns: COLUMNS, rows: &rows, chosen, sort: state.procs.sort, before: 0 };
    let missing = table.draw(theme, inner, page);
    if !is_low(area) {
        let own = state.overhead;
        let per_frame = own.bytes_per_frame.map_or_else(String::new, |bytes| format!(", {bytes} bytes each"));
        let frames = format!("dashboard: {} frames/s{per_frame}", own.frames);
        let more = if missing > 0 {
            format!("  {} on a wider screen", more_columns(missing))
        } else {
            String::new()
        };
        foot(theme, &format!("{frames}{more}"), Role::Dim, area, page);
    }
}
