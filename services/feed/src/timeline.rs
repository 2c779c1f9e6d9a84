//! A reader's home feed as one value: entries newest first, cut at a depth, and the authors they come from.
//!
//! Pure: rows are read and written in [`crate::store`].

use std::cmp::Reverse;

use feed_api::Position;
use photo_api::PhotoId;
use profile_api::UserId;

/// Bytes of one entry: time of posting and photo, both big-endian.
const ENTRY: usize = 16;
/// Bytes of one author: id and balance, both big-endian.
const AUTHOR: usize = 12;

/// One reader's row.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    /// Whose.
    pub reader: UserId,
    /// Whom the reader follows, as far as heard of.
    pub authors: Authors,
    /// What they posted.
    pub entries: Entries,
}

impl Timeline {
    /// The timeline of a user who follows no one yet.
    pub fn new(reader: UserId) -> Self {
        Self { reader, authors: Authors::default(), entries: Entries::default() }
    }
}

/// Authors and how a reader stands to them, by ascending id.
///
/// A follow and its end are different topics, which may change places on their
/// way. But they alternate, and each comes once: so the balance of the two
/// decides in the end, whatever came first. It is above zero while the reader
/// follows; authors at zero are not kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Authors(Vec<(UserId, i32)>);

impl Authors {
    /// Reads the bytes of a row.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let (whole, _) = bytes.as_chunks::<AUTHOR>();
        let author = |&[a, b, c, d, e, f, g, h, balance @ ..]: &[u8; AUTHOR]| {
            (UserId::new(u64::from_be_bytes([a, b, c, d, e, f, g, h])), i32::from_be_bytes(balance))
        };
        Self(whole.iter().map(author).collect())
    }

    /// The bytes of a row.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * AUTHOR);
        for (author, balance) in &self.0 {
            bytes.extend(author.raw().to_be_bytes());
            bytes.extend(balance.to_be_bytes());
        }
        bytes
    }

    /// Whether the reader follows `author`.
    pub fn contains(&self, author: UserId) -> bool {
        self.0.binary_search_by_key(&author, |known| known.0).is_ok_and(|place| self.0[place].1 > 0)
    }

    /// Heard of a follow.
    pub fn add(&mut self, author: UserId) {
        self.weigh(author, 1);
    }

    /// Heard of its end.
    pub fn remove(&mut self, author: UserId) {
        self.weigh(author, -1);
    }

    fn weigh(&mut self, author: UserId, weight: i32) {
        match self.0.binary_search_by_key(&author, |known| known.0) {
            Ok(place) if self.0[place].1 + weight == 0 => drop(self.0.remove(place)),
            Ok(place) => self.0[place].1 += weight,
            Err(place) => self.0.insert(place, (author, weight)),
        }
    }

    /// Those the reader follows, by ascending id.
    pub fn followed(&self) -> impl Iterator<Item = UserId> {
        self.0.iter().filter(|(_, balance)| *balance > 0).map(|(author, _)| *author)
    }
}

impl FromIterator<UserId> for Authors {
    fn from_iter<I: IntoIterator<Item = UserId>>(authors: I) -> Self {
        let mut authors: Vec<(UserId, i32)> = authors.into_iter().map(|author| (author, 1)).collect();
        authors.sort_unstable();
        authors.dedup();
        Self(authors)
    }
}

/// Entries newest first, each photo once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entries {
    newest_first: Vec<Position>,
    /// Whether older entries were cut off.
    cut: bool,
}

impl Entries {
    /// Reads the bytes of a row.
    pub fn from_bytes(bytes: &[u8], cut: bool) -> Self {
        let (whole, _) = bytes.as_chunks::<ENTRY>();
        let entry = |bytes: &[u8; ENTRY]| {
            let number = u128::from_be_bytes(*bytes);
            Position { posted_us: (number >> 64) as i64, photo: PhotoId::new(number as u64) }
        };
        Self { newest_first: whole.iter().map(entry).collect(), cut }
    }

    /// The bytes of a row.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.newest_first.len() * ENTRY);
        for entry in &self.newest_first {
            bytes.extend(entry.posted_us.to_be_bytes());
            bytes.extend(entry.photo.raw().to_be_bytes());
        }
        bytes
    }

    /// Adds entries in any order, those that are there already without effect,
    /// and keeps the newest `depth`.
    pub fn add(&mut self, entries: impl IntoIterator<Item = Position>, depth: usize) {
        self.newest_first.extend(entries);
        // A stable sort finds the runs: here one long run and a few entries behind it.
        self.newest_first.sort_by_key(|entry| Reverse(*entry));
        self.newest_first.dedup();
        self.cut |= self.newest_first.len() > depth;
        self.newest_first.truncate(depth);
    }

    /// All entries, newest first.
    pub fn as_slice(&self) -> &[Position] {
        &self.newest_first
    }

    /// Whether older entries were cut off.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Below this, a timeline that was cut knows nothing.
    pub fn floor(&self) -> Option<Position> {
        self.newest_first.last().copied().filter(|_| self.cut)
    }

    /// The entries older than `after`, newest first.
    pub fn older_than(&self, after: Option<Position>) -> &[Position] {
        match after {
            Some(after) => &self.newest_first[self.newest_first.partition_point(|entry| *entry >= after)..],
            None => &self.newest_first,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(posted_us: i64, photo: u64) -> Position {
        Position { posted_us, photo: PhotoId::new(photo) }
    }

    fn photos(entries: &[Position]) -> Vec<u64> {
        entries.iter().map(|entry| entry.photo.raw()).collect()
    }

    #[test]
    fn a_row_reads_back_what_was_written() {
        let mut entries = Entries::default();
        entries.add([entry(5, 1), entry(-7, u64::MAX >> 1), entry(i64::MAX, 0)], 3);
        assert_eq!(Entries::from_bytes(&entries.to_bytes(), false), entries);
        assert_eq!(entries.to_bytes().len(), 3 * 16);
        let mut authors: Authors = [9, 1, 5, 1].map(UserId::new).into_iter().collect();
        authors.remove(UserId::new(3));
        assert_eq!(Authors::from_bytes(&authors.to_bytes()), authors);
        assert_eq!(authors.followed().collect::<Vec<_>>(), [1, 5, 9].map(UserId::new));
    }

    #[test]
    fn follows_and_their_ends_may_change_places() {
        let bob = UserId::new(2);
        let mut authors = Authors::default();
        authors.remove(bob);
        assert!(!authors.contains(bob));
        authors.add(bob);
        assert_eq!(authors, Authors::default(), "followed and unfollowed leaves nothing behind");
        // Followed, unfollowed, followed: heard in the order 1, 3, 2.
        authors.add(bob);
        authors.add(bob);
        authors.remove(bob);
        assert!(authors.contains(bob));
    }

    #[test]
    fn the_newest_stay_whatever_order_they_come_in() {
        let mut forwards = Entries::default();
        let mut backwards = Entries::default();
        for n in 1..=5 {
            forwards.add([entry(n, n as u64)], 3);
            backwards.add([entry(6 - n, (6 - n) as u64)], 3);
        }
        assert_eq!(photos(forwards.as_slice()), [5, 4, 3]);
        assert_eq!(forwards, backwards);
        assert_eq!(forwards.floor(), Some(entry(3, 3)));
    }

    #[test]
    fn ties_are_broken_by_photo_and_repeats_are_nothing() {
        let mut entries = Entries::default();
        entries.add([entry(1, 2), entry(1, 3), entry(1, 2)], 9);
        assert_eq!(photos(entries.as_slice()), [3, 2]);
        assert_eq!(photos(entries.older_than(Some(entry(1, 3)))), [2]);
        // A cursor between entries, as of a photo deleted since, still has its place.
        assert_eq!(photos(entries.older_than(Some(entry(2, 0)))), [3, 2]);
        assert_eq!(entries.floor(), None);
    }
}
