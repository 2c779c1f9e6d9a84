//! Turns: of what one author has under way only some goes on, so that others have the rest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use profile_api::UserId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Authors that have nothing under way are forgotten when there are more than this.
const MAX_IDLE: usize = 64;

/// Turns of each author.
pub(crate) struct Turns {
    /// How many an author has at once.
    each: usize,
    by_author: Mutex<HashMap<UserId, Arc<Semaphore>>>,
}

impl Turns {
    /// So many at once for each.
    pub fn new(each: usize) -> Self {
        Self { each, by_author: Mutex::default() }
    }

    /// Waits for a turn of this author's, in the order of the calls; it ends when it is dropped.
    pub async fn wait(&self, author: UserId) -> OwnedSemaphorePermit {
        let turns = self.of(author);
        turns.acquire_owned().await.expect("the semaphore is never closed")
    }

    fn of(&self, author: UserId) -> Arc<Semaphore> {
        let mut by_author = self.by_author.lock().expect("no panic while held");
        if by_author.len() > MAX_IDLE {
            // An author that waits, or has a turn, holds one as well.
            by_author.retain(|_, turns| Arc::strong_count(turns) > 1);
        }
        by_author.entry(author).or_insert_with(|| Arc::new(Semaphore::new(self.each))).clone()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn an_author_waits_for_its_own_turns_only() {
        let turns = Turns::new(1);
        let [ada, bob] = [1, 2].map(UserId::new);
        let first = turns.wait(ada).now_or_never().expect("there is one");
        let mut second = Box::pin(turns.wait(ada));
        assert!(second.as_mut().now_or_never().is_none(), "it has one already");
        drop(turns.wait(bob).now_or_never().expect("another author"));
        drop(first);
        assert!(second.now_or_never().is_some(), "its turn");
    }

    #[test]
    fn authors_with_nothing_under_way_are_forgotten() {
        let turns = Turns::new(1);
        let held = turns.wait(UserId::new(0)).now_or_never().expect("there is one");
        for author in 1..1_000 {
            drop(turns.wait(UserId::new(author)).now_or_never().expect("there is one"));
        }
        assert!(turns.by_author.lock().expect("no panic").len() <= MAX_IDLE + 1);
        assert!(turns.wait(UserId::new(0)).now_or_never().is_none(), "an author that has a turn is known");
        drop(held);
    }
}
