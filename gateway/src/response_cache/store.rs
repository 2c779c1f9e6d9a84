//! What is kept, within bounds: the answers that were given last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use contract::ComponentName;
use contract::hash::{fnv1a64_with, mix};
use http::{HeaderMap, HeaderName};

use super::freshness::field_value;
use super::options::CacheOptions;
use super::stored::StoredResponse;
use super::target::CacheKey;
use super::writes::WriteReach;

/// Answers to requests that differ in what they depend on, of one target. Beyond them the one goes that was given longest ago.
const MAX_VARIANTS: usize = 16;
/// What a note takes, bytes: its places in three tables, about.
const NOTE_BYTES: u64 = 256;

/// What there is for a request.
pub enum Found {
    /// An answer, fresh or stale.
    Answer(Arc<StoredResponse>),
    /// A note that answers are not kept.
    Pass,
    /// Nothing.
    Nothing,
}

/// All that is kept. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

struct Shared {
    options: CacheOptions,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// In order, so that what lies below a path is found without looking at the others.
    targets: BTreeMap<Arc<CacheKey>, Vec<Slot>>,
    /// The slots by their last use.
    order: BTreeMap<u64, Arc<CacheKey>>,
    next: u64,
    /// Of the slots.
    bytes: u64,
    /// Of answers that are still coming.
    reserved: u64,
}

struct Slot {
    /// Its key in [`State::order`].
    used: u64,
    bytes: u64,
    content: Content,
}

enum Content {
    Answer(Arc<StoredResponse>),
    /// Until this moment answers are not expected to be kept.
    Pass(u64),
}

/// Bytes of an answer that is still coming; given back when dropped.
pub struct Room {
    store: Store,
    bytes: u64,
}

impl Store {
    /// Nothing is kept yet.
    pub fn new(options: CacheOptions) -> Self {
        Self(Arc::new(Shared { options, state: Mutex::default() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no panic while held")
    }

    /// What there is for a request with these fields, of this component; of several answers the one that came last (RFC 9111,
    /// section 4): an older one that depends on fewer fields is for the same requests. What is found counts as used.
    pub fn find(&self, key: &CacheKey, request: &HeaderMap, component: ComponentName, now_ns: u64) -> Found {
        let mut state = self.state();
        let used = state.next;
        let Some(slots) = state.targets.get_mut(key) else { return Found::Nothing };
        let is_for_it = |slot: &&mut Slot| match &slot.content {
            Content::Answer(answer) => answer.component == component && answer.is_for(request),
            Content::Pass(until_ns) => now_ns < *until_ns,
        };
        // They stand in the order in which they came.
        let Some(slot) = slots.iter_mut().rfind(is_for_it) else { return Found::Nothing };
        let before = std::mem::replace(&mut slot.used, used);
        let found = match &slot.content {
            Content::Answer(answer) => Found::Answer(answer.clone()),
            Content::Pass(_) => Found::Pass,
        };
        let place = state.order.remove(&before).expect("each slot has its place");
        state.order.insert(used, place);
        state.next += 1;
        found
    }

    /// A number of what a request has in the fields that known answers for its target depend on: requests of one number may
    /// get the same answer.
    pub fn selection(&self, key: &CacheKey, request: &HeaderMap) -> u64 {
        let state = self.state();
        let slots = state.targets.get(key).map(Vec::as_slice).unwrap_or_default();
        let answers = slots.iter().filter_map(Slot::answer);
        let mut names: Vec<&HeaderName> = answers.flat_map(|answer| answer.varies_by()).collect();
        names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        names.dedup();
        names.into_iter().fold(0, |number, name| {
            let value = field_value(request, name);
            let with_name = fnv1a64_with(name.as_str().as_bytes(), number);
            // Nothing is not the same as an empty value.
            value.map_or(mix(with_name), |value| fnv1a64_with(&value, with_name).wrapping_add(1))
        })
    }

    /// Room for an answer of so many bytes, for which others go; `None` where that does not suffice.
    pub fn reserve(&self, bytes: u64) -> Option<Room> {
        let mut state = self.state();
        if state.reserved.saturating_add(bytes) > self.0.options.max_bytes {
            return None;
        }
        state.reserved += bytes;
        state.evict(&self.0.options);
        drop(state);
        Some(Room { store: self.clone(), bytes })
    }

    /// Keeps an answer in the place of those for the same requests, if it is still to be: `holds` is asked while nothing is
    /// removed.
    pub fn insert(
        &self,
        key: &Arc<CacheKey>,
        answer: Arc<StoredResponse>,
        room: Room,
        holds: impl FnOnce() -> bool,
    ) {
        let bytes = answer.cost() + key.bytes();
        // Given back first, and to be taken again under the same lock by what it was for.
        let mut state = self.state();
        state.reserved -= room.forget();
        if !holds() || bytes > self.0.options.max_bytes {
            return;
        }
        state.remove_where(key, |slot| slot.answer().is_none_or(|kept| kept.is_for_the_same(&answer)));
        state.add(key, bytes, Content::Answer(answer));
        state.evict(&self.0.options);
    }

    /// Notes that answers for this target are not kept, unless one is.
    pub fn pass(&self, key: &Arc<CacheKey>, until_ns: u64) {
        let mut state = self.state();
        state.remove_where(key, |slot| slot.answer().is_none());
        if !state.targets.contains_key(key) {
            state.add(key, NOTE_BYTES + key.bytes(), Content::Pass(until_ns));
            state.evict(&self.0.options);
        }
    }

    /// Removes one answer.
    pub fn remove_answer(&self, key: &CacheKey, answer: &Arc<StoredResponse>) {
        let is_it = |slot: &Slot| slot.answer().is_some_and(|kept| Arc::ptr_eq(kept, answer));
        self.state().remove_where(key, is_it);
    }

    /// Removes all that a write reaches.
    pub fn remove(&self, reach: &WriteReach) {
        let mut state = self.state();
        for range in reach.ranges() {
            let reached: Vec<_> =
                state.targets.range::<CacheKey, _>(range).map(|(key, _)| key.clone()).collect();
            for key in reached {
                state.remove_where(&key, |_| true);
            }
        }
    }

    /// How many entries there are, and their bytes, those that are still coming included.
    pub fn size(&self) -> (usize, u64) {
        let state = self.state();
        (state.order.len(), state.bytes + state.reserved)
    }
}

impl Slot {
    fn answer(&self) -> Option<&Arc<StoredResponse>> {
        match &self.content {
            Content::Answer(answer) => Some(answer),
            Content::Pass(_) => None,
        }
    }
}

impl State {
    fn add(&mut self, key: &Arc<CacheKey>, bytes: u64, content: Content) {
        let used = self.next;
        self.next += 1;
        self.bytes += bytes;
        self.order.insert(used, key.clone());
        let slots = self.targets.entry(key.clone()).or_default();
        slots.push(Slot { used, bytes, content });
        if slots.len() > MAX_VARIANTS
            && let Some(oldest) = slots.iter().map(|slot| slot.used).min()
        {
            self.remove_where(key, |slot| slot.used == oldest);
        }
    }

    fn remove_where(&mut self, key: &CacheKey, is_it: impl Fn(&Slot) -> bool) {
        let Some(slots) = self.targets.get_mut(key) else { return };
        slots.retain(|slot| {
            let goes = is_it(slot);
            if goes {
                self.order.remove(&slot.used);
                self.bytes -= slot.bytes;
            }
            !goes
        });
        if slots.is_empty() {
            self.targets.remove(key);
        }
    }

    /// Those go that were used longest ago, until the others are within the bounds.
    fn evict(&mut self, options: &CacheOptions) {
        while self.order.len() > options.max_entries || self.bytes + self.reserved > options.max_bytes {
            let Some((used, key)) = self.order.pop_first() else { return };
            self.remove_where(&key, |slot| slot.used == used);
        }
    }
}

impl Room {
    /// Its bytes, which are given back by hand.
    fn forget(mut self) -> u64 {
        std::mem::take(&mut self.bytes)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.store.state().reserved -= self.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use http::{HeaderValue, Method, StatusCode};

    use super::*;
    use crate::response_cache::stored::{Arrival, StorableHead};

    const PHOTO: ComponentName = ComponentName::of("photo");

    fn key(target: &str) -> Arc<CacheKey> {
        Arc::new(CacheKey { host: "cleave".into(), target: target.into() })
    }

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        list.iter().map(field).collect()
    }

    /// An answer of so many bytes to a request with these fields, which it depends on where `vary` names them.
    fn answer(bytes: usize, request: &HeaderMap, vary: &'static str) -> Arc<StoredResponse> {
        let arrival = Arrival { now_ns: 0, wall: UNIX_EPOCH, delay: Duration::ZERO };
        let fields = headers(&[("cache-control", "max-age=10"), ("vary", vary)]);
        let head = StorableHead::of(request, false, StatusCode::OK, &fields, arrival).expect("kept");
        Arc::new(StoredResponse::new(PHOTO, head, &vec![b'x'; bytes], 0))
    }

    fn keep(store: &Store, key: &Arc<CacheKey>, answer: &Arc<StoredResponse>) -> bool {
        let Some(room) = store.reserve(answer.cost() + key.bytes()) else { return false };
        store.insert(key, answer.clone(), room, || true);
        true
    }

    fn has(store: &Store, key: &CacheKey, request: &HeaderMap) -> bool {
        matches!(store.find(key, request, PHOTO, 0), Found::Answer(_))
    }

    fn bounded(max_bytes: u64, max_entries: usize) -> Store {
        Store::new(CacheOptions { max_bytes, max_entries, ..CacheOptions::default() })
    }

    #[test]
    fn the_answer_that_was_given_longest_ago_goes_first() {
        let plain = HeaderMap::new();
        let (store, kept) = (bounded(1 << 20, 2), answer(1, &plain, ""));
        let [one, two, three] = [key("/1"), key("/2"), key("/3")];
        assert!(keep(&store, &one, &kept) && keep(&store, &two, &kept) && has(&store, &one, &plain));
        assert!(keep(&store, &three, &kept));
        assert!(has(&store, &one, &plain) && has(&store, &three, &plain) && !has(&store, &two, &plain));
    }

    #[test]
    fn bytes_are_bounded_also_those_that_are_still_coming() {
        let plain = HeaderMap::new();
        let kept = answer(1_000, &plain, "");
        let most = 2 * kept.cost() + 100;
        let store = bounded(most, 100);
        assert!(keep(&store, &key("/1"), &kept) && keep(&store, &key("/2"), &kept));
        let coming = store.reserve(most - 200).expect("for which both go");
        assert_eq!(store.size(), (0, most - 200));
        assert!(!keep(&store, &key("/3"), &kept), "there is no room beside it");
        drop(coming);
        assert_eq!(store.size(), (0, 0));
        assert!(keep(&store, &key("/3"), &kept) && store.reserve(most + 1).is_none());
        assert_eq!(store.size().0, 1, "nothing goes for what cannot be kept");
    }

    #[test]
    fn requests_that_differ_in_what_an_answer_depends_on_have_their_own() {
        let [german, french] = ["de", "fr"].map(|language| headers(&[("accept-language", language)]));
        let (store, key) = (bounded(1 << 20, 100), key("/1"));
        assert_eq!(store.selection(&key, &german), store.selection(&key, &french), "nothing is known yet");
        assert!(keep(&store, &key, &answer(1, &german, "accept-language")));
        assert!(has(&store, &key, &german) && !has(&store, &key, &french));
        assert_ne!(store.selection(&key, &german), store.selection(&key, &french));
        assert!(keep(&store, &key, &answer(1, &french, "accept-language")));
        assert!(has(&store, &key, &german) && has(&store, &key, &french));
        assert!(keep(&store, &key, &answer(2, &german, "accept-language")));
        assert_eq!(store.size().0, 2, "one takes the place of another");
        let other = ComponentName::of("feed");
        assert!(matches!(store.find(&key, &german, other, 0), Found::Nothing), "of another component");
        store.remove(&WriteReach::of(&Method::POST, "/1"));
        assert_eq!(store.size(), (0, 0));
    }

    #[test]
    fn of_two_answers_for_one_request_the_last_is_given() {
        let (store, key) = (bounded(1 << 20, 100), key("/1"));
        let german = headers(&[("accept-language", "de")]);
        let (before, after) = (answer(1, &german, ""), answer(1, &german, "accept-language"));
        assert!(keep(&store, &key, &before) && keep(&store, &key, &after));
        let found = |request: &HeaderMap| match store.find(&key, request, PHOTO, 0) {
            Found::Answer(answer) => answer,
            _ => panic!("both are kept"),
        };
        assert!(Arc::ptr_eq(&found(&german), &after), "what came before it depends on less");
        assert!(Arc::ptr_eq(&found(&HeaderMap::new()), &before));
    }

    #[test]
    fn what_a_write_reaches_goes_whatever_it_depends_on_and_by_whatever_host() {
        let (store, plain) = (bounded(1 << 20, 100), HeaderMap::new());
        let german = headers(&[("accept-language", "de")]);
        let elsewhere = Arc::new(CacheKey { host: "elsewhere".into(), target: "/1/small".into() });
        let [other, sibling] = [key("/2/small"), key("/10")];
        for kept in [&key("/1"), &key("/1?a=b"), &key("/1/small"), &elsewhere, &other, &sibling] {
            assert!(keep(&store, kept, &answer(1, &plain, "")));
        }
        assert!(keep(&store, &key("/1/small"), &answer(1, &german, "accept-language")));
        store.remove(&WriteReach::of(&Method::DELETE, "/1"));
        assert!(store.size().0 == 2 && has(&store, &other, &plain) && has(&store, &sibling, &plain));
    }

    #[test]
    fn variants_of_one_target_are_bounded() {
        let (store, key) = (bounded(1 << 20, 100), key("/1"));
        for n in 0..2 * MAX_VARIANTS {
            let mut request = HeaderMap::new();
            request.insert("accept", HeaderValue::from(n));
            assert!(keep(&store, &key, &answer(1, &request, "accept")));
        }
        assert_eq!(store.size().0, MAX_VARIANTS);
    }

    #[test]
    fn a_note_holds_for_a_while_and_an_answer_takes_its_place() {
        let (store, key, plain) = (bounded(1 << 20, 100), key("/1"), HeaderMap::new());
        store.pass(&key, 10);
        store.pass(&key, 20);
        assert_eq!(store.size().0, 1);
        assert!(matches!(store.find(&key, &plain, PHOTO, 19), Found::Pass));
        assert!(matches!(store.find(&key, &plain, PHOTO, 20), Found::Nothing));
        let kept = answer(1, &plain, "");
        assert!(keep(&store, &key, &kept) && has(&store, &key, &plain));
        store.pass(&key, 20);
        assert!(has(&store, &key, &plain), "an answer stays");
        store.remove_answer(&key, &answer(1, &plain, ""));
        assert!(has(&store, &key, &plain), "that was another one");
        store.remove_answer(&key, &kept);
        assert_eq!(store.size(), (0, 0));
    }

    #[test]
    fn what_has_changed_meanwhile_is_not_kept() {
        let (store, key, plain) = (bounded(1 << 20, 100), key("/1"), HeaderMap::new());
        let kept = answer(1, &plain, "");
        let room = store.reserve(kept.cost()).expect("room");
        store.insert(&key, kept, room, || false);
        assert_eq!(store.size(), (0, 0));
    }
}
