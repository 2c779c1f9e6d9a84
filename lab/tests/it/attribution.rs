//! Traces as the lab keeps them: put together from real processes, their time split by part, and sent on.

use std::collections::BTreeSet;
use std::path::Path;

use opentelemetry_proto::tonic::trace::v1::Span;
use record::{CLIENT, Class, Entry, Line, Score, Split, Trace};
use serde_json::Value;

use crate::cleave::{Cleave, is_starved, lines_of, scenario, went_well};
use crate::collector::{Collector, DeadCollector};

/// Gateway and the four components a home feed asks.
const FIVE: [&str; 5] = ["feed", "follower", "gateway", "photo", "profile"];
/// The phases of `slow-look`: the second, and the one in which follower is slow.
const STEADY: u32 = 1;
const SLOW: u32 = 2;

fn traces(lines: &[Line]) -> Vec<&Trace> {
    let trace = |line: &'_ Line| matches!(line.entry, Entry::Trace(_));
    let of = lines.iter().filter(|line| trace(line)).map(|line| match &line.entry {
        Entry::Trace(trace) => &**trace,
        _ => unreachable!("only traces are left"),
    });
    of.collect()
}

fn splits(lines: &[Line]) -> impl Iterator<Item = &Split> {
    lines.iter().filter_map(|line| match &line.entry {
        Entry::Split(split) => Some(&**split),
        _ => None,
    })
}

fn score<'a>(lines: &'a [Line], id: &str) -> &'a Score {
    let scores = lines.iter().filter_map(|line| match &line.entry {
        Entry::Score(score) => Some(&**score),
        _ => None,
    });
    scores.into_iter().find(|score| score.id == id).unwrap_or_else(|| panic!("no row `{id}`"))
}

pub fn tracing(lines: &[Line]) -> record::Tracing {
    let end = lines.iter().rev().find_map(|line| match &line.entry {
        Entry::End(end) => Some(end.tracing),
        _ => None,
    });
    end.expect("a last line")
}

/// Mean of a part over the home feeds of an arm and phase, ms.
fn mean_ms(lines: &[Line], arm: char, phase: u32, place: &str, class: Class) -> f64 {
    let wanted =
        |split: &&Split| (split.arm, split.phase, split.journey.as_str()) == (arm, phase, "home-feed");
    let split = splits(lines).find(wanted).expect("home feeds were traced");
    let part = split.parts.iter().find(|part| (part.place.as_str(), part.class) == (place, class));
    part.map_or(0.0, |part| part.mean / 1e6)
}

#[test]
fn a_journey_is_followed_through_five_services_or_five_components_and_the_delay_is_where_it_was_put() {
    let cleave = Cleave::wide();
    let collector = Collector::start();
    let (document, lines) = exported(&cleave, &scenario("slow-look"), &collector.endpoint());
    all_goes_on(&document, &lines, &collector);
    let traces = traces(&lines);
    if tracing(&lines).not_forwarded == 0 {
        is_whole(&traces, &collector);
    }
    assert!(!traces.is_empty());
    for trace in &traces {
        let parts: u64 = trace.by_class().values().sum();
        assert_eq!(parts, trace.length(), "the parts of {} add up", trace.trace_id);
    }
    let feeds: Vec<&&Trace> = traces.iter().filter(|trace| trace.journey == "home-feed").collect();
    let is_decided = went_well(&document, 2, 0.9);
    for arm in ['A', 'B'].into_iter().filter(|_| is_decided) {
        let of_arm: Vec<_> =
            feeds.iter().filter(|trace| trace.arm == arm && trace.error.is_empty()).collect();
        assert!(!of_arm.is_empty(), "home feeds of {arm}");
        // A user who follows no other has no photo to ask for.
        let whole: Vec<_> = of_arm.iter().filter(|trace| trace.components().into_iter().eq(FIVE)).collect();
        assert!(2 * whole.len() > of_arm.len(), "five components in {} of {}", whole.len(), of_arm.len());
        let processes = |trace: &Trace| -> BTreeSet<String> {
            trace.spans.iter().map(|span| span.at.clone()).filter(|at| !at.is_empty()).collect()
        };
        let expected = if arm == 'A' { 1 } else { 5 };
        let wrong: Vec<_> = whole
            .iter()
            .map(|trace| processes(trace))
            .filter(|processes| processes.len() != expected)
            .collect();
        assert!(wrong.is_empty(), "{} processes of {arm}: {wrong:?}", wrong.len());
    }
    // The same request in both arms.
    let has_pair = feeds.iter().any(|a| feeds.iter().any(|b| a.arm != b.arm && a.request == b.request));
    assert!(has_pair || !is_decided);

    // A feed that asks follower waits for it; one that asks in vain waits for nothing, so the mean may be less.
    let injected = mean_ms(&lines, 'B', SLOW, "feed->follower", Class::Injected);
    assert!(injected > 75.0 || !is_decided, "of 150 ms {injected}");
    // What is due at the end of a phase may ask follower in the next, and more of it where the machine has no room.
    let before = mean_ms(&lines, 'B', STEADY, "feed->follower", Class::Injected);
    assert!(before * 4.0 < injected || !is_decided, "{before} ms before the delay, and {injected} with it");
    assert!(mean_ms(&lines, 'A', SLOW, "feed->follower", Class::Injected) == 0.0, "a call in the process");
    let culprit = score(&lines, "culprit_slow-follower");
    assert_eq!(culprit.arms.keys().copied().collect::<String>(), "B", "in A there is no such edge");
    if is_decided {
        assert_eq!(culprit.arms[&'B'].value, Some(1.0));
        let words = culprit.context.as_deref().expect("names the culprit");
        assert!(words.contains("feed->follower injected delay"), "{words}");
    }
    let network = score(&lines, "trace_network");
    let value = |arm| network.arms[&arm].value.expect("traces of both arms");
    // On a busy machine a socket more is less than the wait for a CPU.
    let crosses_more = value('B') > value('A') || is_starved(&document);
    assert!(crosses_more, "services cross more sockets: {network:?}");
}

/// Every span the lab gets goes on to the user's collector, and with them the journeys that they are of; what does not go on is
/// counted.
fn all_goes_on(document: &Value, lines: &[Line], collector: &Collector) {
    let tracing = tracing(lines);
    assert!(tracing.spans > 500, "{tracing:?}");
    let received = collector.spans();
    let journeys = received.iter().filter(|(service, _)| service == CLIENT).count() as u64;
    let (here, sent) = (received.len() as u64, tracing.forwarded + tracing.not_forwarded);
    // On a busy machine some may be on their way yet when the run ends.
    let is_starved = is_starved(document);
    if tracing.not_forwarded == 0 {
        assert!(journeys >= tracing.requests, "{journeys} journeys: {tracing:?}");
        assert_eq!((here, sent), (tracing.forwarded, tracing.spans + journeys), "{tracing:?}");
    } else {
        assert!(is_starved, "{tracing:?}");
        assert!(sent >= tracing.spans + journeys, "{journeys} journeys: {tracing:?}");
        assert!((tracing.forwarded..=sent).contains(&here), "{here} of {tracing:?}");
    }
    let ended: u64 = ended(lines);
    assert!(
        ended <= tracing.spans || is_starved,
        "what was counted a second before the end has come: {ended} of {tracing:?}"
    );
}

/// What the user's collector has of a kept request begins with its journey, and every other span hangs from one of its own.
fn is_whole(traces: &[&Trace], collector: &Collector) {
    let received = collector.spans();
    // Operations whose callers' spans never came hang from none.
    for trace in traces.iter().filter(|trace| trace.orphans == 0) {
        let of_trace: Vec<&(String, Span)> =
            received.iter().filter(|(_, span)| hex(&span.trace_id) == trace.trace_id).collect();
        let ids: BTreeSet<&[u8]> = of_trace.iter().map(|(_, span)| &span.span_id[..]).collect();
        let roots: Vec<(&str, &str)> = of_trace
            .iter()
            .filter(|(_, span)| !ids.contains(&span.parent_span_id[..]))
            .map(|(service, span)| (service.as_str(), span.name.as_str()))
            .collect();
        assert_eq!(roots, [(CLIENT, trace.journey.as_str())], "{}", trace.trace_id);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_dead_collector_changes_no_verdict_and_what_it_does_not_take_is_counted() {
    let cleave = Cleave::shared();
    let text = std::fs::read_to_string(scenario("slow-look")).expect("ours");
    let (short, _) = text.split_once("[[step]]").expect("it has a step");
    let short =
        short.replace("  { name = \"slow\",   for = \"4s\" },\n", "").replace("slow-look\"\n", "traced\"\n");
    std::fs::write(cleave.folder().join("traced.toml"), short).expect("a folder of ours");
    let dead = DeadCollector::new();
    let address = dead.addr().to_string();
    let (document, lines) = exported(&cleave, "traced.toml", &format!("http://{address}"));
    let tracing = tracing(&lines);
    assert!(tracing.spans > 500, "{tracing:?}");
    assert_eq!(tracing.forwarded, 0);
    assert!(tracing.not_forwarded >= tracing.spans + tracing.requests, "{tracing:?}");
    assert!(!traces(&lines).is_empty(), "the lab's own view is whole");
    let reported: Vec<&str> =
        logged(&lines).filter(|text| text.starts_with("OTLP: ") && text.contains("spans")).collect();
    let [text] = &reported[..] else { panic!("one line at the end: {reported:?}") };
    let lost = tracing.not_forwarded;
    assert!(text.contains(&format!("{lost} of {lost} spans did not reach http://{address}: ")), "{text}");
    assert!(text.to_lowercase().contains("refused"), "{text}");
    let lost: u64 = last_procs(&lines).map(|proc| proc.spans[2] + proc.spans[3]).sum();
    // On a busy machine it may answer too late.
    let is_lost = lost > 0 && !is_starved(&document);
    assert!(!is_lost, "nodes send to the lab, which listens: {lost} lost, {}", document["lints"]);
}

/// Lines of the record's log.
fn logged(lines: &[Line]) -> impl Iterator<Item = &str> {
    lines.iter().filter_map(|line| match &line.entry {
        Entry::Event(event) if event.what == record::EventKind::Log => Some(event.text.as_str()),
        _ => None,
    })
}

/// A run whose user has a collector at `endpoint`.
pub fn exported(cleave: &Cleave, scenario: &str, endpoint: &str) -> (Value, Vec<Line>) {
    let mut command = cleave.command(&["run", scenario, "--output", "json"]);
    let output = command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).output().expect("the program starts");
    let document: Value = serde_json::from_slice(&output.stdout).expect("a document");
    let folder = Path::new(document["run_dir"].as_str().expect("a folder")).join("run.jsonl");
    (document, lines_of(&folder).expect("a readable record"))
}

/// The last line of each process.
fn last_procs(lines: &[Line]) -> impl Iterator<Item = &record::Proc> {
    let mut last = std::collections::BTreeMap::new();
    for line in lines {
        if let Entry::Proc(proc) = &line.entry {
            last.insert((proc.arm, proc.instance.as_str()), &**proc);
        }
    }
    last.into_values()
}

fn ended(lines: &[Line]) -> u64 {
    last_procs(lines).map(|proc| proc.spans[0]).sum()
}
