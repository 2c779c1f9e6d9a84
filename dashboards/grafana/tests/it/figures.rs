//! From lines to samples: what a scrape would read, and what a backfill holds.

use grafana::openmetrics::{self, Format};
use model::Run;
use model::source::Replay;

use crate::fixture::{self, at};

fn run(until_ms: u64) -> Run {
    let mut run = Run::default();
    fixture::lines().iter().take_while(|line| line.t <= until_ms * 1_000_000).for_each(|line| run.add(line));
    run
}

fn exposition(until_ms: u64) -> String {
    openmetrics::exposition(&run(until_ms), until_ms * 1_000_000)
}

/// The value of the one sample that begins so; `None` where there is none.
fn value(text: &str, sample: &str) -> Option<f64> {
    let mut found = text.lines().filter(|line| line.starts_with(sample));
    let line = found.next()?;
    assert_eq!(found.next(), None, "{sample} is not one sample");
    line[sample.len()..].split_whitespace().next()?.parse().ok()
}

const A: &str = "run_id=\"r1\",arm=\"mono\",letter=\"A\"";
const B: &str = "run_id=\"r1\",arm=\"micro\",letter=\"B\"";

#[test]
fn windows_that_come_again_count_once() {
    let early = exposition(1_500);
    let late = exposition(2_200);
    let ok = format!("cleave_journeys_ok_total{{{A},journey=\"home-feed\"}}");
    assert_eq!((value(&early, &ok), value(&late, &ok)), (Some(2.0), Some(4.0)));
    // 2, 3, 3 and 4 ms: one at or below 2.5 ms, all at or below 5 ms.
    let bucket = |le: &str| {
        format!(
            "cleave_journey_duration_seconds_bucket{{{A},journey=\"home-feed\",outcome=\"ok\",le=\"{le}\"}}"
        )
    };
    assert_eq!((value(&late, &bucket("0.0025")), value(&late, &bucket("0.005"))), (Some(1.0), Some(4.0)));
    assert_eq!(value(&late, &bucket("+Inf")), Some(4.0));
    let sum = value(
        &late,
        &format!("cleave_journey_duration_seconds_sum{{{A},journey=\"home-feed\",outcome=\"ok\"}}"),
    );
    // Histograms keep three digits.
    assert!(sum.is_some_and(|sum| (sum - 0.012).abs() < 0.012 * 1e-3), "{sum:?}");
}

#[test]
fn a_step_acts_where_it_has_a_target_and_only_while_it_lasts() {
    let step = |labels: &str, id: &str, kind: &str| {
        format!("cleave_step_active{{{labels},step=\"{id}\",kind=\"{kind}\"}}")
    };
    let fault = step(B, "slow-follower", "fault");
    let moment = step(B, "scale \\\"up\\\"", "action");
    let at = |ms| exposition(ms);
    assert_eq!(value(&at(1_500), &fault), Some(0.0), "known before it acts");
    assert_eq!(value(&at(3_000), &fault), Some(1.0));
    assert_eq!(value(&at(4_500), &fault), Some(0.0));
    // Done at 2.5 s, and shown for two seconds: a scrape each second must not miss it.
    assert_eq!((value(&at(3_000), &moment), value(&at(4_600), &moment)), (Some(1.0), Some(0.0)));
    assert!(!at(3_000).contains(&step(A, "slow-follower", "fault")), "A has no such target");
}

#[test]
fn a_figure_that_is_not_repeated_expires() {
    let text = exposition(1_500);
    let up = format!("cleave_process_up{{{A},instance=\"app#0\"}}");
    let cpu = format!("cleave_process_cpu_seconds_total{{{A},instance=\"app#0\"}}");
    assert_eq!((value(&text, &up), value(&text, &cpu)), (Some(1.0), Some(0.1)));
    assert_eq!(
        value(&text, "cleave_process_cpu_seconds_total{run_id=\"r1\",instance=\"generator\"}"),
        Some(0.01)
    );
    let text = exposition(5_000);
    assert_eq!(
        (value(&text, &up), value(&text, &cpu)),
        (Some(0.0), None),
        "a dead process has a gap, not a zero"
    );
}

#[test]
fn a_client_that_does_not_ask_for_openmetrics_gets_the_text_format() {
    let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3";
    assert_eq!(Format::accepted(prometheus), Format::OpenMetrics);
    assert_eq!(Format::accepted("*/*"), Format::Text);
    let text = openmetrics::exposition_in(Format::Text, &run(5_000), 5_000_000_000);
    let open = exposition(5_000);
    assert!(text.contains("\n# TYPE cleave_journeys_ok_total counter\n"), "{text}");
    assert!(open.contains("\n# TYPE cleave_journeys_ok counter\n"), "{open}");
    assert!(text.contains("_bucket{") && !text.contains(" # {") && !text.contains("# EOF"), "{text}");
    let samples = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(samples(&text), samples(&open), "the figures are the same");
}

#[test]
fn copies_of_a_caller_add_up_to_its_edge() {
    let text = exposition(1_500);
    let of = |name: &str| value(&text, &format!("{name}{{{B},service=\"feed\",peer_service=\"follower\"}}"));
    assert_eq!(of("cleave_edge_tries_per_second"), Some(15.0));
    assert_eq!(of("cleave_edge_p99_seconds"), Some(0.004), "of the slower copy");
    let mut run = run(1_500);
    run.add(&at(2_000, fixture::edge(7.0, None)));
    let text = openmetrics::exposition(&run, 2_000_000_000);
    assert!(text.contains("cleave_edge_tries_per_second{run_id=\"r1\",arm=\"micro\",letter=\"B\",service=\"feed\",peer_service=\"follower\"} 7\n"));
    assert!(!text.contains("cleave_edge_p99_seconds"), "no call, no latency");
}

#[test]
fn the_last_trace_is_the_exemplar_of_its_bucket() {
    let text = exposition(3_500);
    let line = text.lines().find(|line| line.contains("# {trace_id")).expect("an exemplar");
    assert!(line.contains("journey=\"home-feed\",outcome=\"ok\",le=\"0.25\"}"), "{line}");
    assert!(line.ends_with("# {trace_id=\"0af7651916cd43dd8448eb211c80319c\"} 0.19"), "{line}");
}

#[test]
fn a_family_stands_in_one_piece_below_its_name() {
    let mut out = Vec::new();
    let exported = openmetrics::export(Replay::of(fixture::lines()), &mut out).expect("writes to memory");
    let backfill = String::from_utf8(out).expect("text");
    for text in [exposition(5_000), backfill.clone()] {
        let mut seen = std::collections::BTreeSet::new();
        let mut family = "";
        for line in text.lines().filter(|line| !line.starts_with("# HELP") && *line != "# EOF") {
            if let Some(head) = line.strip_prefix("# TYPE ") {
                family = head.split(' ').next().expect("a name");
                assert!(seen.insert(family.to_owned()), "{family} twice");
                assert!(!family.ends_with("_total"), "a counter's family is named without its ending");
            } else {
                assert!(line.starts_with(family), "{line} below {family}");
            }
        }
        assert!(text.ends_with("# EOF\n"));
    }
    let samples = backfill.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(samples as u64, exported.samples);
    // The run's clock is at 1,000 s since the epoch; it goes on for five seconds.
    assert_eq!(exported.range, (1_000.0, 1_005.0));
}

#[test]
fn a_backfill_has_every_second_that_a_scrape_would_have_read() {
    let mut out = Vec::new();
    openmetrics::export(Replay::of(fixture::lines()), &mut out).expect("writes to memory");
    let text = String::from_utf8(out).expect("text");
    let good: Vec<(f64, f64)> = text
        .lines()
        .filter_map(|line| {
            line.strip_prefix(&format!("cleave_journeys_good_total{{{B},journey=\"home-feed\"}} "))
        })
        .map(|rest| rest.split_once(' ').expect("value and time"))
        .map(|(value, time)| (time.parse().expect("seconds"), value.parse().expect("a number")))
        .collect();
    // Four at 1.1 s; the two of 3.1 s took longer than a user waits.
    assert_eq!(good, [(1_002.0, 4.0), (1_003.0, 4.0), (1_004.0, 4.0), (1_005.0, 4.0)]);
}

#[test]
fn nothing_is_acting_after_the_end() {
    let mut run = run(3_000);
    let end = serde_json::json!({
        "t": 3_100_000_000_u64, "kind": "end", "verdict": "pass", "exit_code": 0, "lints": [],
        "generator_saturated": false, "noisy": false, "pss_mib_peak": 0.0, "lines": {}, "dropped_updates": 0,
    });
    run.add(&serde_json::from_value(end).expect("an end"));
    let text = openmetrics::exposition(&run, 3_100_000_000);
    let active = text.lines().filter(|line| line.starts_with("cleave_step_active")).collect::<Vec<_>>();
    assert!(!active.is_empty() && active.iter().all(|line| line.ends_with(" 0")), "{active:?}");
}
