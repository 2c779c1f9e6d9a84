//! Every process with what it takes: the arms', the generator's, our own, and the dashboard's thread.

use std::cmp::Ordering;

use ratatui::layout::Rect;
use record::Proc;

use super::frame::{foot, framed, titled};
use super::graph;
use super::is_low;
use super::page::Page;
use super::table::{Column, Row, Table, more_columns};
use crate::figures::{NO_DATA, count as counted, percent, value};
use crate::model::Model;
use crate::run::Rates;
use crate::style::Role;

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

/// Who is no arm's: the generator, and we.
const OURS: char = '-';

/// A process and its rates.
struct Line<'a> {
    proc: &'a Proc,
    rates: Option<Rates>,
    port: Option<u16>,
}

fn lines(model: &Model, arm: char) -> Vec<Line<'_>> {
    let ports = model.run.arm(arm).map_or(&[][..], |arm| &arm.instances);
    let line = |proc: &'_ Proc| -> (Option<Rates>, Option<u16>) {
        let port = ports.iter().find(|instance| instance.name == proc.instance).map(|instance| instance.port);
        (model.run.rates(arm, &proc.instance, model.at()), port)
    };
    let mut lines: Vec<Line> = model
        .run
        .procs(arm, model.at())
        .map(|proc| {
            let (rates, port) = line(proc);
            Line { proc, rates, port }
        })
        .filter(|line| {
            let proc = line.proc;
            model.procs.passes(&format!(
                "{arm} {} {} {} {}",
                proc.instance,
                proc.state,
                proc.pid,
                proc.components.join(" ")
            ))
        })
        .collect();
    if let Some(column) = model.procs.sort {
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
fn groups(model: &Model) -> Vec<(char, Vec<Line<'_>>)> {
    let letters = if model.solo == crate::model::Solo::Both { model.run.letters() } else { model.arms() };
    letters.into_iter().chain([OURS]).map(|arm| (arm, lines(model, arm))).collect()
}

pub(super) fn count(model: &Model) -> usize {
    // Beside the processes a sum an arm, and the dashboard itself.
    rows(model).iter().filter(|row| matches!(row, Row::Cells(_))).count()
}

fn rows(model: &Model) -> Vec<Row> {
    let mut rows = Vec::new();
    for (arm, lines) in groups(model) {
        rows.extend(lines.iter().map(|line| Row::Cells(cells(model, arm, line))));
        if arm != OURS && !lines.is_empty() {
            rows.push(Row::Cells(sum(arm, &lines)));
        }
    }
    if model.procs.passes("- dashboard") {
        rows.push(Row::Cells(own(model)));
    }
    rows
}

fn bytes(kib: u64) -> String {
    value((kib > 0).then_some(kib as f64 * 1024.0), "B")
}

fn cells(model: &Model, arm: char, line: &Line) -> Vec<(String, Role)> {
    let proc = line.proc;
    let (sign, role) = graph::state(&model.look, proc);
    let dim = |text: String| (text, Role::Dim);
    let plain = |text: String| (text, Role::Text);
    vec![
        plain(arm.to_string()),
        plain(proc.instance.clone()),
        (format!("{sign} {}", proc.state), role),
        dim(proc.pid.to_string()),
        plain(percent(line.rates.map(|r| r.cpu))),
        plain(percent(line.rates.map(|r| r.wait))),
        plain(bytes(proc.pss_kib)),
        plain(proc.threads.to_string()),
        plain(proc.fds.to_string()),
        plain(counted(line.rates.map(|r| r.switches))),
        (proc.restarts.to_string(), if proc.restarts > 0 { Role::Warn } else { Role::Dim }),
        plain(bytes(proc.db_bytes / 1024)),
        dim(line.port.map_or_else(|| NO_DATA.into(), |port| port.to_string())),
        dim(proc.components.join(", ")),
    ]
}

fn sum(arm: char, lines: &[Line]) -> Vec<(String, Role)> {
    let strong = |text: String| (text, Role::Strong);
    let rate = |of: fn(&Rates) -> f64| {
        lines.iter().filter_map(|line| line.rates.as_ref().map(of)).reduce(|a, b| a + b)
    };
    let figure = |of: fn(&Proc) -> u64| lines.iter().map(|line| of(line.proc)).sum::<u64>();
    vec![
        strong(arm.to_string()),
        strong(format!("sum of {}", lines.len())),
        strong(String::new()),
        strong(String::new()),
        strong(percent(rate(|r| r.cpu))),
        strong(percent(rate(|r| r.wait))),
        strong(bytes(figure(|p| p.pss_kib))),
        strong(figure(|p| p.threads.into()).to_string()),
        strong(figure(|p| p.fds.into()).to_string()),
        strong(counted(rate(|r| r.switches))),
        strong(figure(|p| p.restarts.into()).to_string()),
        strong(bytes(figure(|p| p.db_bytes) / 1024)),
        strong(String::new()),
        strong(String::new()),
    ]
}

/// The dashboard's own thread: what watching costs here and now. It is no line of the record, which other views read.
fn own(model: &Model) -> Vec<(String, Role)> {
    let mut cells = vec![
        (OURS.to_string(), Role::Text),
        ("dashboard".to_owned(), Role::Text),
        ("a thread".to_owned(), Role::Dim),
        (String::new(), Role::Dim),
        (percent(model.own.cpu), Role::Text),
    ];
    cells.resize(COLUMNS.len(), (String::new(), Role::Dim));
    cells
}

pub(super) fn draw(model: &Model, area: Rect, page: &mut Page) {
    let look = &model.look;
    let inner = if is_low(area) { area } else { framed(look, titled(look, "processes"), area, page) };
    let rows = rows(model);
    let count = rows.iter().filter(|row| matches!(row, Row::Cells(_))).count();
    let chosen = model.procs.at(count, false);
    let table = Table { columns: COLUMNS, rows: &rows, chosen, sort: model.procs.sort, before: 0 };
    let missing = table.draw(look, inner, page);
    if !is_low(area) {
        let own = model.own;
        let per_frame = own.bytes_per_frame.map_or_else(String::new, |bytes| format!(", {bytes} bytes each"));
        let frames = format!("dashboard: {} frames/s{per_frame}", own.frames);
        let more = if missing > 0 {
            format!("  {} on a wider screen", more_columns(missing))
        } else {
            String::new()
        };
        foot(look, &format!("{frames}{more}"), Role::Dim, area, page);
    }
}
