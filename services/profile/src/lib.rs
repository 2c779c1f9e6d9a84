//! Accounts: who is who, under which handle, and who may speak for them.
//!
//! - [`accounts`]: what can be done with an account; start here.
//! - [`passwords`]: argon2id, a few at a time, off the async threads. `hashing_memory`: what it works in.
//! - [`log_in_limit`]: wrong passwords are limited, by account and by address.
//! - [`rules`]: what a handle, a name, a bio and a password look like.
//! - [`store`]: tables and queries.
//! - [`routes`]: the REST face.
//!
//! A handle is given once and never again, and a user's id follows from it, so
//! ids never come back either: what others remember of a deleted account can
//! not fall on a stranger.

use std::sync::Arc;

use axum::Router;
use component::{OpenError, Service, ServiceContext};
use contract::{ComponentName, Topic};
use futures_util::FutureExt;
use history::History;
use profile_api::{ProfileChanged, ProfileCreated, ProfileDeleted, ProfilesByIds};

pub mod accounts;
mod hashing_memory;
pub mod log_in_limit;
pub mod passwords;
pub mod routes;
pub mod rules;
pub mod store;

use accounts::Accounts;

/// The component's name.
pub const NAME: ComponentName = ComponentName::of("profile");

/// Its line in the catalogue.
pub static SERVICE: Service<History> = Service {
    name: NAME,
    routes: routes::ROUTES,
    publishes: &[Topic::of::<ProfileCreated>(), Topic::of::<ProfileChanged>(), Topic::of::<ProfileDeleted>()],
    consumes: &[],
    calls: &[],
    migrations: store::MIGRATIONS,
    open: |context| open(context).boxed(),
    load: |tx, history| store::load(tx, history).boxed(),
    digest: |db| store::digest(db).boxed(),
};

async fn open(context: &ServiceContext) -> Result<Router, OpenError> {
    let accounts = Accounts::open(context)
        .map(Arc::new)
        .map_err(|source| OpenError::Refused { component: NAME, source })?;
    context.answer::<ProfilesByIds, _>(&accounts);
    Ok(routes::router(accounts))
}
