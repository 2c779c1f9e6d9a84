//! Passwords: argon2id (RFC 9106), a few at a time, off the async threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Params, PasswordHasher, PasswordVerifier};
use contract::{CallContext, Refusal};
use runtime::clock;
use runtime::cost::{self, Part};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::hashing_memory::{Hasher, MemoryPool};

/// Passes over the memory; with 7 MiB one of OWASP's choices for argon2id, as
/// strong as 19 MiB and two passes, and a lab runs many processes.
const PASSES: u32 = 5;
/// Lanes; more would only help a thread pool we do not give it.
const LANES: u32 = 1;

/// Hashes and checks passwords. Cheap to clone.
#[derive(Clone)]
pub struct Passwords {
    cost: Arc<Cost>,
    turns: Arc<Semaphore>,
    decoy: Arc<str>,
    queue: Arc<Queue>,
}

/// What a hash costs, and the memory for it.
struct Cost {
    params: Params,
    memory: MemoryPool,
}

impl Cost {
    fn of(kib: u32) -> Result<Self, Refusal> {
        let params = Params::new(kib, PASSES, LANES, None)
            .map_err(|why| Refusal::internal(format!("argon2_kib = {kib} is impossible: {why}")))?;
        Ok(Self { params, memory: MemoryPool::default() })
    }

    fn hash(&self, password: &str) -> Result<String, Refusal> {
        Hasher::new(&self.params, &self.memory)
            .hash_password(password.as_bytes())
            .map(|hash| hash.to_string())
            .map_err(|why| Refusal::internal(format!("the password could not be hashed: {why}")))
    }

    /// Whether `kept` is the hash of a password, whatever it cost.
    fn verify(&self, password: &str, kept: &str) -> argon2::password_hash::Result<()> {
        let kept = PasswordHash::new(kept)?;
        Hasher::new(&self.params, &self.memory).verify_password(password.as_bytes(), &kept)
    }
}

/// What waits for a turn, and what a turn takes.
#[derive(Default)]
struct Queue {
    waiting: AtomicUsize,
    /// Those of them that are sign-ups.
    sign_ups: AtomicUsize,
    /// The shortest turn so far, ns; 0 before the first.
    shortest_ns: AtomicU64,
}

/// A place in the queue; given up when dropped.
struct QueuePlace<'a>(&'a AtomicUsize);

/// Most log-ins and sign-ups that wait: at 60 ms a turn the last of 32 waits for about two seconds,
/// which is as long as its route gives it.
const MAX_WAITING: usize = 32;
/// Most of them that are sign-ups: the other half is for log-ins alone.
const MAX_SIGN_UPS: usize = MAX_WAITING / 2;

impl Queue {
    fn enter(&self, is_sign_up: bool) -> Result<Vec<QueuePlace<'_>>, Refusal> {
        let sign_ups = is_sign_up.then_some((&self.sign_ups, MAX_SIGN_UPS));
        let counts = sign_ups.into_iter().chain([(&self.waiting, MAX_WAITING)]);
        counts.map(|(count, most)| QueuePlace::take(count, most)).collect()
    }

    fn took(&self, ns: u64) {
        let shorter = |shortest: u64| (shortest == 0 || ns < shortest).then_some(ns.max(1));
        let _ = self.shortest_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, shorter);
    }
}

impl<'a> QueuePlace<'a> {
    fn take(count: &'a AtomicUsize, most: usize) -> Result<Self, Refusal> {
        let one_more = |waiting: usize| (waiting < most).then_some(waiting + 1);
        let taken = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.map(|_| Self(count)).map_err(|_| busy())
    }
}

fn busy() -> Refusal {
    let message = "too many log-ins and sign-ups at once; try again in a second";
    Refusal::shed("log_ins_busy", message, Some(Duration::from_secs(1)))
}

impl Drop for QueuePlace<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Passwords {
    /// Passwords at a memory cost of `kib`.
    ///
    /// # Errors
    /// An internal refusal for a cost argon2 does not know: it wants 8 KiB at least.
    pub fn new(kib: u32) -> Result<Self, Refusal> {
        // Half of the cores: a storm of log-ins must leave some to everything
        // else, and each turn holds `kib` of memory.
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Self {
            cost: Arc::new(Cost::of(kib)?),
            turns: Arc::new(Semaphore::new((cores / 2).max(1))),
            decoy: decoy(kib).into(),
            queue: Arc::default(),
        })
    }

    /// The PHC string to keep for a password, with a fresh salt.
    ///
    /// # Errors
    /// 503 when as many wait as may, or its turn does not come in time; 504 where that is a deadline of the client's own.
    pub async fn hash(&self, cx: &CallContext, password: String) -> Result<String, Refusal> {
        let cost = self.cost.clone();
        self.in_turn(cx, true, move || cost.hash(&password)).await?
    }

    /// Whether a password is the one `kept`. For an account that does not
    /// exist the same work is done, so that the duration does not reveal which
    /// handles exist.
    ///
    /// # Errors
    /// 503 when as many wait as may, or its turn does not come in time; 504 where that is a deadline of the client's own.
    pub async fn matches(
        &self,
        cx: &CallContext,
        password: String,
        kept: Option<String>,
    ) -> Result<bool, Refusal> {
        let (cost, decoy) = (self.cost.clone(), self.decoy.clone());
        self.in_turn(cx, false, move || {
            let known = kept.is_some();
            let kept = kept.as_deref().unwrap_or(&decoy);
            cost.verify(&password, kept).is_ok() && known
        })
        .await
    }

    /// Does the work when it is its turn. The queue is bounded, by number and by the deadline
    /// of each caller; work once begun keeps its turn to the end, even when the
    /// caller has left. Work that never was as quick as its caller asks is not begun.
    async fn in_turn<T: Send + 'static>(
        &self,
        cx: &CallContext,
        is_sign_up: bool,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let shortest = Duration::from_nanos(self.queue.shortest_ns.load(Ordering::Relaxed));
        let left = cx.deadline.remaining(clock::now()).unwrap_or_default();
        let is_hasty = cx.deadline.is_chosen_by_client();
        if is_hasty && left < shortest {
            return Err(Refusal::too_late());
        }
        let places = self.queue.enter(is_sign_up)?;
        // The last quarter is for the work: one whose turn does not come hears that there are too many while it listens, which
        // is no failure of this component. A client that waits for less is too hasty.
        let wait = if is_hasty { left } else { left * 3 / 4 };
        let turn = tokio::time::timeout(wait, self.turns.clone().acquire_owned());
        let turn: OwnedSemaphorePermit = cost::part(Part::Queueing, turn)
            .await
            .map_err(|_| if is_hasty { Refusal::too_late() } else { busy() })?
            .map_err(|_| Refusal::internal("the semaphore is never closed"))?;
        drop(places);
        let queue = self.queue.clone();
        Ok(runtime::blocking(move || {
            let _turn = turn;
            let started = clock::now_ns();
            let done = work();
            queue.took(clock::now_ns() - started);
            done
        })
        .await)
    }
}

/// The PHC string of a password at the default cost, for accounts loaded in bulk.
///
/// # Errors
/// An internal refusal when the system has no randomness to give.
pub fn hash_now(password: &str, kib: u32) -> Result<String, Refusal> {
    Cost::of(kib)?.hash(password)
}

/// A well-formed PHC string that costs what a real one costs and that no
/// password gives: its output is 32 zero bytes.
fn decoy(kib: u32) -> String {
    let (salt, output) = ("A".repeat(22), "A".repeat(43));
    format!("$argon2id$v=19$m={kib},t={PASSES},p={LANES}${salt}${output}")
}

#[cfg(test)]
mod tests {
    use contract::{ComponentName, Deadline};

    use super::*;

    #[test]
    fn a_hash_opens_to_its_password_alone() {
        let cost = Cost::of(64).expect("64 KiB is possible");
        let kept = cost.hash("correct horse").expect("hashes");
        assert!(kept.starts_with("$argon2id$v=19$m=64,t=5,p=1$"), "{kept}");
        assert!(cost.verify("correct horse", &kept).is_ok());
        assert!(cost.verify("correct house", &kept).is_err());
        assert_ne!(kept, cost.hash("correct horse").expect("hashes"), "the salt is fresh");
    }

    #[test]
    fn the_decoy_is_read_in_full_before_it_is_refused() {
        let cost = Cost::of(64).expect("64 KiB is possible");
        let why = cost.verify("anything", &decoy(64)).expect_err("no user's");
        assert_eq!(why, argon2::password_hash::Error::PasswordInvalid, "well-formed, so the work was done");
    }

    #[test]
    fn sign_ups_leave_half_of_the_queue_to_log_ins() {
        let queue = Queue::default();
        let sign_ups: Vec<_> = (0..MAX_WAITING).map_while(|_| queue.enter(true).ok()).collect();
        assert_eq!(sign_ups.len(), MAX_SIGN_UPS);
        let log_ins: Vec<_> = (0..MAX_WAITING).map_while(|_| queue.enter(false).ok()).collect();
        assert_eq!(log_ins.len(), MAX_WAITING - MAX_SIGN_UPS);
        drop(sign_ups);
        drop(queue.enter(true).expect("there is room again"));
        assert_eq!(queue.sign_ups.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn one_whose_turn_does_not_come_is_refused_while_its_client_still_listens() {
        let passwords = Passwords::new(64).expect("64 KiB is possible");
        let turns = u32::try_from(passwords.turns.available_permits()).expect("a few");
        let _all = passwords.turns.acquire_many(turns).await.expect("never closed");
        let deadline = Deadline::after(clock::now(), Duration::from_secs(2));
        let within = |deadline| CallContext::background(ComponentName::CLIENT, deadline);
        let refused = passwords.hash(&within(deadline), "correct horse".into()).await.expect_err("no turn");
        assert!(refused.code == "log_ins_busy" && refused.is_shed);
        let hasty = within(deadline.chosen_by_client());
        let refused = passwords.matches(&hasty, "correct horse".into(), None).await;
        assert_eq!(refused, Err(Refusal::too_late()));
        assert_eq!(passwords.queue.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn an_impossible_cost_is_refused_at_once() {
        assert!(Passwords::new(1).is_err_and(|refusal| refusal.message.contains("argon2_kib = 1")));
    }
}
