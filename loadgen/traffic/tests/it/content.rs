//! What people and photos look like: sampled support against the declared one.

use std::collections::HashSet;

use traffic::dataset::{EPOCH_US, HISTORY_US, user_id};
use traffic::images;

use crate::{check_shares, standard};

#[test]
fn handles_and_ids_are_unique_and_ids_follow_from_handles() {
    let data = standard();
    let handles: HashSet<&str> = data.users.iter().map(|user| user.handle.as_str()).collect();
    let users: HashSet<u64> = data.users.iter().map(|user| user.id).collect();
    let photos: HashSet<u64> = data.photos.iter().map(|photo| photo.id).collect();
    assert_eq!((handles.len(), users.len(), photos.len()), (10_000, 10_000, 40_000));
    assert!(data.users.iter().all(|user| user.id == user_id(&user.handle).raw()));
}

#[test]
fn photos_are_in_order_of_time_within_ninety_days() {
    let photos = &standard().photos;
    assert!(photos.windows(2).all(|pair| pair[0].posted_us <= pair[1].posted_us));
    let (first, last) = (photos[0].posted_us, photos[photos.len() - 1].posted_us);
    // 40,000 in 90 days: one in each stretch of 194.4 s, none after the last.
    let stretch = HISTORY_US / 40_000;
    assert!((EPOCH_US - HISTORY_US..EPOCH_US - HISTORY_US + stretch).contains(&first));
    assert!((EPOCH_US - stretch..EPOCH_US).contains(&last));
}

/// Counts of values that should come from `low` to `high`, all as often.
fn check_uniform(values: impl Iterator<Item = usize>, low: usize, high: usize) {
    let mut counts = vec![0; high - low + 1];
    for value in values {
        assert!((low..=high).contains(&value), "{value} is not in {low} to {high}");
        counts[value - low] += 1;
    }
    check_shares(&counts, &vec![1.0 / counts.len() as f64; counts.len()]);
}

#[test]
fn lengths_and_numbers_keep_to_their_bounds() {
    let data = standard();
    check_uniform(data.photos.iter().map(|photo| photo.caption.split(' ').count()), 3, 8);
    check_uniform(data.photos.iter().map(|photo| photo.tags.len()), 1, 3);
    check_uniform(
        data.photos.iter().map(|photo| usize::from(photo.image)),
        0,
        usize::from(images::SHARED) - 1,
    );
    check_uniform(data.users.iter().map(|user| user.bio.len()), 41, 425);
    check_uniform((0..30_000).map(|n| data.terms(7, traffic::Seed(1).draw("test", n)).len()), 1, 3);
}

#[test]
fn what_is_searched_for_is_there() {
    let data = standard();
    for photo in 0..1_000 {
        let caption: Vec<&str> = data.photos[photo as usize].caption.split(' ').collect();
        for seed in 0..3 {
            assert!(data.terms(photo, seed).iter().all(|term| caption.contains(term)));
        }
    }
}

#[test]
fn frequent_words_are_frequent() {
    let captions = standard().photos.iter().flat_map(|photo| photo.caption.split(' '));
    let words: Vec<&str> = captions.collect();
    let most = words.iter().filter(|word| **word == traffic::vocabulary::word(0)).count();
    // Zipf 1.0 over 2,000 words gives the first 1 / H(2000) = 1 / 8.178 of about 220,000.
    let (n, share) = (words.len() as f64, 1.0 / 8.178);
    let sigma = (n * share * (1.0 - share)).sqrt();
    assert!((most as f64 - n * share).abs() < 4.0 * sigma, "{most} of {n}");
}

#[test]
fn shared_images_differ() {
    let images: HashSet<Vec<u8>> =
        (0..u64::from(images::SHARED)).map(|number| images::draw(number, 32, 24).rgb).collect();
    assert_eq!(images.len(), usize::from(images::SHARED));
}
