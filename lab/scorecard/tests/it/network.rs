//! What lies between processes: the network an answer is for, what more of it would add, and delays that were not as asked.

use record::{Class, Delay, Entry, ExpectationPlan, KeepReason, Network, Segment, Span, Trace, Verdict};
use scorecard::Circumstances;

use crate::fixture::{Run, SECOND};

const MS: u64 = 1_000;

/// The crash phase's step asks for 300 us; so late did it come in B.
fn delayed(late_us: u64, n: u64) -> Run {
    let mut run = Run::new().quiet(|_, _| 5 * MS);
    let delay = Delay { arm: 'B', round: 1, step: 1, n, asked_us: 300, late_us };
    run.add(40 * SECOND, Entry::Delay(delay));
    run
}

fn claiming(mut run: Run, text: &str) -> Run {
    let plan =
        ExpectationPlan { id: 0, list: "check".into(), text: text.into(), why: String::new(), line: 1 };
    run.header().expectations.push(plan);
    run
}

/// What the lint makes of a run; `None` where it is not reported.
fn off_target(run: &Run) -> Option<Verdict> {
    let lints = scorecard::lints(run.tally(), &Circumstances::default());
    lints.into_iter().find(|lint| lint.name == "delay_off_target").map(|lint| lint.verdict)
}

#[test]
fn a_delay_stands_on_the_scorecard_with_what_was_asked_for() {
    let rows = scorecard::scorecard(delayed(30, 500).tally());
    let row = rows.iter().find(|row| row.id == "delivered_dead-photo").expect("its row");
    assert_eq!(row.measure, "delay of dead-photo: asked 300µs, delivered");
    let measured = row.arms[&'B'];
    assert_eq!((measured.value.map(|s| (s * 1e6).round()), measured.n), (Some(330.0), 500));
    assert!(!row.arms.contains_key(&'A'), "no delay there");
    assert_eq!((measured.note, row.finding.as_str()), (None, ""), "a median is not counted");
    assert!(scorecard::glossary::term_of(&row.id).is_some());
}

#[test]
fn a_delay_that_took_too_long_leaves_claims_on_its_phase_open() {
    let in_its_phase = "p50(all) in crash < 1s";
    // 300 us may take 350: a tenth of them is less than waking a task takes.
    assert_eq!(off_target(&claiming(delayed(50, 500), in_its_phase)), None);
    let late = claiming(delayed(1_100, 500), in_its_phase);
    assert_eq!(off_target(&late), Some(Verdict::Inconclusive));
    let lints = scorecard::lints(late.tally(), &Circumstances::default());
    let lint = lints.iter().find(|lint| lint.name == "delay_off_target").expect("as above");
    assert!(lint.text.contains("asked for 300µs and took 1.4ms"), "{}", lint.text);
    let named = claiming(delayed(1_100, 500), "blast_radius(step dead-photo) < 5%");
    assert_eq!(off_target(&named), Some(Verdict::Inconclusive));
    assert_eq!(off_target(&claiming(delayed(1_100, 3), in_its_phase)), None, "three have no median");
}

#[test]
fn a_delay_that_no_claim_is_about_is_a_note() {
    for (text, why) in [
        ("p50(all) in steady < 1s", "another phase"),
        ("p50(all) in crash for mono < 1s", "the delay was late in the other arm"),
    ] {
        assert_eq!(off_target(&claiming(delayed(1_100, 500), text)), Some(Verdict::Pass), "{why}");
    }
    assert_eq!(off_target(&delayed(1_100, 500)), Some(Verdict::Pass), "without a claim");
}

#[test]
fn a_delay_of_an_earlier_phase_that_goes_on_is_of_the_later_one_too() {
    // From 1 s of warming up for 20 s, so that it acts in 16 of the 20 steady seconds, and in none of the crash.
    let going_on = |text: &str| {
        let mut run = claiming(delayed(1_100, 500), text);
        let step = &mut run.header().steps[0];
        (step.start_ns, step.length_ns) = (SECOND, 20 * SECOND);
        off_target(&run)
    };
    assert_eq!(going_on("p50(all) in steady < 1s"), Some(Verdict::Inconclusive));
    assert_eq!(going_on("p50(all) in crash < 1s"), Some(Verdict::Pass));
}

#[test]
fn an_answer_names_its_network() {
    let about = |network: Option<Network>| {
        let mut run = Run::new().quiet(|arm, _| if arm == 'A' { 5 * MS } else { 7 * MS });
        run.header().arms[1].network = network;
        for row in scorecard::scorecard(run.tally()) {
            run.add(40 * SECOND, Entry::Score(Box::new(row)));
        }
        scorecard::answer::answer(run.tally())[0].clone()
    };
    assert_eq!(about(None), "micro against one copy of mono: test, on loopback, side by side");
    let declared = Network { rtt_ns: 300_000, jitter_ns: 0 };
    let expected =
        "micro against one copy of mono: test, on a network of 300µs round trip (declared), side by side";
    assert_eq!(about(Some(declared)), expected);
}

/// A home-feed of B, whose one exchange between processes takes half of it.
fn traced() -> Trace {
    let span = |parent, place: &str, class| Span {
        parent,
        of: String::new(),
        at: String::new(),
        name: String::new(),
        place: place.into(),
        start: 0,
        length: 10,
        class,
        error: String::new(),
    };
    Trace {
        arm: 'B',
        round: 1,
        phase: 1,
        journey: "home-feed".into(),
        request: 1,
        trace_id: "ab".into(),
        kept: KeepReason::Slow,
        error: String::new(),
        due: 0,
        user_latency: 20,
        start: 0,
        spans: vec![span(None, "gateway", Class::Work), span(Some(0), "gateway->feed", Class::Network)],
        path: [0, 1].map(|span| Segment { span, start: 0, length: 10 }).to_vec(),
        clipped: 0,
        orphans: 0,
    }
}

#[test]
fn an_answer_for_one_network_has_the_round_trips_in_sequence() {
    let mut run = Run::new().quiet(|arm, _| if arm == 'A' { 5 * MS } else { 7 * MS });
    run.header().arms[1].remote_edges = vec!["gateway->feed".into()];
    for row in scorecard::scorecard(run.tally()) {
        run.add(40 * SECOND, Entry::Score(Box::new(row)));
    }
    let first = |run: &Run| scorecard::answer::answer(run.tally())[0].clone();
    assert!(first(&run).ends_with("on loopback, side by side"), "without traces: {}", first(&run));
    run.add(40 * SECOND, Entry::from(traced()));
    let expected = "on loopback, side by side; in sequence, in micro: home-feed 1 round trip (real-network has their price)";
    assert!(first(&run).ends_with(expected), "{}", first(&run));
}

#[test]
fn arms_at_several_round_trips_have_a_slope() {
    let mut run = Run::new().quiet(|arm, _| if arm == 'A' { 5 * MS } else { 7 * MS });
    for arm in &mut run.header().arms {
        arm.topology = "micro".into();
        arm.remote_edges = vec!["gateway->feed".into()];
    }
    for row in scorecard::scorecard(run.tally()) {
        run.add(40 * SECOND, Entry::Score(Box::new(row)));
    }
    let slope = |run: &Run| {
        let lines = scorecard::answer::answer(run.tally());
        lines.into_iter().find(|line| line.starts_with("each 100µs of round trip adds here, in micro: "))
    };
    assert_eq!(slope(&run), None, "both on loopback");
    run.header().arms[1].network = Some(Network { rtt_ns: 1_000_000, jitter_ns: 0 });
    let line = slope(&run).expect("two distances");
    let added_of = |line: &str| -> u64 {
        let added = line.split(": ").nth(1).and_then(|text| text.split("µs").next()).unwrap_or_default();
        added.parse().unwrap_or_else(|_| panic!("{line}"))
    };
    // Medians of 5.5 and 7.6 ms, a millisecond apart.
    let added = added_of(&line);
    assert!((205..=225).contains(&added), "{line}");
    // All seconds are alike, so that no resample differs.
    assert!(line.contains(&format!("{added}µs [{added}µs, {added}µs] to the p50 of home-feed; ")), "{line}");
    // It is what such a run was made for: it stands first, also where there is room for little.
    let short = scorecard::answer::in_short(run.tally(), 2, &|_| 1);
    assert!(
        short[0].starts_with(&format!(
            "each 100µs of round trip adds to p50: home-feed {added}µs [{added}µs, {added}µs], "
        )),
        "{short:?}"
    );
    // Half a round trip took 550 us in place of 500: the slope is over what was delivered.
    let delay = Delay { arm: 'B', round: 1, step: 0, n: 500, asked_us: 500, late_us: 50 };
    run.add(40 * SECOND, Entry::Delay(delay));
    let line = slope(&run).expect("as before");
    assert!((10 * added / 11).abs_diff(added_of(&line)) <= 1, "{added}, then {line}");
    let subject = scorecard::answer::subject(run.tally()).expect("two arms");
    assert!(subject.ends_with("on a network of 1.0ms round trip (declared), side by side"), "{subject}");
}

#[test]
fn a_slope_counts_failures_and_has_no_interval_of_arms_that_took_turns_once() {
    let slope = |failed: u64, way: &str| {
        let mut run = Run::new().quiet(|_, _| 5 * MS);
        run.header().way = way.into();
        for arm in &mut run.header().arms {
            (arm.topology, arm.remote_edges) = ("micro".into(), vec!["gateway->feed".into()]);
        }
        run.header().arms[1].network = Some(Network { rtt_ns: 1_000_000, jitter_ns: 0 });
        for second in 5..25 {
            run.window('B', 1, second, "home-feed", 20, 20 - failed, 5 * MS);
        }
        for row in scorecard::scorecard(run.tally()) {
            run.add(40 * SECOND, Entry::Score(Box::new(row)));
        }
        let lines = scorecard::answer::answer(run.tally());
        lines
            .into_iter()
            .find(|line| line.starts_with("each 100µs of round trip adds here"))
            .unwrap_or_default()
    };
    let sound = slope(0, "side by side");
    assert!(sound.contains(": 0s [0s, 0s] to the p50 of home-feed"), "{sound}");
    // A quarter fails: half of all arrivals take as long as before, half of the answered take less.
    let failing = slope(5, "side by side");
    assert!(failing.contains(": 0s [0s, 0s] to the p50 of home-feed"), "{failing}");
    assert!(!slope(11, "side by side").contains("home-feed"), "more than half did not end");
    let turns = slope(0, "interleaved");
    assert!(turns.contains(": 0s (this run, no interval) to the p50 of home-feed"), "{turns}");
}

#[test]
fn arms_on_several_networks_name_each_once() {
    let mut run = Run::new().quiet(|_, _| 5 * MS);
    let arms = &mut run.header().arms;
    for (letter, rtt_ns) in [('C', Some(300_000)), ('D', Some(1_000_000)), ('E', Some(300_000))] {
        let network = rtt_ns.map(|rtt_ns| Network { rtt_ns, jitter_ns: 0 });
        arms.push(record::Arm { letter, name: letter.to_string(), network, ..arms[1].clone() });
    }
    let subject = scorecard::answer::subject(run.tally()).expect("several arms");
    let on = "each arm against mono, on loopback and networks of 300µs and 1.0ms round trip (declared), side by side";
    assert_eq!(subject, on);
}
