//! What becomes of arrivals that find no slot: counted, whatever the policy, and never quietly a better latency.

use record::{Entry, Line};
use serde_json::Value;

use crate::cleave::{Cleave, is_starved, lints, scenario};

/// The stall of `stall.toml` with one slot and another policy.
fn stalled(cleave: &Cleave, policy: &str) -> (Value, Vec<Line>) {
    let text = std::fs::read_to_string(scenario("stall")).expect("ours");
    let text = text.replace("pool     = 4", policy).replace("\"stall\"\ntitle", "\"stalled\"\ntitle");
    let text = text.replace("for = \"10s\"", "for = \"4s\"").replace("\"+3s\"", "\"+1s\"");
    std::fs::write(cleave.folder().join("stalled.toml"), text).expect("the folder is ours");
    cleave.document(&["stalled.toml"])
}

/// Offered, ok, failed, dropped, abandoned, over the whole run.
fn fates(lines: &[Line]) -> [u64; 5] {
    let mut sums = [0; 5];
    for line in lines {
        if let Entry::Window(window) = &line.entry
            && window.closed
        {
            let failed = window.errors.values().sum();
            let fates = [window.offered, window.ok, failed, window.dropped, window.abandoned];
            sums.iter_mut().zip(fates).for_each(|(sum, fate)| *sum += fate);
        }
    }
    sums
}

#[test]
fn dropping_by_design_is_counted_and_hurts_goodput() {
    let cleave = Cleave::small();
    let (document, lines) = stalled(&cleave, "pool     = 1\noverload = \"drop\"");
    let [offered, ok, failed, dropped, abandoned] = fates(&lines);
    // 60 arrivals are due in the second that stands still; one is under way, eight may wait. It is shorter where the lab itself
    // was late.
    assert!(dropped >= 40 || (dropped > 0 && is_starved(&document)), "only {dropped} of {offered} dropped");
    assert_eq!(offered, ok + failed + dropped + abandoned, "every arrival has one fate");
    assert!(!lints(&document).iter().any(|name| name == "queue_cap"), "{:#}", document["lints"]);
    let goodput = document["scorecard"].as_array().expect("rows").iter().find(|row| row["id"] == "goodput");
    let goodput = goodput.expect("a row")["arms"]["A"]["value"].as_f64().expect("a figure");
    let expected = ok as f64 / offered as f64;
    assert!((goodput - expected).abs() < 0.01, "{goodput} of {offered} offered, {ok} of them ok");
}

#[test]
fn a_queue_that_overflows_makes_the_run_invalid() {
    let cleave = Cleave::small();
    let (document, lines) = stalled(&cleave, "pool     = 1\nqueue_cap = 4");
    let [offered, ok, failed, dropped, abandoned] = fates(&lines);
    assert!(dropped > 0, "60 arrivals in a stalled second, and room for 5");
    assert_eq!(offered, ok + failed + dropped + abandoned, "every arrival has one fate");
    assert_eq!(document["verdict"], "invalid");
    assert!(lints(&document).iter().any(|name| name == "queue_cap"), "{:#}", document["lints"]);
}
