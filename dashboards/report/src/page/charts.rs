//! Charts: each kind drawn once for every lane, all lanes on one scale; and latency by percentile.

use model::series::Series;
use model::{Run, Window, format};
use record::{Latencies, PhasePlan, StepPlan};

use super::{Lane, Page};
use crate::compare::NAMES;
use crate::escaped;
use crate::plot::{Band, Curve, Plot, percentiles};

/// Columns a pointer can ask, over all charts of a page: each takes about 120 bytes.
const COLUMNS: usize = 3_000;
/// And of one chart at most: about as many as it has pixels to point at.
const MAX_COLUMNS: usize = 250;
/// Classes of lines where one chart holds all lanes.
pub(super) const CLASSES: [&str; 8] =
    ["one", "two", "three", "four", "one fine", "two fine", "three fine", "four fine"];

/// One line of a kind of chart: its name, its class, its term, and where its points come from.
struct LineKind(&'static str, &'static str, &'static str, fn(&Run, char) -> Series);

/// A kind of chart. A new one is an entry of [`KINDS`].
struct Kind {
    title: &'static str,
    unit: &'static str,
    is_logarithmic: bool,
    /// Expectations whose limits belong here begin with one of these, and what their values are multiplied by.
    limits: (&'static [&'static str], f64),
    lines: &'static [LineKind],
    /// Why a lane may have none of it.
    without: &'static str,
    /// The text where it is 0 in all lanes, which no chart has to show.
    at_zero: &'static str,
    /// Whether it is shown at once; others are folded.
    is_open: bool,
}

const KINDS: &[Kind] = &[
    Kind {
        title: "latency",
        unit: "ms",
        is_logarithmic: true,
        limits: (&["p50(", "p95(", "p99(", "p999("], 1e3),
        lines: &[
            LineKind("p50", "one", "latency_p50", |run, arm| run.latency_series(arm, 0.5)),
            LineKind("p99 of 5 s", "two", "latency_p99", |run, arm| run.latency_series(arm, 0.99)),
        ],
        without: "no journey was answered ok",
        at_zero: "",
        is_open: true,
    },
    Kind {
        title: "journeys per second",
        unit: "/s",
        is_logarithmic: false,
        limits: (&["rate("], 1.0),
        lines: &[
            LineKind("offered", "three", "offered", Run::offered_series),
            LineKind("good", "one", "rate", Run::good_series),
        ],
        without: "no journey was offered",
        at_zero: "",
        is_open: true,
    },
    Kind {
        title: "errors",
        unit: "%",
        is_logarithmic: false,
        limits: (&["errors("], 100.0),
        lines: &[
            LineKind("not ok", "two", "errors", Run::error_series),
            LineKind("dropped", "four", "dropped", Run::dropped_series),
        ],
        without: "no journey was offered",
        at_zero: "no journey failed",
        is_open: false,
    },
    Kind {
        title: "longest queue of an edge",
        unit: "",
        is_logarithmic: false,
        limits: (&[], 1.0),
        lines: &[LineKind("calls waiting", "one", "edge_queue", Run::queue_series)],
        without: "every call is a function call, and none waits",
        at_zero: "no call waited at an edge",
        is_open: false,
    },
    Kind {
        title: "staleness",
        unit: "ms",
        is_logarithmic: true,
        limits: (&["staleness_p50(", "staleness_p99("], 1e3),
        lines: &[
            LineKind("p50 of 30 s", "one", "staleness_p50", |run, arm| run.staleness_series(arm, 0.5)),
            LineKind("p99 of 30 s", "two", "staleness_p99", |run, arm| run.staleness_series(arm, 0.99)),
        ],
        without: "no journey of this mix looks for what another wrote",
        at_zero: "every write was visible at once",
        is_open: false,
    },
    Kind {
        title: "CPU",
        unit: "",
        is_logarithmic: false,
        limits: (&["cpu <", "cpu in", "cpu for"], 1.0),
        lines: &[LineKind("cores", "one", "cores", Run::cpu_series)],
        without: "no process was sampled",
        at_zero: "",
        is_open: false,
    },
    Kind {
        title: "memory",
        unit: "MiB",
        is_logarithmic: false,
        limits: (&["procs.pss"], 1.0 / 1_048_576.0),
        lines: &[LineKind("PSS", "one", "memory", Run::memory_series)],
        without: "no process was sampled",
        at_zero: "",
        is_open: false,
    },
];

/// What all charts of a kind have in common.
struct Scale {
    range: (f64, f64),
    /// Seconds of the longest run.
    longest: u32,
    columns: usize,
}

/// What a lane's chart is drawn of.
struct Drawn {
    series: Vec<Series>,
    limits: Vec<(f64, String)>,
}

/// What a kind of chart comes to.
enum Drawing {
    /// A figure for each lane.
    Figures(Vec<String>),
    /// Why there is none.
    Nothing(String),
}

impl Page<'_> {
    pub(super) fn charts(&mut self) {
        self.open("Timeline");
        for (index, run) in self.runs.clone().into_iter().enumerate() {
            let items = steps(run);
            if !items.is_empty() {
                let items: String = items.iter().map(|item| format!("<li>{}</li>", escaped(item))).collect();
                if self.runs.len() > 1 {
                    self.write(format_args!("<p>{}</p>", NAMES[index]));
                }
                self.write(format_args!("<ul class=\"steps\">{items}</ul>"));
            }
        }
        let columns = (COLUMNS / (KINDS.len() * self.lanes.len()).max(1)).min(MAX_COLUMNS);
        let mut missing = Vec::new();
        let mut folded: Vec<(&str, Vec<String>)> = Vec::new();
        for kind in KINDS {
            match self.kind(kind, columns) {
                Drawing::Nothing(why) => missing.push(format!("No chart of {}: {why}.", kind.title)),
                Drawing::Figures(svgs) if kind.is_open => self.in_groups(svgs),
                Drawing::Figures(svgs) => folded.push((kind.title, svgs)),
            }
        }
        self.quiet(
            "One scale for all charts of a kind. Latency is that of ok journeys, counted from when each was due. Shaded: what \
             was done, by its number; outlined and in brackets where it does not apply. Dashed: limits of claims.",
        );
        if !folded.is_empty() {
            let titles: Vec<&str> = folded.iter().map(|(title, _)| *title).collect();
            self.fold(&format!("more charts: {}", titles.join(", ")));
            for (_, svgs) in folded {
                self.in_groups(svgs);
            }
            self.end_fold();
        }
        missing.iter().for_each(|text| self.quiet(text));
        self.close();
    }

    /// The charts of a kind.
    fn kind(&mut self, kind: &Kind, columns: usize) -> Drawing {
        let longest = self.lanes.iter().map(|lane| lane.run.length_s()).max().unwrap_or(0);
        let drawn: Vec<Drawn> = self
            .lanes
            .iter()
            .map(|lane| {
                let series = |line: &LineKind| lengthened((line.3)(lane.run, lane.letter), lane.run, longest);
                Drawn { series: kind.lines.iter().map(series).collect(), limits: limits(lane, kind) }
            })
            .collect();
        let all = drawn.iter().flat_map(|drawn| &drawn.series);
        let mut points = all.clone().flatten().flatten().peekable();
        if points.peek().is_none() {
            return Drawing::Nothing(kind.without.to_owned());
        }
        if !kind.at_zero.is_empty() && points.all(|value| *value == 0.0) {
            return Drawing::Nothing(kind.at_zero.to_owned());
        }
        self.terms.extend(kind.lines.iter().map(|line| line.2));
        let most = drawn.iter().flat_map(|drawn| &drawn.limits).map(|(limit, _)| *limit);
        let scale = Scale { range: range(all, most), longest, columns };
        let figures = self
            .lanes
            .iter()
            .zip(drawn)
            .map(|(lane, drawn)| {
                if drawn.series.iter().flatten().all(Option::is_none) {
                    let text = format!("{}: {}: none, {}.", lane.name, kind.title, kind.without);
                    return format!("<figcaption>{}</figcaption>", escaped(&text));
                }
                let line =
                    |(line, points): (&LineKind, Series)| Curve { name: line.0, class: line.1, points };
                let curves: Vec<Curve<'_>> = kind.lines.iter().zip(drawn.series).map(line).collect();
                draw(lane, kind, &scale, &drawn.limits, &curves)
            })
            .collect();
        Drawing::Figures(figures)
    }

    /// Lanes of one number side by side.
    fn in_groups(&mut self, mut svgs: Vec<String>) {
        let besides: Vec<usize> = self.lanes.iter().map(|lane| lane.lane_index).collect();
        for group in besides.chunk_by(|one, other| one == other) {
            let rest = svgs.split_off(group.len());
            self.figures(&std::mem::replace(&mut svgs, rest));
        }
    }

    pub(super) fn figures(&mut self, svgs: &[String]) {
        self.write(format_args!("<div class=\"pair\">"));
        for svg in svgs {
            self.write(format_args!("<figure>{svg}</figure>"));
        }
        self.write(format_args!("</div>"));
    }

    /// Latency by percentile, as HDR histograms are shown: the rarer, the further right, a decade each.
    pub(super) fn distribution(&mut self) {
        let mut windows: Vec<(String, Window)> = Vec::new();
        for window in self.runs.iter().flat_map(|run| run.drawn_windows()) {
            if !windows.contains(&window) {
                windows.push(window);
            }
        }
        let svgs: Vec<String> =
            windows.iter().filter_map(|(name, window)| self.percentiles(name, window)).collect();
        if svgs.is_empty() {
            return;
        }
        self.open_folded("Distribution", "latency by percentile");
        self.quiet(
            "Latency of ok journeys by percentile: each decade to the right is ten times as rare. Thin where fewer \
             than five samples lie beyond.",
        );
        self.figures(&svgs);
        self.close_folded();
    }

    fn percentiles(&self, name: &str, window: &Window) -> Option<String> {
        let of = |lane: &Lane<'_>| lane.run.latencies(lane.letter, window);
        let merged: Vec<(&str, &str, Latencies)> = self
            .lanes
            .iter()
            .zip(CLASSES)
            .map(|(lane, class)| (lane.name.as_str(), class, of(lane)))
            .filter(|(.., latencies)| !latencies.is_empty())
            .collect();
        (!merged.is_empty()).then(|| percentiles::draw(&format!("latency, {name}"), &merged))
    }
}

/// A series of a run on the axis of the longest: beyond its end there is nothing.
fn lengthened(mut series: Series, run: &Run, longest: u32) -> Series {
    let step = run.length_s().div_ceil(u32::try_from(series.len()).unwrap_or(u32::MAX).max(1)).max(1);
    series.resize(longest.div_ceil(step) as usize, None);
    series
}

/// A chart over the run's time.
fn draw(
    lane: &Lane<'_>,
    kind: &Kind,
    scale: &Scale,
    limits: &[(f64, String)],
    curves: &[Curve<'_>],
) -> String {
    let header = &lane.run.header;
    let begins = |phase: &PhasePlan| (phase.start_ns as f64 / 1e9, phase.name.clone());
    let phases: Vec<(f64, String)> = header.phases.iter().map(begins).collect();
    let band = |step: &StepPlan| Band {
        number: step.number,
        from_s: step.start_ns as f64 / 1e9,
        to_s: (step.start_ns + step.length_ns) as f64 / 1e9,
        is_fault: step.is_fault,
        is_absent: step.not_applicable.contains_key(&lane.letter),
    };
    let mut bands: Vec<Band> = header.steps.iter().map(band).collect();
    bands.sort_by(|one, other| one.from_s.total_cmp(&other.from_s));
    Plot {
        title: &format!("{}: {}", lane.name, kind.title),
        unit: kind.unit,
        is_logarithmic: kind.is_logarithmic,
        range: scale.range,
        length: f64::from(scale.longest),
        marks: &phases,
        bands: &bands,
        limits,
        curves,
        columns: scale.columns,
    }
    .draw(|second| format::clock(second as u64))
}

/// What was done, by number.
fn steps(run: &Run) -> Vec<String> {
    let text = run.header.steps.iter().map(|step| {
        let missing: Vec<String> = step
            .not_applicable
            .iter()
            .map(|(arm, reason)| format!("{arm} not applicable: {reason}"))
            .collect();
        let missing = if missing.is_empty() { String::new() } else { format!(" ({})", missing.join("; ")) };
        format!("{} {}{missing}", step.number, step.text)
    });
    text.collect()
}

/// Limits of a lane's expectations that belong on a kind of chart.
fn limits(lane: &Lane<'_>, kind: &Kind) -> Vec<(f64, String)> {
    let (prefixes, scale) = kind.limits;
    let mut limits: Vec<(f64, String)> = lane
        .run
        .checks()
        .into_iter()
        .filter(|check| {
            let is_of_lane = check.arm == lane.letter && model::limit::written(&check.text).is_some();
            is_of_lane && prefixes.iter().any(|prefix| check.text.starts_with(prefix))
        })
        .filter_map(|check| Some((check.limit? * scale, check.text.clone())))
        .collect();
    limits.dedup();
    limits
}

/// The least positive and the greatest value of all series that share a scale.
fn range<'s>(series: impl Iterator<Item = &'s Series>, more: impl Iterator<Item = f64>) -> (f64, f64) {
    let values = series.flatten().flatten().copied().chain(more).filter(|value| value.is_finite());
    values.fold((f64::INFINITY, 0.0), |(least, most), value| {
        (if value > 0.0 { value.min(least) } else { least }, value.max(most))
    })
}
