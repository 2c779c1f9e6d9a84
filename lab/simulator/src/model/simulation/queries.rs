//! Queries and transactions: a connection, CPU, and for a transaction a sync.

use super::super::cpu::Owner;
use super::super::database::Query;
use super::super::pool::Entry;
use super::{Simulation, kind};
use crate::engine::{Draws, EventQueue, Handle};

/// Steps of a query's key for its sync, and for a checkpoint.
const SYNC_DRAW: u64 = 0x4000;
const CHECKPOINT_DRAW: u64 = 0x4001;

impl<Q: EventQueue> Simulation<Q> {
    /// A frame asks its database.
    pub(super) fn query(&mut self, frame: Handle, demand_ns: u64, is_write: bool, key: u64) {
        let now_ns = self.events.now_ns();
        let Some(asking) = self.frames.get(frame) else { return };
        let instance = &self.system.instances[asking.instance as usize];
        let (process, database) = (instance.process, instance.database);
        let database = database.expect("a plan whose program asks a database names one");
        let query = self.queries.insert(Query {
            frame,
            process,
            database,
            demand_ns,
            is_write,
            since_ns: now_ns,
            is_connected: false,
            key,
        });
        let queries = &self.queries;
        let pool = self.system.databases[database as usize].pool(is_write);
        if pool.enter(query, now_ns, |handle| queries.get(handle).is_some()) == Entry::Served {
            self.begin_query(query);
        }
    }

    fn begin_query(&mut self, handle: Handle) {
        let Some(query) = self.queries.get_mut(handle) else { return };
        query.is_connected = true;
        let (process, demand_ns) = (query.process, query.demand_ns);
        self.submit(process, Owner::Query(handle), demand_ns);
    }

    /// The CPU of a query has been used.
    pub(super) fn query_ran(&mut self, handle: Handle) {
        let Some(query) = self.queries.get(handle) else { return };
        let Query { database, is_write, key, .. } = *query;
        if !is_write {
            return self.end_query(handle);
        }
        if self.system.databases[database as usize].is_grouped() {
            self.disconnect(handle);
        }
        let bits = self.sync_bits(database, key);
        if let Some(length_ns) = self.system.databases[database as usize].commit(handle, bits) {
            self.events.after(length_ns, kind::SYNC, database);
        }
    }

    fn sync_bits(&self, database: u32, key: u64) -> [u64; 2] {
        let draws = self.system.database_draws[database as usize];
        [SYNC_DRAW, CHECKPOINT_DRAW].map(|step| draws.bits(Draws::derive(key, step)))
    }

    pub(super) fn on_sync(&mut self, database: u32) {
        let bits = self.sync_bits(database, self.events.happened());
        let (durable, next) = self.system.databases[database as usize].synced(bits);
        if let Some(length_ns) = next {
            self.events.after(length_ns, kind::SYNC, database);
        }
        for query in durable {
            self.end_query(query);
        }
    }

    fn end_query(&mut self, handle: Handle) {
        self.disconnect(handle);
        if let Some(query) = self.queries.remove(handle) {
            self.step_done(query.frame);
        }
    }

    /// A query gives its connection back, and the next gets it.
    pub(super) fn disconnect(&mut self, handle: Handle) {
        let now_ns = self.events.now_ns();
        let Some(query) = self.queries.get_mut(handle) else { return };
        if !std::mem::replace(&mut query.is_connected, false) {
            return;
        }
        let Query { database, is_write, .. } = *query;
        let queries = &self.queries;
        let pool = self.system.databases[database as usize].pool(is_write);
        let (next, _) = pool.leave(now_ns, |handle| queries.get(handle).is_some());
        if let Some(next) = next {
            self.begin_query(next);
        }
    }
}
