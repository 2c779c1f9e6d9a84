//! What goes into the index and out of it.

use contract::{CallContext, Pending};
use photo_api::{PhotoDeleted, PhotoPosted};
use profile_api::{ProfileChanged, ProfileCreated, ProfileDeleted};
use storage::{Subscriber, Tx};

use crate::finder::Finder;
use crate::store;

impl Subscriber<ProfileCreated> for Finder {
    type Gathered = ();

    fn gather<'a>(&'a self, _: &'a CallContext, _: &'a ProfileCreated) -> Pending<'a, ()> {
        nothing()
    }

    fn apply<'a>(
        &'a self,
        _: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a ProfileCreated,
        (): (),
    ) -> Pending<'a, ()> {
        Box::pin(async { Ok(store::put_person(tx.conn(), &event.profile).await?) })
    }
}

impl Subscriber<ProfileChanged> for Finder {
    type Gathered = ();

    fn gather<'a>(&'a self, _: &'a CallContext, _: &'a ProfileChanged) -> Pending<'a, ()> {
        nothing()
    }

    fn apply<'a>(
        &'a self,
        _: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a ProfileChanged,
        (): (),
    ) -> Pending<'a, ()> {
        Box::pin(async { Ok(store::put_person(tx.conn(), &event.profile).await?) })
    }
}

impl Subscriber<ProfileDeleted> for Finder {
    type Gathered = ();

    fn gather<'a>(&'a self, _: &'a CallContext, _: &'a ProfileDeleted) -> Pending<'a, ()> {
        nothing()
    }

    fn apply<'a>(
        &'a self,
        _: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a ProfileDeleted,
        (): (),
    ) -> Pending<'a, ()> {
        Box::pin(async { Ok(store::forget_person(tx.conn(), event.id).await?) })
    }
}

impl Subscriber<PhotoPosted> for Finder {
    type Gathered = ();

    fn gather<'a>(&'a self, _: &'a CallContext, _: &'a PhotoPosted) -> Pending<'a, ()> {
        nothing()
    }

    fn apply<'a>(
        &'a self,
        _: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a PhotoPosted,
        (): (),
    ) -> Pending<'a, ()> {
        Box::pin(async { Ok(store::put_photo(tx.conn(), &event.photo).await?) })
    }
}

impl Subscriber<PhotoDeleted> for Finder {
    type Gathered = ();

    fn gather<'a>(&'a self, _: &'a CallContext, _: &'a PhotoDeleted) -> Pending<'a, ()> {
        nothing()
    }

    fn apply<'a>(
        &'a self,
        _: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a PhotoDeleted,
        (): (),
    ) -> Pending<'a, ()> {
        Box::pin(async { Ok(store::forget_photo(tx.conn(), event.id).await?) })
    }
}

/// Every event carries what the index needs: nobody has to be asked.
fn nothing<'a>() -> Pending<'a, ()> {
    Box::pin(std::future::ready(Ok(())))
}
