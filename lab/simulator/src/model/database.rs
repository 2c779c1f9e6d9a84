//! A database: connections that read, one that writes, and a device that makes commits durable.

use std::collections::VecDeque;

use super::plan::{DatabasePlan, QueuePlan};
use super::pool::Pool;
use crate::dist::Distribution;
use crate::engine::Handle;

/// A query or a transaction under way. It is not cancelled: its caller may leave, the thread goes on.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// The frame that waits for it; stale when that has gone.
    pub frame: Handle,
    /// The process that runs it.
    pub process: u32,
    /// The database.
    pub database: u32,
    /// Its CPU, ns.
    pub demand_ns: u64,
    /// Whether it writes.
    pub is_write: bool,
    /// Since when it waits for a connection, ns.
    pub since_ns: u64,
    /// Whether it has a connection.
    pub is_connected: bool,
    /// Key of its draws.
    pub key: u64,
}

/// A database.
#[derive(Debug)]
pub struct Database {
    /// Connections that read.
    pub readers: Pool,
    /// The connection that writes.
    pub writer: Pool,
    sync: Distribution,
    checkpoint: Distribution,
    checkpoint_every: u32,
    group_commit: bool,
    /// Commits that wait for the device.
    waiting: VecDeque<Handle>,
    /// Those that are being made durable.
    syncing: Vec<Handle>,
    commits: u64,
    syncs: u64,
    since_checkpoint: u32,
}

impl Database {
    /// An idle one.
    pub fn new(plan: &DatabasePlan) -> Self {
        Self {
            readers: Pool::new(plan.readers, u32::MAX, QueuePlan::Fifo),
            writer: Pool::new(1, u32::MAX, QueuePlan::Fifo),
            sync: plan.sync.clone(),
            checkpoint: plan.checkpoint.clone(),
            checkpoint_every: plan.checkpoint_every,
            group_commit: plan.group_commit,
            waiting: VecDeque::new(),
            syncing: Vec::new(),
            commits: 0,
            syncs: 0,
            since_checkpoint: 0,
        }
    }

    /// The pool that a query takes a connection of.
    pub const fn pool(&mut self, is_write: bool) -> &mut Pool {
        if is_write { &mut self.writer } else { &mut self.readers }
    }

    /// Whether the writer is free before its commit is durable, so that commits gather.
    pub const fn is_grouped(&self) -> bool {
        self.group_commit
    }

    /// A commit asks to be made durable. Returns how long the sync takes that begins now, ns, if the device was idle.
    /// `bits` are random.
    pub fn commit(&mut self, query: Handle, bits: [u64; 2]) -> Option<u64> {
        self.waiting.push_back(query);
        self.begin(bits)
    }

    /// A sync is over. Returns whose commits are durable, and how long the next sync takes, ns.
    pub fn synced(&mut self, bits: [u64; 2]) -> (Vec<Handle>, Option<u64>) {
        let durable = std::mem::take(&mut self.syncing);
        self.commits += durable.len() as u64;
        (durable, self.begin(bits))
    }

    fn begin(&mut self, [sync, checkpoint]: [u64; 2]) -> Option<u64> {
        if !self.syncing.is_empty() || self.waiting.is_empty() {
            return None;
        }
        let together = if self.group_commit { self.waiting.len() } else { 1 };
        self.syncing.extend(self.waiting.drain(..together));
        self.syncs += 1;
        let mut length_ns = self.sync.sample(sync);
        self.since_checkpoint += together as u32;
        if self.checkpoint_every > 0 && self.since_checkpoint >= self.checkpoint_every {
            self.since_checkpoint = 0;
            length_ns += self.checkpoint.sample(checkpoint);
        }
        Some(length_ns)
    }

    /// Whether a commit waits for the device, or is being made durable.
    pub fn is_committing(&self, query: Handle) -> bool {
        self.waiting.contains(&query) || self.syncing.contains(&query)
    }

    /// Commits made durable, and the syncs that took.
    pub const fn durable(&self) -> (u64, u64) {
        (self.commits, self.syncs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Slab;

    #[test]
    fn commits_share_a_sync_and_the_third_makes_a_checkpoint() {
        let plan = DatabasePlan {
            name: "photo".into(),
            components: Vec::new(),
            shards: 1,
            readers: 2,
            sync: Distribution::Constant(100),
            group_commit: true,
            checkpoint_every: 3,
            checkpoint: Distribution::Constant(1_000),
        };
        let mut slab = Slab::default();
        let [a, b, c] = [(); 3].map(|()| slab.insert(()));
        let mut database = Database::new(&plan);
        assert_eq!(database.commit(a, [0, 0]), Some(100));
        assert_eq!((database.commit(b, [0, 0]), database.commit(c, [0, 0])), (None, None));
        assert_eq!(database.synced([0, 0]), (vec![a], Some(1_100)), "both at once, and a checkpoint");
        assert_eq!(database.synced([0, 0]), (vec![b, c], None));
        assert_eq!(database.durable(), (3, 2));
        let mut alone = Database::new(&DatabasePlan { group_commit: false, ..plan });
        assert_eq!(alone.commit(a, [0, 0]), Some(100));
        alone.commit(b, [0, 0]);
        alone.commit(c, [0, 0]);
        assert_eq!(alone.synced([0, 0]), (vec![a], Some(100)), "one by one");
    }
}
