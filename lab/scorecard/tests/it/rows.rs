//! The rows of the scorecard.

use record::{Better, Class, Proc, Score};

use crate::fixture::{Run, SECOND};

const MS: u64 = 1_000;

/// B is a fifth slower and uses twice the CPU; its parts are known.
fn scorecard() -> Vec<Score> {
    let run = Run::new()
        .quiet(|arm, second| (5 + u64::from(second % 3)) * MS * if arm == 'A' { 10 } else { 12 } / 10)
        .cpu('A', 80 * SECOND / 1_000)
        .cpu('B', 160 * SECOND / 1_000)
        .cost('A', 1.0, &[("business", 800), ("database", 800)])
        .cost('B', 4.0, &[("business", 800), ("database", 880), ("transport", 1_520)])
        .audit('A', 1, 0)
        .audit('B', 1, 0);
    scorecard::scorecard(run.tally())
}

fn row<'a>(rows: &'a [Score], id: &str) -> &'a Score {
    rows.iter().find(|row| row.id == id).unwrap_or_else(|| panic!("no row `{id}`"))
}

fn value(row: &Score, arm: char) -> f64 {
    row.arms[&arm].value.unwrap_or_else(|| panic!("`{}` has no figure for {arm}", row.id))
}

#[test]
fn every_row_has_claim_words_and_samples() {
    let rows = scorecard();
    assert!(rows.len() > 20, "{}", rows.len());
    let mut ids = std::collections::BTreeSet::new();
    for row in &rows {
        assert!(ids.insert((&row.id, &row.window)), "`{}` stands twice", row.id);
        assert!(!row.claim.is_empty() && !row.measure.is_empty(), "`{}` tests nothing", row.id);
        for (arm, measured) in &row.arms {
            let samples = measured.n > 0 || measured.value.is_none();
            assert!(samples, "`{}` has a figure for {arm} from no sample", row.id);
        }
    }
}

#[test]
fn a_difference_has_its_ratio_and_interval() {
    let rows = scorecard();
    let p50 = row(&rows, "latency_p50");
    assert_eq!((p50.better, p50.finding.as_str()), (Better::Lower, "differs"));
    let ratio = p50.ratio.expect("both have data");
    let (low, high) = ratio.interval.expect("twenty paired seconds");
    assert!(1.15 < low && low <= high && high < 1.25, "{ratio:?}");
    assert!(p50.context.as_ref().is_some_and(|text| text.contains("work")), "what it sits on: {p50:?}");

    let goodput = row(&rows, "goodput");
    assert_eq!(goodput.finding, "no difference");
    assert_eq!(goodput.better, Better::Higher);
}

#[test]
fn the_parts_add_up_to_the_whole() {
    let rows = scorecard();
    let difference = |id: &str| value(row(&rows, id), 'B') - value(row(&rows, id), 'A');
    let parts = ["cpu_business", "cpu_database", "cpu_transport"].map(difference);
    // 3,200 less 1,600 ms over 800 journeys: 2 ms.
    let total = difference("cpu_total");
    assert!((total - 0.002).abs() < 1e-6, "{total}");
    assert!((parts.iter().sum::<f64>() - total).abs() < 1e-9, "{parts:?}");
    assert_eq!(parts[0], 0.0, "the work is the same");
    assert_eq!(row(&rows, "cpu_total").finding, "+2.0ms");
}

#[test]
fn without_work_and_hops_there_is_no_latency_ratio() {
    let run = Run::new().quiet(|arm, _| if arm == 'A' { 5 * MS } else { 6 * MS });
    let rows = scorecard::scorecard(run.tally());
    let p50 = row(&rows, "latency_p50");
    assert_eq!(p50.ratio, None);
    assert_eq!(p50.finding, "no ratio without work, hop cost and hops");
}

#[test]
fn what_was_not_measured_is_not_zero() {
    let run = Run::new().quiet(|_, _| 5 * MS);
    let rows = scorecard::scorecard(run.tally());
    for id in ["cpu_per_journey", "hops", "lost_writes"] {
        if let Some(row) = rows.iter().find(|row| row.id == id) {
            assert!(row.arms.values().all(|measured| measured.value.is_none()), "{row:?}");
            assert_eq!(row.finding, "not measured");
        }
    }
    assert!(rows.iter().all(|row| row.id != "stale_reads" || row.arms[&'A'].value.is_none()));
}

#[test]
fn counts_without_spread_claim_no_interval() {
    let rows = scorecard();
    assert_eq!(row(&rows, "hops").finding, "no interval");
    assert_eq!(value(row(&rows, "hops"), 'B'), 4.0);
    assert_eq!(row(&rows, "latency_p999").finding, "too few samples");
    assert_eq!(row(&rows, "processes").finding, "differs", "a count is exact");
    assert_eq!((value(row(&rows, "processes"), 'A'), value(row(&rows, "processes"), 'B')), (1.0, 4.0));
}

#[test]
fn what_was_seen_once_is_not_called_different() {
    // Both arms use what they use, give or take; one holds a little more memory and two sockets more.
    let mut run = Run::new().quiet(|_, _| 5_000).cpu('A', 80_000_000).cpu('B', 80_000_000);
    run.memory('A', "app#0", 10_000, 30_000);
    run.memory('B', "app#0", 10_000, 31_000);
    let scores = scorecard::scorecard(run.tally());
    let finding = |id: &str| scores.iter().find(|score| score.id == id).map(|score| score.finding.as_str());
    assert_eq!(finding("rate_per_core"), Some("no difference"));
    assert_eq!(finding("rate_per_gib"), Some("no interval"));
    assert_eq!(finding("processes"), Some("differs"), "one and four, by plan");
    let run = Run::new().quiet(|_, _| 5_000).cpu('A', 80_000_000).cpu('B', 160_000_000);
    let scores = scorecard::scorecard(run.tally());
    let row = scores.iter().find(|score| score.id == "rate_per_core").expect("a row");
    assert_eq!(row.finding, "differs", "twice the CPU for the same journeys");
    // 40 journeys a second over 80 ms of CPU a second.
    assert_eq!(row.arms[&'A'].value.map(f64::round), Some(500.0));
}

/// B crosses sockets for 3 ms where A crosses them for 1; in the crash B waits for a photo that does not answer.
fn traced() -> Run {
    let steady = |network| [("client->gateway", Class::Network, network), ("feed", Class::Work, 4.0)];
    let dead = [
        ("client->gateway", Class::Network, 3.0),
        ("feed", Class::Work, 4.0),
        ("feed->photo", Class::Unanswered, 90.0),
    ];
    Run::new()
        .quiet(|_, _| 5 * MS)
        .split('A', 1, &steady(1.0))
        .split('B', 1, &steady(3.0))
        .split('A', 2, &steady(1.2))
        .split('B', 2, &dead)
}

#[test]
fn traces_show_where_time_went_and_what_a_fault_hit() {
    let rows = scorecard::scorecard(traced().tally());
    let network = row(&rows, "trace_network");
    assert!((value(network, 'A') - 0.001).abs() < 1e-9 && (value(network, 'B') - 0.003).abs() < 1e-9);
    let (low, high) = network.ratio.and_then(|ratio| ratio.interval).expect("four hundred traces each");
    // A tenth of spread over 400 traces is 0.5 % of a mean, twice over: 1.4 % at 95 %.
    assert!(2.95 < low && low < 3.0 && 3.0 < high && high < 3.05, "{low} {high}");
    assert_eq!(network.finding, "differs");
    assert_eq!(row(&rows, "trace_work").finding, "no difference");
    assert!(
        rows.iter().all(|row| row.id != "trace_unanswered"),
        "no call went unanswered in the steady phase"
    );

    let culprit = row(&rows, "culprit_dead-photo");
    assert_eq!((value(culprit, 'A'), value(culprit, 'B')), (0.0, 1.0), "in A nothing is to be seen");
    assert_eq!(
        culprit.context.as_deref(),
        Some("A: nothing grew by a tenth; B: feed->photo unanswered +90.0ms")
    );
}

#[test]
fn lost_spans_make_no_figure() {
    let mut run = traced();
    let lost = Proc { arm: 'B', instance: "feed#0".into(), spans: [100, 90, 4, 6], ..Proc::default() };
    run.add(30 * SECOND, record::Entry::Proc(lost));
    let rows = scorecard::scorecard(run.tally());
    let network = row(&rows, "trace_network");
    assert_eq!((network.finding.as_str(), network.ratio), ("spans were lost", None));
}

#[test]
fn every_row_has_its_term_in_the_glossary() {
    let rows = scorecard().into_iter().chain(scorecard::scorecard(traced().tally()));
    for row in rows {
        let term = scorecard::glossary::term_of(&row.id);
        assert!(term.is_some(), "`{}` is not in the glossary", row.id);
    }
}
