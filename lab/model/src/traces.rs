//! Requests that were kept, and where the time of all of them went.

use std::collections::BTreeMap;
use std::sync::Arc;

use record::{Class, Split, Trace};

use crate::history::until;
use crate::run::Run;

pub use trace::SLOWEST_KEPT;

/// Places named beside the parts of a journey's time.
const MAX_PLACES: usize = 4;

/// The requests a view may call the slowest of their kind, and all that failed; the slowest first.
pub fn foremost<T: AsRef<Trace>>(traces: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut known: Vec<T> = traces.into_iter().collect();
    known.sort_by_key(|trace| {
        let trace = trace.as_ref();
        (std::cmp::Reverse(trace.user_latency), trace.arm, trace.request)
    });
    let mut counts: BTreeMap<(char, u32, u32, String), usize> = BTreeMap::new();
    known.retain(|trace| {
        let trace = trace.as_ref();
        if !trace.error.is_empty() {
            return true;
        }
        let kind = (trace.arm, trace.round, trace.phase, trace.journey.clone());
        let count = counts.entry(kind).or_default();
        *count += 1;
        *count <= SLOWEST_KEPT
    });
    known
}

/// From when a request was due to its end, seconds.
pub fn user_latency_seconds(trace: &Trace) -> f64 {
    crate::seconds_of(trace.user_latency)
}

/// How long after it was due a request was sent, ns; `None` where it was sent at once.
pub fn sent_late_ns(trace: &Trace) -> Option<u64> {
    trace.user_latency.checked_sub(trace.length()).filter(|late| *late > 0)
}

/// Where Jaeger's own page listens.
const JAEGER_PORT: u16 = 16_686;

/// Why a trace has no page in Jaeger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotInJaeger {
    /// The run knew no collector but the lab's.
    #[error("spans of this run were sent to no collector: OTEL_EXPORTER_OTLP_ENDPOINT was not set")]
    NoCollector,
    /// The collector took nothing.
    #[error("the collector took no span of this run")]
    NothingTaken,
}

/// A part of a request's time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeShare<'a> {
    /// The component or edge; empty for all of them together.
    pub place: &'a str,
    /// What it was spent on.
    pub class: Class,
    /// How long, ns; of several requests their mean.
    pub ns: f64,
    /// Of the whole, 0 to 1; of a request that took no time, 0.
    pub share: f64,
}

impl<'a> TimeShare<'a> {
    fn of(place: &'a str, class: Class, ns: f64, total: f64) -> Self {
        Self { place, class, ns, share: if total > 0.0 { ns / total } else { 0.0 } }
    }
}

/// Where the time of a request went by class, the most first.
pub fn time_by_class(trace: &Trace) -> Vec<TimeShare<'_>> {
    let total = trace.length() as f64;
    most_first(trace.by_class().into_iter().map(|(class, ns)| TimeShare::of("", class, ns as f64, total)))
}

/// Where the time of a request went by place and class, the most first.
pub fn time_by_place(trace: &Trace) -> Vec<TimeShare<'_>> {
    let total = trace.length() as f64;
    let parts = trace.by_place().into_iter();
    most_first(parts.map(|((place, class), ns)| TimeShare::of(place, class, ns as f64, total)))
}

/// Where the time of all requests of a kind went by place and class, in the order of the record: the most first.
pub fn time_of_kind(split: &Split) -> impl Iterator<Item = TimeShare<'_>> {
    split.parts.iter().map(|part| TimeShare::of(&part.place, part.class, part.mean, split.mean))
}

fn most_first<'a>(parts: impl Iterator<Item = TimeShare<'a>>) -> Vec<TimeShare<'a>> {
    let mut parts: Vec<TimeShare<'a>> = parts.collect();
    parts.sort_by(|a, b| b.ns.total_cmp(&a.ns));
    parts
}

/// Where the time of a journey's traces went in an arm and phase, rounds put together.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    /// Index of the phase.
    pub phase: u32,
    /// The journey.
    pub journey: String,
    /// Traces.
    pub n: u64,
    /// Mean length, ns.
    pub mean: f64,
    /// Mean length of the slowest hundredth, ns.
    pub slowest: f64,
    /// By class, mean, ns.
    pub classes: BTreeMap<Class, f64>,
    /// The places with most of it, mean, ns.
    pub places: Vec<(String, f64)>,
}

impl Run {
    /// Where a trace is in Jaeger: its own page, on the host of the collector that spans were sent on to.
    ///
    /// # Errors
    /// When no span was sent on.
    pub fn jaeger_address(&self, trace: &Trace) -> Result<String, NotInJaeger> {
        let host = self.jaeger_host()?;
        Ok(format!("http://{host}:{JAEGER_PORT}/trace/{}", trace.trace_id))
    }

    /// Whether traces can be looked up in Jaeger.
    pub fn is_in_jaeger(&self) -> bool {
        self.jaeger_host().is_ok()
    }

    fn jaeger_host(&self) -> Result<&str, NotInJaeger> {
        let sent = self.end.as_ref().map(|end| end.tracing.forwarded);
        match (self.header.collector.as_deref(), sent) {
            (Some(_), Some(0)) => Err(NotInJaeger::NothingTaken),
            (Some(address), _) => Ok(address.rsplit_once(':').map_or(address, |(host, _)| host)),
            // Older records name no collector.
            (None, Some(sent)) if sent > 0 => Ok("127.0.0.1"),
            (None, _) => Err(NotInJaeger::NoCollector),
        }
    }

    /// Kept requests of the whole run: the slowest of their kind and the failed, slowest first.
    pub fn traces(&self) -> Vec<&Arc<Trace>> {
        self.traces_until(u64::MAX)
    }

    /// The kept requests known at `t`: of each journey, arm, round and phase the slowest and the failed, slowest first.
    pub fn traces_until(&self, t: u64) -> Vec<&Arc<Trace>> {
        foremost(self.known_until(t))
    }

    /// The same request in another arm, if it was kept there by `t`.
    pub fn twin_until(&self, trace: &Trace, arm: char, t: u64) -> Option<&Arc<Trace>> {
        let is_same = |other: &&Arc<Trace>| {
            (other.arm, other.request, other.round) == (arm, trace.request, trace.round)
                && other.journey == trace.journey
        };
        self.known_until(t).find(is_same)
    }

    /// A kept request.
    pub fn trace_until(&self, arm: char, round: u32, request: u64, t: u64) -> Option<&Arc<Trace>> {
        self.known_until(t).find(|trace| (trace.arm, trace.round, trace.request) == (arm, round, request))
    }

    /// All that were written, in the order of the record.
    pub fn known_traces(&self) -> impl Iterator<Item = &Trace> {
        self.traces.iter().map(|(_, trace)| &**trace)
    }

    fn known_until(&self, t: u64) -> impl Iterator<Item = &Arc<Trace>> {
        until(&self.traces, t).iter().map(|(_, trace)| trace)
    }

    /// Where the time of all of a trace's kind went: its journey in its arm, round and phase.
    pub fn split_until(&self, of: &Trace, t: u64) -> Option<&Arc<Split>> {
        let key = (of.arm, of.round, of.phase);
        let mut known = until(&self.splits, t).iter().rev().map(|(_, split)| split);
        known.find(|split| (split.arm, split.round, split.phase) == key && split.journey == of.journey)
    }

    /// Where the time of traces went, by arm, round, phase and journey: the last of each.
    pub fn splits(&self) -> impl Iterator<Item = &Split> {
        let mut last: BTreeMap<(char, u32, u32, &str), &Split> = BTreeMap::new();
        for (_, split) in &self.splits {
            last.insert((split.arm, split.round, split.phase, &split.journey), split);
        }
        last.into_values()
    }

    /// Where the time of an arm's traces went, by phase and journey.
    pub fn parts(&self, arm: char) -> Vec<Parts> {
        let mut sums: BTreeMap<(u32, &str), Vec<&Split>> = BTreeMap::new();
        for split in self.splits().filter(|split| split.arm == arm && split.n > 0) {
            sums.entry((split.phase, &split.journey)).or_default().push(split);
        }
        sums.into_iter().map(|((phase, journey), rounds)| Parts::of(phase, journey, &rounds)).collect()
    }
}

impl Run {
    /// How many exchanges between processes a journey waits for in sequence: on the critical paths of its kept traces
    /// that did not fail, the median. What leaves the client is not between processes of an arm.
    pub fn crossings(&self, arm: char, journey: &str) -> Option<usize> {
        let remote = &self.arm(arm)?.remote_edges;
        let is_its = |trace: &&Trace| trace.arm == arm && trace.journey == journey && trace.error.is_empty();
        let mut counts: Vec<usize> =
            self.known_traces().filter(is_its).map(|trace| crossings_of(trace, remote)).collect();
        counts.sort_unstable();
        counts.get(counts.len().saturating_sub(1) / 2).copied()
    }
}

/// Exchanges over `remote` edges that one request waits for in sequence: those of which its critical path spends half
/// or more inside. A call and its tries are one exchange; of calls made at once the path leaves all but one early.
fn crossings_of(trace: &Trace, remote: &[String]) -> usize {
    let mut waited = BTreeMap::<u32, u64>::new();
    for segment in &trace.path {
        let mut at = Some(segment.span);
        while let Some(index) = at {
            let Some(span) = trace.spans.get(index as usize) else { break };
            let above = span.parent.and_then(|parent| trace.spans.get(parent as usize));
            let is_try = above.is_some_and(|above| above.place == span.place);
            if span.class == Class::Network && remote.contains(&span.place) && !is_try {
                *waited.entry(index).or_default() += segment.length;
            }
            at = span.parent;
        }
    }
    waited.into_iter().filter(|(index, ns)| 2 * ns >= trace.spans[*index as usize].length).count()
}

impl Parts {
    /// Rounds put together, each by its traces.
    fn of(phase: u32, journey: &str, rounds: &[&Split]) -> Self {
        let n: u64 = rounds.iter().map(|split| split.n).sum();
        let weigh = |split: &Split, ns: f64| ns * split.n as f64 / n as f64;
        let mut classes = BTreeMap::<Class, f64>::new();
        let mut places = BTreeMap::<&str, f64>::new();
        for split in rounds {
            for part in &split.parts {
                *classes.entry(part.class).or_default() += weigh(split, part.mean);
                *places.entry(&part.place).or_default() += weigh(split, part.mean);
            }
        }
        let mut places: Vec<(String, f64)> =
            places.into_iter().map(|(place, ns)| (place.to_owned(), ns)).collect();
        places.sort_by(|a, b| b.1.total_cmp(&a.1));
        places.truncate(MAX_PLACES);
        Self {
            phase,
            journey: journey.to_owned(),
            n,
            mean: rounds.iter().map(|split| weigh(split, split.mean)).sum(),
            slowest: rounds.iter().map(|split| weigh(split, split.slowest)).sum(),
            classes,
            places,
        }
    }
}

#[cfg(test)]
mod tests {
    use record::{KeepReason, Segment, Span};

    use super::*;

    #[test]
    fn a_call_with_its_tries_crosses_once_and_calls_at_once_in_sequence_once() {
        let span = |parent, place: &str, class| Span {
            parent,
            of: String::new(),
            at: String::new(),
            name: String::new(),
            place: place.into(),
            start: 0,
            length: 1,
            class,
            error: String::new(),
        };
        let (network, work) = (Class::Network, Class::Work);
        let spans = vec![
            span(None, "client->gateway", network),
            span(Some(0), "gateway", work),
            span(Some(1), "gateway->feed", network),
            span(Some(2), "feed", work),
            span(Some(3), "feed->photo", network),
            span(Some(4), "feed->photo", network),
            span(Some(3), "feed->profile", network),
        ];
        // The call to profile went on beside that to photo, and ended earlier.
        let path = [0, 1, 2, 3, 4, 5, 4, 3, 2].map(|span| Segment { span, start: 0, length: 1 });
        let mut trace = Trace { journey: "home-feed".into(), ..empty() };
        (trace.spans, trace.path) = (spans, path.to_vec());
        let remote = ["gateway->feed", "feed->photo", "feed->profile"].map(str::to_owned);
        assert_eq!(crossings_of(&trace, &remote), 2);
        assert_eq!(crossings_of(&trace, &remote[..1]), 1, "the others are function calls");
        // Or it ended last, but had begun with the other, of which the path sees the beginning alone.
        trace.spans[4].length = 10;
        trace.spans[6].length = 10;
        let last = Segment { span: 6, start: 0, length: 10 };
        trace.path.splice(4..7, [Segment { span: 5, start: 0, length: 1 }, last]);
        assert_eq!(crossings_of(&trace, &remote), 2, "at the same time");
    }

    fn empty() -> Trace {
        Trace {
            arm: 'A',
            round: 1,
            phase: 0,
            journey: String::new(),
            request: 0,
            trace_id: String::new(),
            kept: KeepReason::Slow,
            error: String::new(),
            due: 0,
            user_latency: 0,
            start: 0,
            spans: Vec::new(),
            path: Vec::new(),
            clipped: 0,
            orphans: 0,
        }
    }

    #[test]
    fn a_trace_is_in_jaeger_only_where_spans_were_sent_on() {
        let trace = Trace { trace_id: "ab".into(), ..empty() };
        let mut run = Run::default();
        assert_eq!(run.jaeger_address(&trace), Err(NotInJaeger::NoCollector));
        assert!(!run.is_in_jaeger());
        run.header.collector = Some("10.0.0.7:4317".into());
        assert_eq!(run.jaeger_address(&trace).as_deref(), Ok("http://10.0.0.7:16686/trace/ab"));
        run.end = Some(record::End::default());
        assert_eq!(
            run.jaeger_address(&trace),
            Err(NotInJaeger::NothingTaken),
            "the end counts what was sent"
        );
        // Records from before name no collector and count all the same.
        run.header.collector = None;
        run.end = Some(record::End {
            tracing: record::Tracing { forwarded: 3, ..record::Tracing::default() },
            ..record::End::default()
        });
        assert_eq!(run.jaeger_address(&trace).as_deref(), Ok("http://127.0.0.1:16686/trace/ab"));
    }

    #[test]
    fn beyond_the_slowest_no_trace_is_called_slow_and_all_that_failed_are_there() {
        let trace = |arm, request, user_latency, error: &str| Trace {
            arm,
            journey: "home-feed".into(),
            request,
            error: error.into(),
            user_latency,
            ..empty()
        };
        // Five came one slower than the other; between the first two others may have been that were not kept.
        let mut traces: Vec<Trace> = (1..=5).map(|i| trace('A', i, i * 10, "")).collect();
        traces.extend((6..=10).map(|i| trace('A', i, i, "timeout")));
        traces.push(trace('B', 1, 1, ""));
        let shown: Vec<(char, u64)> =
            foremost(&traces).iter().map(|trace| (trace.arm, trace.request)).collect();
        let (slow, failed) = ([('A', 5), ('A', 4), ('A', 3)], (6..=10).rev().map(|i| ('A', i)));
        assert_eq!(shown, slow.into_iter().chain(failed).chain([('B', 1)]).collect::<Vec<_>>());
    }

    fn span(place: &str, length: u64) -> Span {
        Span {
            parent: None,
            of: place.into(),
            at: String::new(),
            name: "GET /v1/feed".into(),
            place: place.into(),
            start: 0,
            length,
            class: Class::Work,
            error: String::new(),
        }
    }

    #[test]
    fn a_request_is_late_by_what_its_user_waited_beyond_its_root() {
        let mut trace = Trace { user_latency: 100, spans: vec![span("client", 100)], ..empty() };
        assert_eq!(sent_late_ns(&trace), None);
        trace.user_latency = 130;
        assert_eq!(sent_late_ns(&trace), Some(30));
    }

    #[test]
    fn shares_of_a_request_are_of_its_root_and_the_most_comes_first() {
        let segment = |span, length| Segment { span, start: 0, length };
        let mut trace = Trace { request: 1, user_latency: 100, ..empty() };
        assert_eq!(time_by_class(&trace), []);
        trace.spans = vec![span("feed", 100), span("photo", 60)];
        trace.path = vec![segment(0, 40), segment(1, 60)];
        let places: Vec<_> = time_by_place(&trace).iter().map(|part| (part.place, part.share)).collect();
        assert_eq!(places, [("photo", 0.6), ("feed", 0.4)]);
        let classes: Vec<_> = time_by_class(&trace).iter().map(|part| (part.class, part.ns)).collect();
        assert_eq!(classes, [(Class::Work, 100.0)]);
    }
}
