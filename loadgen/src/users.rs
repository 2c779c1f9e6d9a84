//! The users at an arm: who they are, what they may do, and what was acknowledged to them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use component::Identity;
use contract::{Id, Principal, TraceContext};
use load_protocol::LoadPlan;
use reqwest::header::HeaderValue;
use traffic::dataset::User;
use traffic::trial::{self, TrialData};
use traffic::{Dataset, Seed};

/// Number of pictures for uploads; encoding one per upload would cost the generator CPU.
const PICTURE_COUNT: u64 = 8;

/// Acknowledged writes grow by so many at a time: doubling would hold half as many again for nothing.
const WRITES_STEP: usize = 4_096;

/// An acknowledged write, for the audit: 16 bytes, since all of a run are held until its end. Texts follow from the
/// number of the arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcknowledgedWrite {
    /// A photo and its author.
    Photo {
        /// Id as acknowledged.
        id: Id<()>,
        /// Index of the author.
        author: u32,
    },
    /// A like.
    Like {
        /// Index of the photo.
        photo: u32,
        /// Index of the user.
        user: u32,
    },
    /// An edge that was created or removed.
    Edge {
        /// Index of the follower.
        follower: u32,
        /// Index of the followed user.
        followee: u32,
        /// Whether it should exist.
        present: bool,
    },
    /// A changed profile.
    Profile {
        /// Index of the user.
        user: u32,
        /// Number of the arrival: see [`bio`].
        seq: u64,
    },
    /// A new account.
    Account {
        /// Number of the arrival: see [`handle`].
        seq: u64,
        /// Random, as in the handle.
        suffix: u16,
    },
}

/// The bio that an arrival writes.
pub(crate) fn bio(seq: u64) -> String {
    format!("edited in arrival {seq}")
}

/// The handle that an arrival signs up with: unique.
pub(crate) fn handle(seq: u64, suffix: u16) -> String {
    format!("new{seq}x{suffix:04x}")
}

/// The users at one arm, with their tokens and acknowledged writes.
pub struct UserPool {
    shared: Arc<Shared>,
    /// What the ids of its traces are drawn from.
    trace_label: String,
    writes: Mutex<Vec<AcknowledgedWrite>>,
}

struct Shared {
    data: Arc<Dataset>,
    trial: TrialData,
    /// As requests carry them.
    bearers: Vec<HeaderValue>,
    pictures: Vec<Bytes>,
    /// The round's.
    seed: Seed,
    run_id: String,
    round: u32,
    page: u32,
    sample: f64,
}

impl UserPool {
    /// The users of a plan.
    pub fn new(plan: &LoadPlan) -> Self {
        let data = Arc::new(Dataset::generate(Seed(plan.seed), plan.load.size, &plan.load.graph));
        let identity = Identity::new(plan.secret.as_bytes()).expect("the plan of a run has its secret");
        let bearer = |user: &User| {
            let token = identity.token(Principal::new(user.id)).expect("a secret signs");
            HeaderValue::try_from(format!("Bearer {token}")).expect("a token is visible ASCII")
        };
        let trial = TrialData::of(&data);
        let shared = Shared {
            bearers: data.users.iter().chain([&trial.author, &trial.reader]).map(bearer).collect(),
            trial,
            pictures: (0..PICTURE_COUNT).map(|number| pictures::jpeg(number + 1_000)).collect(),
            seed: Seed(plan.seed).of_round(plan.round),
            run_id: plan.run_id.clone(),
            round: plan.round,
            page: plan.load.feed.page,
            sample: plan.sample,
            data,
        };
        Self::of(Arc::new(shared), '-')
    }

    /// The same users at an arm, with nothing acknowledged yet.
    pub fn for_arm(&self, arm: char) -> Arc<Self> {
        Arc::new(Self::of(self.shared.clone(), arm))
    }

    fn of(shared: Arc<Shared>, arm: char) -> Self {
        let trace_label = format!("trace/{}/{}/{arm}", shared.run_id, shared.round);
        Self { shared, trace_label, writes: Mutex::default() }
    }

    /// The data set at the start of the run.
    pub fn dataset(&self) -> &Arc<Dataset> {
        &self.shared.data
    }

    /// Items of a page of a feed.
    pub(crate) fn page(&self) -> u32 {
        self.shared.page
    }

    /// A cheap read, for warming up.
    pub fn warm_path(&self) -> String {
        format!("/v1/users/{}", self.user(0))
    }

    /// Acknowledged writes.
    pub fn writes(&self) -> Vec<AcknowledgedWrite> {
        self.writes.lock().expect("no panic while held").clone()
    }

    /// Notes what was acknowledged.
    pub(crate) fn record_write(&self, write: AcknowledgedWrite) {
        let mut writes = self.writes.lock().expect("no panic while held");
        if writes.len() == writes.capacity() {
            writes.reserve_exact(WRITES_STEP);
        }
        writes.push(write);
    }

    /// A user's id, as URLs have it.
    pub fn user(&self, index: u32) -> Principal {
        Principal::new(self.account(index).id)
    }

    /// A user, of the data set or of the trial.
    pub(crate) fn account(&self, index: u32) -> &User {
        self.shared.trial.user(&self.shared.data, index)
    }

    /// Whether a user follows no one who has photos when the run begins.
    pub(crate) fn has_empty_feed(&self, index: u32) -> bool {
        let data = &self.shared.data;
        let has_photos = |followee: &u32| !data.photos_of(*followee).is_empty();
        (index as usize) < data.users.len() && !data.following.of(index).iter().any(has_photos)
    }

    /// Ids of the photos that a user has when the run begins.
    pub fn seeded_photos(&self, author: u32) -> BTreeSet<String> {
        let data = &self.shared.data;
        if author == TrialData::author_index(data) {
            return [self.photo(TrialData::photo_index(data)).to_string()].into();
        }
        let is_of_data = (author as usize) < data.users.len();
        let photos = if is_of_data { data.photos_of(author) } else { &[] };
        photos.iter().map(|photo| self.photo(*photo).to_string()).collect()
    }

    /// The file of an upload.
    pub(crate) fn picture(&self, payload_seed: u64) -> Bytes {
        let pictures = &self.shared.pictures;
        pictures[(payload_seed % pictures.len() as u64) as usize].clone()
    }

    /// A photo's id, as URLs have it.
    pub fn photo(&self, index: u32) -> Id<()> {
        Id::new(self.shared.trial.photo(&self.shared.data, index).id)
    }

    /// A user's token, as `authorization` has it.
    pub fn bearer(&self, index: u32) -> &HeaderValue {
        &self.shared.bearers[index as usize]
    }

    /// W3C trace context: ids from run, round, arm and number, so that no two
    /// journeys share a trace; the sampling decision from seed, round and number alone, so
    /// that all arms are traced on the same journeys.
    pub fn trace(&self, seq: u64) -> TraceContext {
        let high = self.shared.seed.draw(&self.trace_label, seq);
        let low = self.shared.seed.draw(&self.trace_label, seq ^ (1 << 63)) | 1;
        TraceContext {
            trace_id: u128::from(high) << 64 | u128::from(low),
            span_id: low.rotate_left(17) | 1,
            sampled: seq < trial::FIRST_NUMBER
                && self.shared.seed.unit("trace.sample", seq) < self.shared.sample,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(round: u32) -> UserPool {
        users_of("tiny", round)
    }

    fn users_of(size: &str, round: u32) -> UserPool {
        UserPool::new(&LoadPlan {
            run_id: "r1".into(),
            seed: 42,
            round,
            phases: Vec::new(),
            further_from_us: Vec::new(),
            load: toml::from_str(&format!("rate = \"1/s\"\nsize = \"{size}\"")).expect("a load"),
            arms: Vec::new(),
            secret: "secret".into(),
            log: "generator.log".into(),
            good_within_us: 1,
            timeout_us: 1,
            audit: false,
            sample: 0.1,
            workers: 1,
            cores: Vec::new(),
        })
    }

    #[test]
    fn an_acknowledged_write_takes_sixteen_bytes() {
        assert_eq!(size_of::<AcknowledgedWrite>(), 16);
        let users = users(1);
        for seq in 0..=WRITES_STEP as u64 {
            users.record_write(AcknowledgedWrite::Account { seq, suffix: 7 });
        }
        let writes = users.writes.lock().expect("no panic while held");
        assert_eq!((writes.len(), writes.capacity()), (WRITES_STEP + 1, 2 * WRITES_STEP));
        assert_eq!((handle(3, 7), bio(3)), ("new3x0007".into(), "edited in arrival 3".into()));
    }

    #[test]
    fn who_follows_only_users_without_photos_has_an_empty_feed() {
        let users = users_of("small", 1);
        let data = users.dataset();
        let all = || 0..data.users.len() as u32;
        let photos =
            |user: u32| data.following.of(user).iter().map(|of| data.photos_of(*of).len()).sum::<usize>();
        assert!(all().any(|user| !data.following.of(user).is_empty() && photos(user) == 0), "there are such");
        for user in all() {
            assert_eq!(users.has_empty_feed(user), photos(user) == 0, "{user}");
        }
        assert!(!users.has_empty_feed(all().end), "of one who joins later it is not known");
    }

    #[test]
    fn arms_are_traced_on_the_same_arrivals_and_rounds_on_others() {
        let traced =
            |users: &UserPool| -> Vec<u64> { (0..2_000).filter(|seq| users.trace(*seq).sampled).collect() };
        let (one, two) = (users(1), users(2));
        let (a, b) = (one.for_arm('A'), one.for_arm('B'));
        assert_eq!(traced(&a), traced(&b));
        assert_ne!(a.trace(7).trace_id, b.trace(7).trace_id, "each arm's are traces of their own");
        assert_ne!(traced(&a), traced(&two.for_arm('A')));
        // A tenth of 2,000, give or take five times the root.
        assert!(traced(&a).len().abs_diff(200) < 5 * 14, "{}", traced(&a).len());
        assert_eq!(one.dataset().digest(), two.dataset().digest(), "rounds have one data set");
    }
}
