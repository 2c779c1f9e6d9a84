//! The trial before a load: one journey of every kind of the mix, by accounts that no arrival of the load draws. Every arm
//! is asked the same, with the same keys and payloads.

use contract::Id;
use contract::id::PrincipalKind;

use crate::dataset::{self, Dataset, EPOCH_US, Photo, User};
use crate::journey_target::JourneyTarget;
use crate::{Arrival, Journey, Seed};

/// Numbers of the trial's arrivals begin here, beyond those of any load.
pub const FIRST_NUMBER: u64 = 1 << 40;

/// What the trial acts on. It is part of every snapshot, beside the data set, whose indices go on here: the author comes
/// after the last user, then the reader; the photo after the last photo.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialData {
    /// Posts, and is followed by the reader alone.
    pub author: User,
    /// Follows the author alone.
    pub reader: User,
    /// By the author.
    pub photo: Photo,
}

impl TrialData {
    /// What is added to a data set.
    pub fn of(data: &Dataset) -> Self {
        let photo = Photo {
            id: Id::<PrincipalKind>::derived("trial-photo", &[data.key().as_bytes()]).raw(),
            author: Self::author_index(data),
            // No word of the vocabulary: no search of the load finds it.
            caption: "trialshot".to_owned(),
            tags: vec!["trialshot".to_owned()],
            image: 0,
            // The newest: photos are in order of time.
            posted_us: EPOCH_US,
        };
        Self { author: account("trialauthor"), reader: account("trialreader"), photo }
    }

    /// Index of the author.
    pub fn author_index(data: &Dataset) -> u32 {
        u32::try_from(data.users.len()).expect("a data set has fewer users than indices")
    }

    /// Index of the reader.
    pub fn reader_index(data: &Dataset) -> u32 {
        Self::author_index(data) + 1
    }

    /// Index of the photo.
    pub fn photo_index(data: &Dataset) -> u32 {
        u32::try_from(data.photos.len()).expect("a data set has fewer photos than indices")
    }

    /// A user by index.
    pub fn user<'a>(&'a self, data: &'a Dataset, index: u32) -> &'a User {
        let beyond = || if index == Self::reader_index(data) { &self.reader } else { &self.author };
        data.users.get(index as usize).unwrap_or_else(beyond)
    }

    /// A photo by index.
    pub fn photo<'a>(&'a self, data: &'a Dataset, index: u32) -> &'a Photo {
        data.photos.get(index as usize).unwrap_or(&self.photo)
    }
}

fn account(handle: &str) -> User {
    User {
        id: dataset::user_id(handle).raw(),
        handle: handle.to_owned(),
        name: "Trial Account".to_owned(),
        bio: "asks before the load begins".to_owned(),
    }
}

/// One arrival for each journey. What is written belongs to the trial's accounts; what is read of others changes nothing.
pub fn arrivals(seed: Seed, journeys: &[Journey], data: &Dataset) -> Vec<Arrival> {
    let (author, reader) = (TrialData::author_index(data), TrialData::reader_index(data));
    let of = |(number, journey): (u64, Journey)| {
        let (user, target) = match journey {
            Journey::HomeFeed
            | Journey::NextPage
            | Journey::EditProfile
            | Journey::SignUp
            | Journey::LogIn => (reader, JourneyTarget::Nothing),
            Journey::Upload | Journey::PostThenRead => (author, JourneyTarget::Nothing),
            Journey::ViewPhoto | Journey::Search => (reader, JourneyTarget::Photo(0)),
            Journey::Like => (reader, JourneyTarget::Photo(TrialData::photo_index(data))),
            Journey::ViewProfile => (reader, JourneyTarget::User(0)),
            Journey::UserFeed => (reader, JourneyTarget::User(author)),
            Journey::Follow => (author, JourneyTarget::Follow(reader)),
            Journey::CelebrityPost => (author, JourneyTarget::User(reader)),
        };
        let seq = FIRST_NUMBER + number;
        Arrival {
            seq,
            due_ns: 0,
            journey,
            user,
            target: target.code(),
            payload_seed: seed.draw("trial", seq),
        }
    };
    // Numbered by kind: a journey has the same key in every mix.
    let numbered = (0..).zip(Journey::ALL);
    numbered.filter(|(_, journey)| journeys.contains(journey)).map(of).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::dataset::Size;
    use crate::follow_graph::Graph;

    fn data() -> Dataset {
        Dataset::generate(Seed(42), Size::Tiny, &Graph::default())
    }

    #[test]
    fn every_kind_of_a_mix_is_tried_once_with_a_key_of_its_own() {
        let data = data();
        let all = arrivals(Seed(42), &Journey::ALL, &data);
        assert_eq!(all.iter().map(|arrival| arrival.journey).collect::<Vec<_>>(), Journey::ALL);
        let keys: BTreeSet<(u64, u64)> =
            all.iter().map(|arrival| (arrival.seq, arrival.payload_seed)).collect();
        assert_eq!(keys.len(), all.len());
        let some = arrivals(Seed(42), &[Journey::Like, Journey::Upload], &data);
        assert!(some.len() == 2 && some.iter().all(|arrival| all.contains(arrival)), "the same in every mix");
    }

    #[test]
    fn accounts_and_photo_are_outside_the_data_set() {
        let data = data();
        let trial = TrialData::of(&data);
        for arrival in arrivals(Seed(42), &Journey::ALL, &data) {
            assert!(
                arrival.user as usize >= data.users.len(),
                "{:?} has a user of the load",
                arrival.journey
            );
        }
        assert_eq!(trial.user(&data, TrialData::reader_index(&data)), &trial.reader);
        assert_eq!(trial.user(&data, TrialData::author_index(&data)), &trial.author);
        assert_eq!(trial.user(&data, 3), &data.users[3]);
        assert_eq!(trial.photo(&data, trial.photo.author), &data.photos[trial.photo.author as usize]);
        assert_eq!(trial.photo(&data, TrialData::photo_index(&data)), &trial.photo);
        assert!(data.users.iter().all(|user| user.id != trial.author.id && user.id != trial.reader.id));
    }
}
