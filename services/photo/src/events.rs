//! What happens when an account goes: its photos and likes go too.

use contract::{CallContext, Pending};
use photo_api::PhotoDeleted;
use profile_api::ProfileDeleted;
use storage::{Subscriber, Tx};

use crate::{Album, store};

impl Subscriber<ProfileDeleted> for Album {
    fn apply<'a>(
        &'a self,
        cx: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a ProfileDeleted,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            for id in store::forget(tx.conn(), event.id).await? {
                self.publish_deleted(cx, tx, PhotoDeleted { id, author: event.id }).await?;
            }
            Ok(())
        })
    }
}
