//! The slowest requests, followed through the components: a waterfall of each beside the same request of the other
//! arms; and where the time of all traces went.

use std::cmp::Reverse;

use model::format::{NO_DATA, count};
use model::traces::Parts;
use model::{Run, glossary};
use record::{Class, Trace};

use super::{Lane, Page, cells, named, number, text, time};
use crate::compare::NAMES;
use crate::escaped;
use crate::plot::waterfall;

/// Requests shown of each run.
const REQUESTS: usize = 4;

impl Page<'_> {
    pub(super) fn traces(&mut self) {
        self.open_folded(
            "Slowest traces",
            "requests followed through the components, and where their time went",
        );
        self.terms.insert("traces");
        if self.runs.iter().all(|run| run.known_traces().next().is_none() && run.splits().next().is_none()) {
            let level = &self.runs[0].header.telemetry;
            self.quiet(&format!("No request of this run was kept: it was watched as `{level}`."));
        } else {
            if self.runs.iter().any(|run| run.known_traces().next().is_some()) {
                self.legend();
            }
            for index in 0..self.runs.len() {
                self.slowest(index);
            }
            self.parts();
        }
        self.close_folded();
    }

    /// How many requests the figures stand for, and what was lost on the way.
    fn followed(&mut self, run: &Run) {
        let Some(tracing) = run.end.as_ref().map(|end| end.tracing).filter(|tracing| tracing.requests > 0)
        else {
            return;
        };
        let mut text = format!(
            "{} requests were put together from {} spans, and {} are kept in the record",
            tracing.requests, tracing.spans, tracing.kept
        );
        for (n, what) in [
            (tracing.errors_beyond, "failed ones were too many to keep"),
            (tracing.strays, "spans belonged to no request of the run or came too late"),
            (tracing.overflow, "spans were left out since too many requests were open"),
            (tracing.not_forwarded, "spans were not taken by the collector"),
        ] {
            if n > 0 {
                text += &format!("; {n} {what}");
            }
        }
        self.quiet(&format!("{text}."));
    }

    /// The slowest requests of a run: the same request of every arm side by side, on one scale.
    fn slowest(&mut self, index: usize) {
        let run = self.runs[index];
        let slowest = slowest(run);
        if self.runs.len() > 1 {
            self.write(format_args!("<h3>{}</h3>", NAMES[index]));
        }
        self.followed(run);
        if slowest.is_empty() {
            return;
        }
        self.terms.extend(["user_latency", "trace_length"]);
        for worst in slowest {
            let same: Vec<&Trace> =
                run.known_traces().filter(|trace| is_same_request(trace, worst)).collect();
            let longest = same.iter().map(|trace| trace.length()).max().unwrap_or(1);
            let phase = run.header.phases.get(worst.phase as usize).map_or("", |phase| phase.name.as_str());
            let error =
                if worst.error.is_empty() { String::new() } else { format!(", failed: {}", worst.error) };
            self.write(format_args!(
                "<p>{} no. {} in {}: {} from due to done in {}{}.</p>",
                escaped(&worst.journey),
                worst.request,
                escaped(phase),
                time(worst.user_latency as f64),
                worst.arm,
                escaped(&error)
            ));
            let figures: Vec<String> = run
                .header
                .arms
                .iter()
                .map(|arm| {
                    let title = format!("{} {}", arm.letter, arm.name);
                    match same.iter().find(|trace| trace.arm == arm.letter) {
                        Some(trace) => figure(run, &title, trace, longest),
                        None => format!(
                            "<figure><figcaption>{}: no trace of this request was kept.</figcaption></figure>",
                            escaped(&title)
                        ),
                    }
                })
                .collect();
            self.write(format_args!("<div class=\"pair\">{}</div>", figures.concat()));
        }
    }

    fn legend(&mut self) {
        let classes: Vec<String> = Class::ALL
            .into_iter()
            .map(|class| {
                format!(
                    "<span class=\"key\"><svg viewBox=\"0 0 14 9\" width=\"14\" height=\"9\" aria-hidden=\"true\">\
                     <rect class=\"{}\" width=\"14\" height=\"9\"/></svg> {} {}</span>",
                    class.name(),
                    waterfall::letter(class),
                    class.words()
                )
            })
            .collect();
        self.write(format_args!(
            "<p class=\"quiet\">{}. Solid is the critical path; pale, an operation that ran beside the one that was waited for.</p>",
            classes.join(" ")
        ));
    }

    /// Where the time of all traces went, by journey and phase, a line for each lane.
    fn parts(&mut self) {
        let of: Vec<(usize, Vec<Parts>)> =
            self.lanes.iter().enumerate().map(|(lane, of)| (lane, of.run.parts(of.letter))).collect();
        let mut rows: Vec<(String, String, u32, usize, &Parts)> = Vec::new();
        for (lane, parts) in &of {
            for parts in parts {
                let Lane { run, name, .. } = &self.lanes[*lane];
                // What is warmed up is not what was asked.
                let Some(phase) = run.header.phases.get(parts.phase as usize).filter(|phase| phase.measure)
                else {
                    continue;
                };
                let phase = phase.name.clone();
                rows.push((format!("{} in {phase}", parts.journey), name.clone(), parts.phase, *lane, parts));
            }
        }
        if rows.is_empty() {
            return;
        }
        // Of each phase first the journey of which there are most.
        let most = |phase: u32, journey: &str| {
            let of = rows.iter().filter(|row| (row.2, row.4.journey.as_str()) == (phase, journey));
            of.map(|row| row.4.n).max().unwrap_or(0)
        };
        let mut order: Vec<_> = rows
            .iter()
            .map(|row| (row.2, Reverse(most(row.2, &row.4.journey)), row.4.journey.clone(), row.3))
            .collect();
        order.sort();
        rows.sort_by_cached_key(|row| {
            order.iter().position(|one| (one.0, &one.2, one.3) == (row.2, &row.4.journey, row.3))
        });
        self.write(format_args!("<h3>Where the time went</h3>"));
        self.quiet("Means over all traces, not only those kept; the parts add up to the length.");
        // A class that no request spent time on would be a column of dashes.
        let is_there = |class: &Class| rows.iter().any(|row| row.4.classes.contains_key(class));
        let classes: Vec<Class> = Class::ALL.into_iter().filter(is_there).collect();
        let mut columns = vec![text("arm"), number("samples"), number("trace_length")];
        columns.extend(classes.iter().map(|class| named("part", class.words())));
        columns.extend([number("slowest"), text("places")]);
        self.table(&columns);
        let mut group = String::new();
        for (of, lane, _, _, parts) in rows {
            if of != group {
                self.group(&of, columns.len());
                group = of;
            }
            let mut values = vec![count(Some(parts.n as f64)), time(parts.mean)];
            let of_class =
                |class: &Class| parts.classes.get(class).map_or_else(|| NO_DATA.into(), |ns| time(*ns));
            values.extend(classes.iter().map(of_class));
            values.push(time(parts.slowest));
            let places: Vec<String> =
                parts.places.iter().map(|(place, ns)| format!("{place} {}", time(*ns))).collect();
            self.row(
                &escaped(&lane),
                &format!(
                    "{}<td class=\"text long quiet\">{}</td>",
                    cells(&values),
                    escaped(&places.join(", "))
                ),
            );
        }
        self.end_table();
    }
}

/// The slowest requests of the measured phases that were kept, each once.
fn slowest(run: &Run) -> Vec<&Trace> {
    let mut slowest: Vec<&Trace> = Vec::new();
    let is_measured = |trace: &&Trace| {
        let phase = run.header.phases.get(trace.phase as usize);
        !trace.spans.is_empty() && phase.is_some_and(|phase| phase.measure)
    };
    for trace in model::traces::foremost(run.known_traces().filter(is_measured)) {
        if slowest.len() < REQUESTS && slowest.iter().all(|known| !is_same_request(known, trace)) {
            slowest.push(trace);
        }
    }
    slowest
}

/// Arrivals have the same number in every arm and round.
fn is_same_request(one: &Trace, other: &Trace) -> bool {
    (one.round, one.request, &one.journey) == (other.round, other.request, &other.journey)
}

fn figure(run: &Run, title: &str, trace: &Trace, longest: u64) -> String {
    let mut notes = Vec::new();
    if let Some(late) = model::traces::sent_late_ns(trace) {
        notes.push(format!("sent {} after it was due", time(late as f64)));
    }
    if trace.clipped > 0 {
        notes.push(format!("{} of work went on after it", time(trace.clipped as f64)));
    }
    if trace.orphans > 0 {
        notes.push(format!("{} operations whose callers' spans never came", trace.orphans));
    }
    let notes = if notes.is_empty() { String::new() } else { format!("; {}", notes.join("; ")) };
    let id = escaped(&trace.trace_id);
    let id = match run.jaeger_address(trace) {
        Ok(address) => format!("<a href=\"{}\" title=\"in Jaeger\">{id}</a>", escaped(&address)),
        Err(_) => id,
    };
    format!(
        "<figure>{}<figcaption>{}{}. Trace {id}.</figcaption></figure>",
        waterfall::draw(title, trace, longest),
        escaped(&waterfall::description(trace)),
        escaped(&notes),
    )
}

/// What the parts mean, for the glossary.
pub(super) fn classes() -> [(&'static str, &'static str); Class::ALL.len()] {
    Class::ALL.map(|class| {
        let term = glossary::of_class(class);
        (term.name, term.meaning)
    })
}
