//! What goes into the index and out of it.

use contract::{CallContext, Pending};
use photo_api::{PhotoDeleted, PhotoPosted};
use profile_api::{ProfileChanged, ProfileCreated, ProfileDeleted};
use storage::{Subscriber, Tx};

use crate::finder::Finder;
use crate::store;

impl Subscriber<ProfileCreated> for Finder {
    fn apply<'a>(&'a self, _: &'a CallContext, tx: &'a mut Tx, event: &'a ProfileCreated) -> Pending<'a, ()> {
        Box::pin(async { Ok(store::put_person(tx.conn(), &event.profile).await?) })
    }
}

impl Subscriber<ProfileChanged> for Finder {
    fn apply<'a>(&'a self, _: &'a CallContext, tx: &'a mut Tx, event: &'a ProfileChanged) -> Pending<'a, ()> {
        Box::pin(async { Ok(store::put_person(tx.conn(), &event.profile).await?) })
    }
}

impl Subscriber<ProfileDeleted> for Finder {
    fn apply<'a>(&'a self, _: &'a CallContext, tx: &'a mut Tx, event: &'a ProfileDeleted) -> Pending<'a, ()> {
        Box::pin(async { Ok(store::forget_person(tx.conn(), event.id).await?) })
    }
}

impl Subscriber<PhotoPosted> for Finder {
    fn apply<'a>(&'a self, _: &'a CallContext, tx: &'a mut Tx, event: &'a PhotoPosted) -> Pending<'a, ()> {
        Box::pin(async { Ok(store::put_photo(tx.conn(), &event.photo).await?) })
    }
}

impl Subscriber<PhotoDeleted> for Finder {
    fn apply<'a>(&'a self, _: &'a CallContext, tx: &'a mut Tx, event: &'a PhotoDeleted) -> Pending<'a, ()> {
        Box::pin(async { Ok(store::forget_photo(tx.conn(), event.id).await?) })
    }
}
