//! Two runs beside each other.

use report::regressions::{Gate, Regressions, regressions};
use report::{Comparison, document, markdown, page};

use crate::fixture::{checks, lines, other_lines, reported, run, scores};

#[test]
fn other_differences_come_before_any_figure() {
    let (one, two) = (run(), reported(&other_lines()));
    let warnings = Comparison::of(&one, &two).warnings;
    assert_eq!(
        warnings,
        [
            "seeds differ: 42 before, 43 after",
            "scenario texts differ: 0 lines of before are gone, 1 of after are new"
        ]
    );
    assert!(Comparison::of(&one, &run()).warnings.is_empty(), "the same run again has nothing to warn of");
    let mut turned = lines();
    if let record::Entry::Header(header) = &mut turned[0].entry {
        header.base = Some('B');
    }
    let turned = reported(&turned);
    let comparison = Comparison::of(&one, &turned);
    assert_eq!(comparison.warnings, ["arms are compared with: mono before, micro after"]);
    assert!(comparison.rows[0].contrasts.is_empty(), "another ratio");
}

#[test]
fn ratios_between_arms_are_marked_and_absolute_times_are_not() {
    let (one, two) = (run(), reported(&other_lines()));
    let comparison = Comparison::of(&one, &two);
    let [row] = &comparison.rows[..] else { panic!("one row") };
    let findings: Vec<(&str, Option<bool>)> =
        row.arms.iter().map(|pair| (pair.finding, pair.is_after_better)).collect();
    // A is the same in both; B went from 168..206 ms to 18..23 ms, which a slower machine could have done as well.
    assert_eq!(findings, [("not judged", None), ("not judged", None)]);
    let [contrast] = &row.contrasts[..] else { panic!("one other arm") };
    assert_eq!(contrast.name, "micro against mono");
    assert_eq!(contrast.runs, ["×19.9 [17.1, 23.0]", "×2.10 [1.90, 2.40]"]);
    assert_eq!((contrast.finding, contrast.is_after_better), ("differs", Some(true)), "▲: after is better");
    let back = Comparison::of(&two, &one);
    assert_eq!(back.rows[0].contrasts[0].is_after_better, Some(false));
    // 17.1 and 16 are nearer than the margin of 1.1.
    let close = with_ratio(15.0, 14.0, 16.0);
    assert_eq!(Comparison::of(&one, &close).rows[0].contrasts[0].finding, "undecided");
}

/// A run whose ratio is another one.
fn with_ratio(value: f64, low: f64, high: f64) -> model::Run {
    let mut lines = lines();
    for line in &mut lines {
        if let record::Entry::Score(score) = &mut line.entry {
            let ratio = &mut score.contrasts.get_mut(&'B').expect("compared").ratio;
            let measured = ratio.as_mut().expect("a ratio");
            (measured.value, measured.interval) = (Some(value), Some(record::Interval::new(low, high)));
        }
    }
    reported(&lines)
}

#[test]
fn shares_and_counts_are_marked_by_themselves() {
    let of = |value: f64, note| {
        let mut lines = lines();
        for line in &mut lines {
            if let record::Entry::Score(score) = &mut line.entry {
                (score.id, score.unit) = ("errors".into(), "%".into());
                score.contrasts.clear();
                let interval = Some(record::Interval::new(value * 0.9, value * 1.1));
                for measured in score.arms.values_mut() {
                    (measured.value, measured.interval, measured.note) = (Some(value), interval, note);
                }
            }
        }
        reported(&lines)
    };
    let (one, two) = (of(0.01, None), of(0.09, None));
    let pair = &Comparison::of(&one, &two).rows[0].arms[0];
    assert_eq!((pair.finding, pair.is_after_better), ("differs", Some(false)));
    let (one, two) = (of(7.0, Some(record::Note::Exact)), of(7.0, Some(record::Note::Exact)));
    assert_eq!(Comparison::of(&one, &two).rows[0].arms[0].finding, "same");
}

#[test]
fn a_gate_finds_what_is_worse_and_never_passes_what_was_not_judged() {
    let (good, bad) = (reported(&other_lines()), run());
    let found = |before: &model::Run, after: &model::Run, gates: &[Gate]| {
        regressions(&Comparison::of(before, after), gates)
    };
    let gates = |text: &str| text.parse::<Gate>().expect("a gate");
    let worse = found(&good, &bad, &[Gate::Worse]);
    assert_eq!(
        worse.worse,
        [
            "p99 of ok journeys (fault), micro against mono: ×2.10 [1.90, 2.40] before, ×19.9 [17.1, 23.0] after"
        ]
    );
    assert_eq!(
        found(&bad, &good, &[Gate::Worse, Gate::Expectations]),
        Regressions::default(),
        "it got better"
    );
    assert_eq!(found(&good, &bad, &[gates("latency_p99")]).worse.len(), 1);
    assert!(found(&good, &bad, &[gates("latency_p50")]).worse.is_empty(), "another row");
    let failed = found(&good, &bad, &[Gate::Expectations]);
    assert_eq!(
        failed.worse,
        ["p99(all) < 150ms [micro]: held before, 187.0ms where the limit is 150ms after"]
    );
    // `errors(all) < 1%` held before: where it is not asked after, nothing says that it still does.
    let mut fewer = other_lines();
    fewer.retain(|line| !matches!(&line.entry, record::Entry::Check(check) if check.id == 2));
    let fewer = reported(&fewer);
    assert_eq!(
        found(&good, &fewer, &[Gate::Expectations]).undecided,
        ["errors(all) < 1% [micro]: held before, not asked after"]
    );
    let mut void = reported(&other_lines());
    if let Some(end) = &mut void.end {
        end.verdict = Some(record::Verdict::Invalid);
    }
    assert_eq!(found(&void, &bad, &[Gate::Expectations]).void.len(), 1);
    let unknown = "luck".parse::<Gate>().expect_err("no row");
    assert!(unknown.contains("unknown gate `luck`: expected expectations, worse, or the id"), "{unknown}");
}

#[test]
fn a_gate_that_compares_nothing_is_not_passed() {
    // One arm: its times are those of the machine, and no other arm met the same one.
    let alone = || {
        let mut lines = lines();
        if let record::Entry::Header(header) = &mut lines[0].entry {
            header.arms.truncate(1);
        }
        for score in scores(&mut lines) {
            score.contrasts.clear();
            score.arms.remove(&'B');
            score.ratio = None;
        }
        reported(&lines)
    };
    let found = |gate: &str| {
        regressions(&Comparison::of(&alone(), &alone()), &[gate.parse::<Gate>().expect("a gate")])
    };
    assert_eq!(
        found("latency_p99").undecided,
        ["latency_p99: nothing of it can be compared: not judged"],
        "it was passed"
    );
    assert_eq!(found("worse").undecided, ["the scorecard: nothing of it can be compared: not judged"]);
    assert_eq!(found("goodput").undecided, ["goodput: neither run has a figure of it"]);
    assert_eq!(found("expectations"), Regressions::default(), "claims are asked of each run by itself");
    let open = || {
        let mut lines = lines();
        for check in checks(&mut lines) {
            check.verdict = record::Verdict::Inconclusive;
        }
        reported(&lines)
    };
    assert_eq!(
        regressions(&Comparison::of(&open(), &open()), &[Gate::Expectations]).undecided,
        ["expectations: none held before"],
        "nothing was looked at"
    );
}

/// A run with another contrast.
fn with_contrast(change: impl Fn(&mut record::Contrast)) -> model::Run {
    let mut lines = lines();
    for score in scores(&mut lines) {
        let contrast = score.contrasts.get_mut(&'B').expect("compared");
        change(contrast);
        score.ratio = contrast.ratio;
        score.finding = contrast.note.map_or("differs", record::Note::words).into();
    }
    reported(&lines)
}

#[test]
fn what_a_run_withholds_is_not_called_worse() {
    let good = reported(&other_lines());
    let busy = with_contrast(|of| (of.finding, of.note) = (None, Some(record::Note::TooBusy)));
    let unequal = with_contrast(|of| {
        *of = record::Contrast { note: Some(record::Note::ArmsFailDifferently), ..Default::default() };
    });
    let row = |run: &model::Run| {
        let comparison = Comparison::of(&good, run);
        let contrast = &comparison.rows[0].contrasts[0];
        let found = regressions(&comparison, &[Gate::Worse, Gate::Row("latency_p99".into())]);
        assert_eq!((contrast.is_after_better, found.worse), (None, Vec::<String>::new()));
        (contrast.finding, contrast.runs[1].clone(), found.undecided.last().cloned().unwrap_or_default())
    };
    let p99 = "p99 of ok journeys (fault), micro against mono: ×2.10 [1.90, 2.40] before";
    let shown = "×19.9 [17.1, 23.0]".to_owned();
    assert_eq!(row(&busy), ("not judged", shown, format!("{p99}, ×19.9 [17.1, 23.0] after")));
    assert_eq!(
        row(&unequal),
        ("no interval", "fail unequally".into(), format!("{p99}, fail unequally after"))
    );
}

#[test]
fn a_prediction_and_a_measurement_are_no_before_and_after() {
    let mut predicted = other_lines();
    if let record::Entry::Header(header) = &mut predicted[0].entry {
        header.source = record::Provenance::Simulated;
    }
    let (one, two) = (reported(&predicted), run());
    let comparison = Comparison::of(&one, &two);
    assert_eq!(comparison.warnings[0], "figures are: simulated before, measured after");
    let contrast = &comparison.rows[0].contrasts[0];
    assert_eq!((contrast.finding, contrast.is_after_better), ("not judged", None));
    assert!(regressions(&comparison, &[Gate::Worse]).worse.is_empty(), "a model is off by more than chance");
}

/// A run of a search for capacity, A between 1,000/s and 1,200/s and B between two other rates.
fn with_capacity(low: f64, high: f64) -> model::Run {
    let bracket = |low: f64, high: f64| record::Measured {
        interval: Some(record::Interval::new(low, high)),
        n: 9_000,
        ..record::Measured::default()
    };
    let mut lines = lines();
    for score in scores(&mut lines) {
        (score.id, score.unit) = ("capacity_all-50ms".into(), "/s".into());
        score.better = record::Better::Higher;
        score.arms = [('A', bracket(1_000.0, 1_200.0)), ('B', bracket(low, high))].into();
        let contrast = score.contrasts.get_mut(&'B').expect("compared");
        contrast.ratio = Some(bracket(low / 1_200.0, high / 1_000.0));
    }
    reported(&lines)
}

#[test]
fn a_capacity_in_a_bracket_is_measured_and_marked_where_it_fell() {
    let (before, after) = (with_capacity(2_400.0, 2_600.0), with_capacity(400.0, 600.0));
    let comparison = Comparison::of(&before, &after);
    let row = &comparison.rows[0];
    assert_eq!(row.arms[1].texts, ["2,400/s to 2,600/s", "400/s to 600/s"]);
    assert_eq!(row.arms[1].finding, "not judged", "a rate of this machine");
    let contrast = &row.contrasts[0];
    assert_eq!(contrast.runs, ["×[2.00, 2.60]", "×[0.33, 0.60]"]);
    assert_eq!((contrast.finding, contrast.is_after_better), ("differs", Some(false)));
    let found = |before: &model::Run, after: &model::Run, gate: Gate| {
        regressions(&Comparison::of(before, after), &[gate]).worse.len()
    };
    assert_eq!(found(&before, &after, Gate::Worse), 1);
    assert_eq!(found(&before, &after, "capacity_all-50ms".parse().expect("a gate")), 1);
    assert_eq!(found(&after, &before, Gate::Worse), 0);
}

#[test]
fn every_document_of_two_runs_covers_both() {
    let (one, two) = (run(), reported(&other_lines()));
    let comparison = Comparison::of(&one, &two);
    let html = page::comparison(&comparison);
    let markdown = markdown::comparison(&comparison);
    for text in [&html, &markdown] {
        for part in
            ["187.0ms", "20.0ms", "▲ differs", "seeds differ", "micro against mono", "✗ fail", "✓ pass"]
        {
            assert!(text.contains(part), "no {part} in {text}");
        }
    }
    // Both arms of both runs, on charts of one scale: the highest of each kind is the same axis.
    assert_eq!(html.matches("data-zoom=\"").count(), 16);
    let tops: Vec<&str> = html
        .match_indices(": latency: p50")
        .map(|(at, _)| {
            let ticks = html[at..].split("class=\"columns\"").next().expect("a chart");
            let top = ticks.rsplit("class=\"tick\"").next().and_then(|tick| tick.split('>').nth(1));
            top.expect("an axis")
        })
        .collect();
    assert!(tops.len() == 4 && tops.iter().all(|top| *top == tops[0]), "{tops:?}");
    let json = serde_json::to_value(document::comparison(&comparison)).expect("json");
    assert_eq!(
        (&json["schema_version"], &json["runs"][0]["seed"]),
        (&3.into(), &42.into()),
        "before is the first"
    );
    assert_eq!(json["scorecard"][0]["arms"]["micro"]["finding"], "not judged");
    assert_eq!(json["scorecard"][0]["contrasts"]["micro"]["finding"], "differs");
    assert_eq!(json["scorecard"][0]["contrasts"]["micro"]["is_after_better"], true);
    assert_eq!(json["scorecard"][0]["arms"]["micro"]["runs"][1]["value"], 0.02);
    assert_eq!(json["checks"][0]["runs"][0]["verdict"], "fail");
    assert_eq!(json["checks"][0]["runs"][1]["verdict"], "pass");
}

#[test]
fn an_arm_that_only_one_run_has_stands_alone() {
    let mut fewer = lines();
    if let record::Entry::Header(header) = &mut fewer[0].entry {
        header.arms.truncate(1);
    }
    let (one, two) = (run(), reported(&fewer));
    let comparison = Comparison::of(&one, &two);
    let letters: Vec<_> = comparison.arms.iter().map(|arm| arm.letters).collect();
    assert_eq!(letters, [[Some('A'), Some('A')], [Some('B'), None]]);
    assert_eq!(comparison.rows[0].arms[1].finding, "");
    assert!(page::comparison(&comparison).contains("B micro, before"));
    // A gate on what it was compared in has lost it.
    let lost = regressions(&comparison, &[Gate::Row("latency_p99".into())]).undecided;
    let sentence = "p99 of ok journeys (fault), micro against mono: ×19.9 [17.1, 23.0] before, not run after";
    assert_eq!(lost.last().map(String::as_str), Some(sentence), "{lost:?}");
}

#[test]
fn runs_of_different_length_share_an_axis() {
    let mut short = lines();
    if let record::Entry::Header(header) = &mut short[0].entry {
        header.phases[1].length_ns = 2_000_000_000;
    }
    let (one, two) = (run(), reported(&short));
    let html = page::comparison(&Comparison::of(&one, &two));
    // Where the last point stands, and the box that the lines are in.
    let end_of = |name: &str| -> f64 {
        let chart = html.split(&format!("aria-label=\"{name}: latency")).nth(1).expect("a chart");
        let number = |key: &str| -> f64 {
            let inside = chart.split("<svg ").nth(1).expect("a part with the lines");
            let value = inside.split(&format!("{key}=\"")).nth(1).and_then(|rest| rest.split('"').next());
            value.expect("its place").parse().expect("a number")
        };
        let path = chart.split("class=\"curve one\" d=\"").nth(1).and_then(|rest| rest.split('"').next());
        let last = path.expect("a line").rsplit('L').next().expect("a point");
        let x: f64 = last.split(' ').next().expect("its place").parse().expect("a number");
        20.0 * (x - number("x")) / number("width")
    };
    // The last second of twenty, and the last of twelve on the same axis.
    let (before, after) = (end_of("B micro, before"), end_of("B micro, after"));
    assert!((before - 19.5).abs() < 0.1 && (after - 11.5).abs() < 0.1, "{before} {after}");
}
