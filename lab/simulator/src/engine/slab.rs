//! Entries at fixed places, whose handles go stale when the entry has gone.

/// Where an entry is, and which of those that have been there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle {
    /// Its place.
    pub index: u32,
    generation: u32,
}

impl Handle {
    /// Names no entry.
    pub const NONE: Self = Self { index: u32::MAX, generation: 0 };

    /// Whether it names none.
    pub const fn is_none(self) -> bool {
        self.index == u32::MAX
    }
}

#[derive(Debug)]
struct Place<T> {
    /// Raised whenever an entry goes; a handle of another generation is stale.
    generation: u32,
    entry: Option<T>,
}

/// A slab: places are used again, last freed first, so that the working set stays small.
#[derive(Debug)]
pub struct Slab<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Puts an entry in.
    ///
    /// # Panics
    /// When there are 2^32 - 1 entries.
    pub fn insert(&mut self, entry: T) -> Handle {
        if let Some(index) = self.free.pop() {
            let place = &mut self.places[index as usize];
            place.entry = Some(entry);
            return Handle { index, generation: place.generation };
        }
        let index = u32::try_from(self.places.len()).ok().filter(|index| *index < u32::MAX);
        let index = index.expect("fewer than 2^32 entries: queues are bounded");
        self.places.push(Place { generation: 0, entry: Some(entry) });
        Handle { index, generation: 0 }
    }

    /// The entry, unless it has gone.
    pub fn get(&self, handle: Handle) -> Option<&T> {
        let place = self.places.get(handle.index as usize)?;
        place.entry.as_ref().filter(|_| place.generation == handle.generation)
    }

    /// The entry, unless it has gone.
    pub fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        let place = self.places.get_mut(handle.index as usize)?;
        if place.generation == handle.generation { place.entry.as_mut() } else { None }
    }

    /// The entry that is at a place now.
    pub fn at(&self, index: u32) -> Option<&T> {
        self.places.get(index as usize)?.entry.as_ref()
    }

    /// A handle of the entry that is at a place now.
    pub fn handle_at(&self, index: u32) -> Option<Handle> {
        let place = self.places.get(index as usize)?;
        place.entry.as_ref().map(|_| Handle { index, generation: place.generation })
    }

    /// Takes an entry out, unless it has gone.
    pub fn remove(&mut self, handle: Handle) -> Option<T> {
        let place = self.places.get_mut(handle.index as usize)?;
        if place.generation != handle.generation {
            return None;
        }
        let entry = place.entry.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(handle.index);
        Some(entry)
    }

    /// Entries, by place.
    pub fn iter(&self) -> impl Iterator<Item = (Handle, &T)> {
        self.places.iter().zip(0..).filter_map(|(place, index)| {
            Some((Handle { index, generation: place.generation }, place.entry.as_ref()?))
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_stale_once_its_entry_has_gone() {
        let mut slab = Slab::default();
        let (a, b) = (slab.insert('a'), slab.insert('b'));
        assert_eq!(slab.remove(a), Some('a'));
        let c = slab.insert('c');
        assert_eq!(c.index, a.index, "the place is used again");
        assert_eq!((slab.get(a), slab.get(b), slab.get(c)), (None, Some(&'b'), Some(&'c')));
        assert_eq!((slab.remove(a), slab.len()), (None, 2));
        assert_eq!(slab.handle_at(a.index), Some(c));
        assert!(slab.get(Handle::NONE).is_none() && Handle::NONE.is_none());
    }
}
