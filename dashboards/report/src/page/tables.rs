//! Figures by journey and by edge, over the measured phases; what was wrong, over all of the load.

use super::{Lane, Page, cells, number, text};
use crate::escaped;
use model::Window;
use model::edges::EdgeRow;
use model::format::{NO_DATA, clock, count, value};
use model::incidents::Incident;
use model::journeys::JourneyRow;

impl Page<'_> {
    pub(super) fn routes(&mut self) {
        let of_lane = |lane: &Lane<'_>| {
            let bound_us = lane.run.header.timeout_us;
            let rows = lane.run.journey_rows(lane.letter, &Window::Whole).into_iter();
            let rows = rows.filter(|row| row.offered > 0);
            rows.map(|row| (lane.name.clone(), bound_us, row)).collect::<Vec<_>>()
        };
        let rows: Vec<(String, u64, JourneyRow)> = self.lanes.iter().flat_map(of_lane).collect();
        if rows.is_empty() {
            return;
        }
        self.open_folded("Journeys", "what users wanted, by journey and arm");
        self.quiet(
            "Over the measured phases, of all journeys: failed ones lie above every value. A percentile beyond which fewer than \
             five samples lie stands in brackets.",
        );
        let columns = [
            text("arm"),
            number("offered_total"),
            number("goodput"),
            number("errors"),
            number("timeout"),
            number("latency_p50"),
            number("latency_p99"),
            number("latency_p999"),
        ];
        self.table(&columns);
        for journey in in_order(rows.iter().map(|(.., row)| row.journey.clone())) {
            self.group(&journey, columns.len());
            for (lane, bound_us, row) in rows.iter().filter(|(.., row)| row.journey == journey) {
                let quantile = |q: f64| {
                    let Some(of) = row.arrival_quantile(q, *bound_us) else { return NO_DATA.to_owned() };
                    let shown = value(Some(of.seconds()), "s");
                    let shown = if of.is_censored { format!("> {shown}") } else { shown };
                    if of.is_believable { shown } else { format!("({shown})") }
                };
                let values = [
                    count(Some(row.offered as f64)),
                    value(row.goodput(), "%"),
                    value(row.error_ratio(), "%"),
                    count(Some(row.timeouts as f64)),
                    quantile(0.5),
                    quantile(0.99),
                    quantile(0.999),
                ];
                self.row(&escaped(lane), &cells(&values));
            }
        }
        self.end_table();
        self.close_folded();
    }

    pub(super) fn edges(&mut self) {
        let rows: Vec<(String, EdgeRow)> = self
            .lanes
            .iter()
            .flat_map(|lane| {
                let edges = lane.run.edge_rows(lane.letter, &Window::Whole);
                edges.into_iter().map(|row| (lane.name.clone(), row))
            })
            .collect();
        self.open_folded("Edges", "calls between processes");
        if rows.is_empty() {
            self.quiet("No call crossed a process in this run.");
            self.close_folded();
            return;
        }
        self.quiet(
            "Calls between processes over the measured phases. What is a function call is not measured here.",
        );
        let columns = [
            text("arm"),
            number("edge_rps"),
            number("tries_per_call"),
            number("edge_errors"),
            number("edge_retries"),
            number("edge_worst_p99"),
            number("edge_queue"),
            number("breaker_open"),
        ];
        self.table(&columns);
        let name = |row: &EdgeRow| format!("{} → {}", row.caller, row.callee);
        for edge in in_order(rows.iter().map(|(_, row)| name(row))) {
            self.group(&edge, columns.len());
            for (lane, row) in rows.iter().filter(|(_, row)| name(row) == edge) {
                let values = [
                    count(row.rate()),
                    value(row.tries_per_call(), ""),
                    value(row.error_ratio(), "%"),
                    count(row.retry_rate()),
                    value(row.worst_p99_seconds(), "s"),
                    count(Some(row.queue as f64)),
                    format!("{}s", row.open_s),
                ];
                self.row(&escaped(lane), &cells(&values));
            }
        }
        self.end_table();
        self.close_folded();
    }

    pub(super) fn symptoms(&mut self) {
        let found: Vec<(String, Incident)> = self
            .lanes
            .iter()
            .flat_map(|lane| {
                lane.run.incidents_of(lane.letter).into_iter().map(|incident| (lane.name.clone(), incident))
            })
            .collect();
        if found.is_empty() {
            self.open("What was wrong");
            self.quiet("No problem was detected.");
            self.close();
            return;
        }
        let holds =
            if found.len() == 1 { "1 problem".to_owned() } else { format!("{} problems", found.len()) };
        self.open_folded("What was wrong", &holds);
        let columns = [
            text("arm"),
            text("symptom"),
            number("first_seen"),
            number("worst_seen"),
            number("last_seen"),
            number("seen_s"),
        ];
        self.table(&columns);
        for (lane, incident) in &found {
            let at = |second: u32| clock(second.into());
            let class = if incident.symptom.kind.is_error() { "text long" } else { "text long quiet" };
            let values = [
                at(incident.first_s),
                at(incident.worst_s),
                at(incident.last_s),
                format!("{}s", incident.seconds),
            ];
            self.row(
                &escaped(lane),
                &format!("<td class=\"{class}\">{}</td>{}", escaped(&incident.symptom.text), cells(&values)),
            );
        }
        self.end_table();
        self.close_folded();
    }
}

/// Each name once, in the order they first come.
fn in_order(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut ordered: Vec<String> = Vec::new();
    for name in names {
        if !ordered.contains(&name) {
            ordered.push(name);
        }
    }
    ordered
}
