//! Writes do not meet, so that the final state does not depend on their order.

use std::collections::HashSet;

use traffic::schedule::JourneyTarget;
use traffic::{Arrival, Dataset, Journey};

use crate::{schedule, tiny};

/// Asserts that no two writes have one target, and returns by how much the number of edges changed.
fn check(arrivals: impl Iterator<Item = Arrival>, data: &Dataset) -> i64 {
    let (mut likes, mut edges, mut edited) = (HashSet::new(), HashSet::new(), HashSet::new());
    let mut change = 0;
    for arrival in arrivals {
        match (arrival.journey, arrival.target()) {
            (Journey::Like, JourneyTarget::Photo(photo)) => {
                assert!(likes.insert((arrival.user, photo)), "{arrival:?}")
            }
            (Journey::EditProfile, _) => assert!(edited.insert(arrival.user), "{arrival:?}"),
            (Journey::Follow, JourneyTarget::Follow(other)) => {
                assert!(!data.is_edge(arrival.user, other) && arrival.user != other, "{arrival:?}");
                assert!(edges.insert((arrival.user, other)), "{arrival:?}");
                change += 1;
            }
            (Journey::Follow, JourneyTarget::Unfollow(other)) => {
                assert!(data.is_edge(arrival.user, other), "{arrival:?}");
                assert!(edges.insert((arrival.user, other)), "{arrival:?}");
                change -= 1;
            }
            (journey, _) => assert!(!journey.is_write() || journey == Journey::Upload, "{arrival:?}"),
        }
    }
    change
}

#[test]
fn no_two_writes_have_one_target() {
    let text = "rate = \"400/s\"\nmix = { like = 3, follow = 3, edit-profile = 1, upload = 1, search = 1 }";
    let change = check(schedule(&[5], text, tiny()), tiny());
    assert!((0..=1).contains(&change), "follows and unfollows come by turns, not {change} apart");
}

#[test]
fn writes_that_find_nothing_fresh_become_reads() {
    // 500 users, 20 s at 100/s: four times as many edits as profiles.
    let arrivals: Vec<_> = schedule(&[20], "rate = \"100/s\"\nmix = { edit-profile = 1 }", tiny()).collect();
    check(arrivals.iter().copied(), tiny());
    let edits = arrivals.iter().filter(|arrival| arrival.journey == Journey::EditProfile).count();
    assert_eq!(edits, 500, "each profile once");
    assert_eq!(arrivals[arrivals.len() - 1].journey, Journey::ViewProfile);

    // 500 users have 20,000 edges, of which 50,000 arrivals would end 25,000.
    let arrivals: Vec<_> = schedule(&[5], "rate = \"10000/s\"\nmix = { follow = 1 }", tiny()).collect();
    let change = check(arrivals.iter().copied(), tiny());
    let ended =
        arrivals.iter().filter(|arrival| matches!(arrival.target(), JourneyTarget::Unfollow(_))).count();
    assert_eq!(
        (ended, change),
        (tiny().following.len(), 1),
        "every edge once, and no follow takes its place"
    );
}
