//! Coordinated omission: what a client that waits for answers does not see.

use record::{Entry, Latencies};

use crate::cleave::{Cleave, is_starved, scenario};

/// 600 evenly spaced arrivals in 10 s, of which 60 are due while everything
/// stands still for 1 s. The one due first, at most a gap of 17 ms after the
/// start, waits for the rest of it, the last hardly at all: latency counted
/// from when each was due is uniform between them, so the worst 1 % of all, the worst 6
/// of those 60, waited 0.9 s less a gap and more. Service times start when a
/// request is sent: only what the 4 slots had under way saw the stall, and 4 of
/// 600 is less than 1 %.
#[test]
fn a_stall_shows_from_the_intended_start_and_hides_in_service_times() {
    let cleave = Cleave::wide();
    let (document, lines) = cleave.document(&[&scenario("stall")]);
    let windows = || {
        lines.iter().filter_map(|line| match &line.entry {
            Entry::Window(window) if window.closed && window.journey == "view-profile" => Some(window),
            _ => None,
        })
    };
    let intended = Latencies::merged(windows().map(|window| &window.intended));
    let service = Latencies::merged(windows().map(|window| &window.service));
    let ms = |latencies: &Latencies, q| latencies.quantile(q).expect("samples") / 1_000;
    let is_starved = is_starved(&document);
    // The first may be due a gap after the start.
    let offered: u64 = windows().map(|window| window.offered).sum();
    assert!((599..=600).contains(&offered), "evenly spaced: {offered}");
    assert!(intended.len() == offered || is_starved, "none dropped and none failed: {}", intended.len());
    let (p99, max) = (ms(&intended, 0.99), ms(&intended, 1.0));
    // Whatever stands still for how long, as many arrivals are due meanwhile.
    assert!(p99 + 250 >= max, "p99, counted from when requests were due: {p99} ms, at most {max} ms");
    // Other work makes the stall begin late, and so shorter. What takes longer, and what takes long once it is sent, may be its
    // doing as well.
    assert!(p99 >= 850 || is_starved, "p99, counted from when requests were due: {p99} ms");
    assert!(
        max >= 980 || is_starved,
        "the unluckiest arrival waited the whole second but for a gap: {max} ms"
    );
    assert!(p99 < 1_500 || is_starved, "p99, counted from when requests were due: {p99} ms");
    let service_p99 = ms(&service, 0.99);
    assert!(service_p99 * 3 < p99 || is_starved, "service p99 {service_p99} ms of {p99} ms");
    let blamed = document["verdict"] == "invalid" && !is_starved;
    assert!(!blamed, "a stall is the arm's doing, not the generator's: {}", document["lints"]);
}
