//! A deleted account takes its edges along.

use contract::{CallContext, Pending};
use profile_api::ProfileDeleted;
use storage::{Subscriber, Tx};

use crate::graph::Graph;
use crate::store;

impl Subscriber<ProfileDeleted> for Graph {
    /// No `Unfollowed` follows from it: a component that stores data for an edge
    /// subscribes to the deletion itself.
    fn apply<'a>(&'a self, _: &'a CallContext, tx: &'a mut Tx, event: &'a ProfileDeleted) -> Pending<'a, ()> {
        Box::pin(async move { Ok(store::forget(tx.conn(), event.id).await?) })
    }
}
