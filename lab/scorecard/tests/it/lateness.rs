//! What a late generator and a busy machine withhold.

use record::{Finding, Note, Verdict};
use scorecard::Circumstances;

use crate::fixture::Run;
use crate::lint_records::{MS, claiming, with_hosts, with_parts, with_seconds};

#[test]
fn late_sends_touch_the_percentiles_that_they_are_a_large_part_of() {
    // Most take 5 ms from when they were due, and 4.8 ms from the send; one in six 20 ms and 15 ms.
    let run = |claim: &str| {
        with_seconds(claiming(claim), 'A', |window| {
            let tail = |quick, slow| std::iter::repeat_n(quick, 17).chain([slow; 3]).collect();
            (window.intended, window.service) = (tail(5 * MS, 20 * MS), tail(4_800, 15 * MS));
        })
    };
    let verdict = |claim| {
        let found = scorecard::lints(run(claim).tally(), &Circumstances::default());
        found.iter().find(|lint| lint.name == "late_sends").map(|lint| lint.verdict)
    };
    // 20 ms, and 15 ms without the lateness.
    assert_eq!(verdict("p99(all) in steady for mono <= 18ms"), Some(Verdict::Inconclusive));
    assert_eq!(verdict("p99(all) in steady for mono <= 1s"), Some(Verdict::Pass), "holds all the more");
    assert_eq!(verdict("p99(all) in steady for mono <= 10ms"), Some(Verdict::Pass), "fails without it, too");
    assert_eq!(verdict("2 * p99(all) in steady for mono <= 36ms"), Some(Verdict::Inconclusive));
    assert_eq!(verdict("2 * p99(all) in steady for mono <= 18ms"), Some(Verdict::Pass), "30 ms are left");
    // 20 ms are more than three times the 6 ms of the other arm, and 15 ms are less; twice the 6 ms are less than both.
    let compared = "p99(all) in steady for mono <= 3 * p99(all) in steady for micro";
    assert_eq!(verdict(compared), Some(Verdict::Inconclusive));
    let compared = "p99(all) in steady for mono <= 2 * p99(all) in steady for micro";
    assert_eq!(verdict(compared), Some(Verdict::Pass));
    assert_eq!(verdict("p50(all) in steady for mono <= 4900us"), Some(Verdict::Pass), "a twenty-fifth of it");
    assert_eq!(verdict("errors(all) in steady for mono < 1%"), Some(Verdict::Pass));
    // A row that they are a large part of has no finding.
    let slower = |arm, second: u32| (5 + u64::from(second % 3)) * MS * if arm == 'A' { 10 } else { 12 } / 10;
    let sent = |late_us: u64| {
        let run = with_seconds(Run::new().quiet(slower), 'A', |window| {
            let latency = slower('A', window.second);
            window.intended = std::iter::repeat_n(latency, 20).collect();
            window.service = std::iter::repeat_n(latency - late_us, 20).collect();
        });
        let rows = scorecard::scorecard(with_parts(run).tally());
        rows.iter().find(|row| row.id == "latency_p50").expect("a row").contrasts[&'B']
    };
    assert_eq!((sent(2 * MS).finding, sent(2 * MS).note), (None, Some(Note::LateSends)));
    assert_eq!(sent(400).finding, Some(Finding::Differs));
    // An arm that stalls makes arrivals wait for a slot: that is its latency, not the generator's.
    let stalled = with_seconds(run("p99(all) in steady for mono <= 1s"), 'A', |window| {
        window.slot_wait = [5 * MS; 4].into_iter().collect();
    });
    assert_eq!(stalled.lints(&Circumstances::default()), Vec::<String>::new());
}

#[test]
fn a_busy_machine_withholds_findings_of_latency_and_of_nothing_else() {
    let slower = |arm, second: u32| (5 + u64::from(second % 3)) * MS * if arm == 'A' { 10 } else { 12 } / 10;
    let rows = |stall| {
        let run = with_parts(Run::new().quiet(slower));
        scorecard::scorecard(with_hosts(run, 5..25, move |host| host.cpu_stall = Some(stall)).tally())
    };
    let contrast = |rows: &[record::Score], id: &str| {
        rows.iter().find(|row| row.id == id).expect("a row").contrasts[&'B']
    };
    let (idle, busy) = (rows(20.0), rows(70.0));
    assert_eq!(contrast(&idle, "latency_p50").finding, Some(Finding::Differs));
    let withheld = contrast(&busy, "latency_p50");
    assert_eq!((withheld.finding, withheld.note), (None, Some(Note::TooBusy)));
    assert!(withheld.ratio.is_some(), "what was seen is shown");
    assert_eq!(contrast(&busy, "cpu_per_journey").finding, contrast(&idle, "cpu_per_journey").finding);
}
