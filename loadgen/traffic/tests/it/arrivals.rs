//! When users come.

use std::collections::HashSet;

use policy::units::Rate;
use traffic::arrival_trace::TraceRow;
use traffic::load::Shape;
use traffic::{Arrival, Journey, Load, Schedule, Seed};

use crate::{SECOND, load, phases, schedule, standard, tiny};

fn due(text: &str) -> Vec<u64> {
    schedule(&[20], text, tiny()).map(|arrival| arrival.due_ns).collect()
}

/// Change these only on purpose: a run of before and one of after no longer offer the same load.
#[test]
fn the_schedules_of_seed_42() {
    // 10 s at 200/s and 27 s at 300/s on average: about 10,000 arrivals.
    let text = "rate = { p0 = \"200/s\", p1 = \"200/s -> 400/s\" }";
    let schedule = schedule(&[10, 27], text, tiny());
    assert_eq!((schedule.digest().as_str(), schedule.count()), ("2be374330734ccd2", 10_041));
    assert_eq!(format!("{:016x}", tiny().digest()), "2ab484f9564671ce");
}

#[test]
fn a_seed_has_one_schedule() {
    let digest =
        |seed, round| Schedule::new(seed, round, &phases(&[5]), &load("rate = \"300/s\""), tiny()).digest();
    assert_eq!(digest(42, 1), digest(42, 1));
    assert_eq!(digest(42, 2), digest(42, 2));
    assert_ne!(digest(42, 1), digest(43, 1));
    assert_ne!(digest(42, 2), digest(43, 2));
}

#[test]
fn a_round_has_arrivals_users_and_payloads_of_its_own() {
    let round = |round| -> Vec<Arrival> {
        Schedule::new(42, round, &phases(&[20]), &load("rate = \"300/s\""), tiny()).collect()
    };
    let (one, two) = (round(1), round(2));
    let differing = |of: fn(&Arrival) -> u64| one.iter().zip(&two).filter(|(a, b)| of(a) != of(b)).count();
    let pairs = one.len().min(two.len());
    assert_eq!(differing(|arrival| arrival.due_ns), pairs);
    assert_eq!(differing(|arrival| arrival.payload_seed), pairs, "ids follow from it");
    // Popular users come often in both; one in ten is met again at most.
    assert!(differing(|arrival| u64::from(arrival.user)) * 10 > pairs * 9);
    // 300/s over 20 s are 6,000, give or take five times the root.
    assert!(two.len().abs_diff(6_000) < 5 * 78, "{}", two.len());
}

#[test]
fn a_trace_keeps_its_arrivals_and_users_in_every_round() {
    let row = |offset_us, user| TraceRow { offset_us, journey: Journey::HomeFeed, user };
    let load = Load { rows: vec![row(1_000, 3), row(2_000, 4)], ..load("rate = \"1/s\"") };
    let of = |round| -> Vec<(u64, u32)> {
        let schedule = Schedule::new(42, round, &phases(&[5]), &load, tiny());
        schedule.map(|arrival| (arrival.due_ns, arrival.user)).collect()
    };
    assert_eq!(of(1), [(1_000_000, 3), (2_000_000, 4)]);
    assert_eq!(of(1), of(2));
}

#[test]
fn nothing_but_the_rate_moves_an_arrival() {
    let reference = due("rate = \"200/s\"");
    for other in [
        "mix = { search = 1, upload = 3 }",
        "mix = \"write-heavy\"",
        "popularity = { reader = 0.0, photo = 1.4 }",
        "feed = { page = 50 }",
        "timeout = \"1s\"",
    ] {
        assert_eq!(due(&format!("rate = \"200/s\"\n{other}")), reference, "{other}");
    }
    assert_ne!(due("rate = \"201/s\""), reference);
}

#[test]
fn another_popularity_or_data_set_changes_no_journey() {
    let journeys = |schedule: Schedule| schedule.map(|arrival| arrival.journey).collect::<Vec<_>>();
    let reads = "rate = \"200/s\"\nmix = { home-feed = 3, view-photo = 2, search = 1 }";
    let reference = journeys(schedule(&[5], reads, tiny()));
    assert_eq!(
        journeys(schedule(&[5], &format!("{reads}\npopularity = {{ photo = 0.0 }}"), tiny())),
        reference
    );
    assert_eq!(journeys(schedule(&[5], reads, standard())), reference);
}

#[test]
fn a_payload_follows_from_seed_and_number_alone() {
    let payloads = |text: &str| schedule(&[5], text, tiny()).map(|a| a.payload_seed).collect::<Vec<_>>();
    let reference = payloads("rate = \"200/s\"");
    assert_eq!(payloads("rate = \"200/s\"\nmix = { upload = 1 }"), reference);
    assert_eq!(reference.iter().collect::<HashSet<_>>().len(), reference.len());
    assert_eq!(reference[7], Seed(42).draw("payload", 7));
}

#[test]
fn arrivals_are_in_order_and_within_the_phases() {
    let arrivals: Vec<_> =
        schedule(&[1, 2], "rate = { p0 = \"500/s\", p1 = \"100/s -> 900/s\" }", tiny()).collect();
    assert!(
        arrivals.windows(2).all(|pair| pair[0].due_ns <= pair[1].due_ns && pair[0].seq + 1 == pair[1].seq)
    );
    assert!(arrivals.iter().all(|arrival| arrival.due_ns < 3 * SECOND));
}

#[test]
fn poisson_counts_have_their_mean_and_variance() {
    const WINDOWS: usize = 400;
    let mut counts = [0_f64; WINDOWS];
    for arrival in schedule(&[WINDOWS as u64], "rate = \"50/s\"", tiny()) {
        counts[(arrival.due_ns / SECOND) as usize] += 1.0;
    }
    let mean = counts.iter().sum::<f64>() / WINDOWS as f64;
    let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / (WINDOWS - 1) as f64;
    // Four sigma: of the mean sqrt(50/400) = 0.354, of the variance 50 x sqrt(2/399) = 3.54.
    assert!((mean - 50.0).abs() < 4.0 * 0.354, "{mean}");
    assert!((variance - 50.0).abs() < 4.0 * 3.54, "{variance}");
}

#[test]
fn thinning_follows_a_ramp() {
    let mut counts = [0_f64; 10];
    for arrival in schedule(&[100], "rate = { p0 = \"100/s -> 300/s\" }", tiny()) {
        counts[(arrival.due_ns / (10 * SECOND)) as usize] += 1.0;
    }
    for (window, count) in counts.into_iter().enumerate() {
        // The middle of ten seconds is at 110, 130, .. 290/s; four sigma of sqrt(n).
        let expected = 10.0 * (110.0 + 20.0 * window as f64);
        assert!((count - expected).abs() < 4.0 * expected.sqrt(), "window {window}: {count}, not {expected}");
    }
}

#[test]
fn constant_arrivals_are_evenly_spaced() {
    let due: Vec<u64> =
        schedule(&[1, 1], "rate = { p0 = \"100/s\", p1 = \"200/s\" }\narrivals = \"constant\"", tiny())
            .map(|arrival| arrival.due_ns)
            .collect();
    // 10 ms, 20 ms, .. 1,000 ms; then 1,005 ms, .. 1,995 ms.
    assert_eq!((due.len(), due[0], due[99], due[100]), (299, SECOND / 100, SECOND, SECOND + SECOND / 200));
}

#[test]
fn a_trace_is_offered_as_it_is() {
    let text =
        "offset_us,journey,user\n0,home-feed,3\n1500000,like,9\n1500001,upload,1000000\n9000000,search,2\n";
    let mut load = load("trace = \"a.csv\"");
    load.rows = traffic::arrival_trace::parse(text).expect("a trace");
    let users = tiny().users.len() as u32;
    let offered: Vec<_> = Schedule::new(42, 1, &phases(&[5]), &load, tiny())
        .map(|arrival| (arrival.due_ns, arrival.journey, arrival.user))
        .collect();
    let expected = [
        (0, Journey::HomeFeed, 3),
        (1_500_000_000, Journey::Like, 9),
        (1_500_001_000, Journey::Upload, 1_000_000 % users),
    ];
    assert_eq!(offered, expected, "what comes after the last phase stays away");
    assert_eq!(load.journeys(), [Journey::HomeFeed, Journey::Search, Journey::Like, Journey::Upload]);
    assert_eq!(load.peak_rate(), 2.0);
}

#[test]
fn every_shape_offers_what_it_declares() {
    for (rate, quarters) in [
        ("200/s -> 600/s", [250.0, 350.0, 450.0, 550.0]),
        ("200/s, 400/s", [200.0, 200.0, 400.0, 400.0]),
        ("200/s diurnal 50% per 20s", [263.7, 263.7, 136.3, 136.3]),
        ("100/s flash-crowd 4x rise 1s hold 4s decay 10s", [370.0, 325.0, 175.0, 100.0]),
    ] {
        let mut counts = [0.0; 4];
        for arrival in schedule(&[20], &format!("rate = \"{rate}\""), tiny()) {
            counts[(arrival.due_ns / 5_000_000_000) as usize] += 1.0;
        }
        for (count, expected) in counts.into_iter().zip(quarters) {
            // Four standard deviations of a Poisson count.
            let expected: f64 = expected * 5.0;
            assert!((count - expected).abs() < 4.0 * expected.sqrt(), "{rate}: {counts:?}");
        }
    }
}

#[test]
fn between_two_phases_nothing_is_due() {
    for arrivals in ["poisson", "constant"] {
        let mut load = load(&format!("rate = \"100/s\"\narrivals = \"{arrivals}\""));
        load.further = [("p1".to_owned(), Shape::level(Rate::per_second(300.0)))].into();
        let mut plan = phases(&[4, 4]);
        plan[1].start_ns = 7 * SECOND;
        let due: Vec<u64> =
            Schedule::new(42, 1, &plan, &load, tiny()).map(|arrival| arrival.due_ns).collect();
        let count = |from: u64, to: u64| {
            due.iter().filter(|due| (from * SECOND..to * SECOND).contains(*due)).count() as f64
        };
        assert_eq!(count(4, 7), 0.0, "{arrivals}");
        // 400 and 1,200, give or take five times the root.
        assert!((count(0, 4) - 400.0).abs() < 100.0 && (count(7, 11) - 1_200.0).abs() < 173.0, "{arrivals}");
        assert_eq!(due.len() as f64, count(0, 4) + count(7, 11), "{arrivals}");
        assert_eq!(load.peak_rate(), 100.0, "slots are those of the declared rates");
    }
}
