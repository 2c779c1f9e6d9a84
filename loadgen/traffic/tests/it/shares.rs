//! How often what comes: drawn shares against declared ones.

use std::collections::HashMap;

use traffic::arrival_trace::TraceRow;
use traffic::distributions::WeightedChoice;
use traffic::schedule::JourneyTarget;
use traffic::skew::find_skew;
use traffic::{Journey, Schedule, Seed};

use crate::{check_shares, load, phases, schedule, standard, tiny};

const DRAWS: usize = 1_000_000;

#[test]
fn zipf_ranks_have_their_shares() {
    for exponent in [0.0, 0.8, 1.0, 1.4] {
        let zipf = WeightedChoice::zipf(200, exponent);
        let weights: Vec<f64> = (1..=200).map(|rank| f64::from(rank).powf(-exponent)).collect();
        let total: f64 = weights.iter().sum();
        let shares: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
        let mut rng = Seed(1).stream("test");
        let mut counts = vec![0; 200];
        (0..DRAWS).for_each(|_| counts[zipf.index(rng.unit())] += 1);
        check_shares(&counts, &shares);
    }
}

#[test]
fn the_mix_has_its_shares() {
    // 50 s at 20,000/s: a million arrivals, of which 5,000 edit one of 10,000 profiles.
    let text = "rate = \"20000/s\"\narrivals = \"constant\"";
    let mut counts = HashMap::<Journey, u64>::new();
    for arrival in schedule(&[50], text, standard()) {
        *counts.entry(arrival.journey).or_default() += 1;
    }
    let (journeys, weights): (Vec<Journey>, Vec<f64>) = load(text).weights().into_iter().unzip();
    let counts: Vec<u64> = journeys.iter().map(|journey| counts[journey]).collect();
    assert!(counts.iter().sum::<u64>() >= DRAWS as u64 - 1);
    check_shares(&counts, &weights.iter().map(|weight| weight / 1_000.0).collect::<Vec<_>>());
}

/// Shares of all that the hottest item and the hottest hundredth have.
fn heat(counts: HashMap<u32, u64>, all: usize) -> (f64, f64) {
    let total: u64 = counts.values().sum();
    let mut counts: Vec<u64> = counts.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let share = |n: usize| counts.iter().take(n).sum::<u64>() as f64 / total as f64;
    (share(1), share(all / 100))
}

#[test]
fn few_read_much_and_few_photos_are_seen_often() {
    let data = standard();
    let (mut readers, mut photos) = (HashMap::new(), HashMap::new());
    for arrival in schedule(&[10], "rate = \"20000/s\"\nmix = { view-photo = 1 }", data) {
        *readers.entry(arrival.user).or_default() += 1;
        let JourneyTarget::Photo(photo) = arrival.target() else { panic!("{arrival:?} is about no photo") };
        *photos.entry(photo).or_default() += 1;
    }
    // The handbook's figures: the hottest user 3.7 %, the top hundredth 30 %; photos 9 % and 59 %.
    let (hottest, hundredth) = heat(readers, data.users.len());
    assert!(
        (hottest - 0.037).abs() < 0.002 && (hundredth - 0.30).abs() < 0.02,
        "users {hottest} {hundredth}"
    );
    let (hottest, hundredth) = heat(photos, data.photos.len());
    assert!(
        (hottest - 0.09).abs() < 0.004 && (hundredth - 0.59).abs() < 0.02,
        "photos {hottest} {hundredth}"
    );
}

#[test]
fn popular_authors_own_popular_photos() {
    let data = standard();
    let followers = |photos: &[u32]| -> f64 {
        let reach = photos.iter().map(|photo| data.followers.of(data.photos[*photo as usize].author).len());
        reach.sum::<usize>() as f64 / photos.len() as f64
    };
    let (top, rest) = data.popular.split_at(data.popular.len() / 100);
    assert!(followers(top) > 5.0 * followers(rest), "{} {}", followers(top), followers(rest));
}

#[test]
fn a_schedule_that_differs_from_its_load_is_reported() {
    let skewed = |text: &str, rows: Vec<TraceRow>| {
        let (plan, mut load) = (phases(&[20, 20]), load(text));
        load.rows = rows;
        find_skew(Schedule::new(42, 1, &plan, &load, tiny()), &plan, &load)
    };
    for drawn in [
        "rate = \"300/s\"",
        "rate = \"300/s\"\narrivals = \"constant\"",
        "rate = \"100/s -> 400/s\"\nmix = \"write-heavy\"",
        "rate = \"60/s flash-crowd 5x rise 2s hold 5s decay 5s\"\nmix = { search = 1, like = 2 }",
    ] {
        assert_eq!(skewed(drawn, Vec::new()), Vec::<String>::new(), "{drawn}");
    }
    let rows = |every: u64| {
        let journey = |n: u64| if n.is_multiple_of(every) { Journey::Search } else { Journey::HomeFeed };
        (0..900).map(|n| TraceRow { offset_us: n * 10_000, journey: journey(n), user: 1 }).collect::<Vec<_>>()
    };
    let halves = "mix = { search = 1, home-feed = 1 }";
    assert_eq!(skewed(halves, rows(2)), Vec::<String>::new());
    let messages = skewed(halves, rows(3)).join("\n");
    assert!(
        messages.contains("`search` is 33.3 % of 900 arrivals, but the mix declares 50.0 %"),
        "{messages}"
    );
    assert_eq!(skewed("", rows(3)), Vec::<String>::new(), "of a trace alone nothing was declared");
}

#[test]
fn uniform_popularity_has_to_be_asked_for() {
    let text = "rate = \"20000/s\"\nmix = { view-photo = 1 }\npopularity = { reader = 0, photo = 0 }";
    let mut counts = vec![0; tiny().users.len()];
    schedule(&[5], text, tiny()).for_each(|arrival| counts[arrival.user as usize] += 1);
    check_shares(&counts, &vec![1.0 / counts.len() as f64; counts.len()]);
}
