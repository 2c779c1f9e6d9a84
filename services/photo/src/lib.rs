//! Photos: pictures that are really decoded, their metadata, and who likes them.
//!
//! - [`album`]: what can be done with a photo; start here.
//! - [`picture`]: bytes to a checked picture and its thumbnail; bombs are refused unopened.
//! - [`decode_pool`]: decodes pictures off the async threads, a limited number at a time. `turns`: of one author only half of these.
//!   `decoding_memory`: what a decoder holds; `lossless_codes`, `bit_reader`: of the codes of a lossless WebP.
//! - [`captions`]: what a caption and tags look like.
//! - [`events`]: what happens when an account goes.
//! - [`store`]: tables and queries.
//! - [`sweep`]: bytes without a photo are removed.
//! - [`routes`]: the REST face.
//!
//! Bytes go to the object store before the row that names them, so a crash
//! leaves an orphan and never a dangling row. They outlive the row by a minute or two, or by the time that it takes to
//! remove a thousand each second: contents are shared by hash, and another upload of the same bytes may be under way.

use std::sync::Arc;

use axum::Router;
use component::{OpenError, Service, ServiceContext};
use contract::{ComponentName, Topic};
use futures_util::FutureExt;
use history::History;
use photo_api::{PhotoDeleted, PhotoPosted, PhotosByIds};
use profile_api::ProfileDeleted;

pub mod album;
mod bit_reader;
pub mod captions;
pub mod decode_pool;
mod decoding_memory;
pub mod events;
mod lossless_codes;
pub mod picture;
pub mod routes;
pub mod store;
pub mod sweep;
mod turns;

pub use album::Album;

/// The component's name.
pub const NAME: ComponentName = ComponentName::of("photo");

/// Its line in the catalogue.
pub static SERVICE: Service<History> = Service {
    name: NAME,
    routes: routes::ROUTES,
    publishes: &[Topic::of::<PhotoPosted>(), Topic::of::<PhotoDeleted>()],
    consumes: &[Topic::of::<ProfileDeleted>()],
    calls: &[],
    migrations: store::MIGRATIONS,
    open: |context| open(context).boxed(),
    load: |tx, history| store::load(tx, history).boxed(),
    digest: |db| store::digest(db).boxed(),
};

async fn open(context: &ServiceContext) -> Result<Router, OpenError> {
    let album = Album::open(context)
        .map(Arc::new)
        .map_err(|source| OpenError::Refused { component: NAME, source })?;
    context.answer::<PhotosByIds, _>(&album);
    context.subscribe::<ProfileDeleted, _>(&album);
    sweep::start(context, &album);
    Ok(routes::router(album))
}
