//! Photos by caption and tags, people by name: a full-text index built from other components' events.
//!
//! - [`finder`]: what can be looked for; start here.
//! - [`events`]: what goes into the index and out of it.
//! - [`store`]: the rows behind the index.
//! - [`dialect`]: full text in the words of SQLite and of PostgreSQL.
//! - [`routes`]: the REST face.
//!
//! Events come from two components, in no guaranteed order.
//! Versions and a memory of the deleted make the index the same in any order.

use std::sync::Arc;

use axum::Router;
use component::{OpenError, Service, ServiceContext};
use contract::{ComponentName, Topic};
use futures_util::FutureExt;
use history::History;
use photo_api::{PhotoDeleted, PhotoPosted};
use profile_api::{ProfileChanged, ProfileCreated, ProfileDeleted};
use search_api::{FindPeople, FindPhotos};

pub mod dialect;
pub mod events;
pub mod finder;
pub mod routes;
pub mod store;

use finder::Finder;

/// The component's name.
pub const NAME: ComponentName = ComponentName::of("search");

/// Its line in the catalogue.
pub static SERVICE: Service<History> = Service {
    name: NAME,
    routes: routes::ROUTES,
    publishes: &[],
    consumes: &[
        Topic::of::<PhotoPosted>(),
        Topic::of::<PhotoDeleted>(),
        Topic::of::<ProfileCreated>(),
        Topic::of::<ProfileChanged>(),
        Topic::of::<ProfileDeleted>(),
    ],
    calls: &[],
    migrations: store::MIGRATIONS,
    open: |context| open(context).boxed(),
    load: |tx, history| store::load(tx, history).boxed(),
    digest: |db| store::digest(db).boxed(),
};

async fn open(context: &ServiceContext) -> Result<Router, OpenError> {
    let finder = Arc::new(Finder::open(context));
    context.answer::<FindPhotos, _>(&finder);
    context.answer::<FindPeople, _>(&finder);
    context.subscribe::<PhotoPosted, _>(&finder);
    context.subscribe::<PhotoDeleted, _>(&finder);
    context.subscribe::<ProfileCreated, _>(&finder);
    context.subscribe::<ProfileChanged, _>(&finder);
    context.subscribe::<ProfileDeleted, _>(&finder);
    Ok(routes::router(finder))
}
