//! Who follows whom: edges both ways, counted.
//!
//! - [`graph`]: what can be asked of the edges and done to them; start here.
//! - [`events`]: a deleted account takes its edges along.
//! - [`store`]: tables and queries.
//! - [`routes`]: the REST face.

use std::sync::Arc;

use axum::Router;
use component::{OpenError, Service, ServiceContext};
use contract::{Call, ComponentName, Topic};
use follower_api::{CountsOf, Followed, FollowersOf, PopularFollowedBy, Unfollowed};
use futures_util::FutureExt;
use history::History;
use profile_api::{ProfileDeleted, ProfilesByIds};

pub mod events;
pub mod graph;
pub mod routes;
pub mod store;

use graph::Graph;

/// The component's name.
pub const NAME: ComponentName = ComponentName::of("follower");

/// Its line in the catalogue.
pub static SERVICE: Service<History> = Service {
    name: NAME,
    routes: routes::ROUTES,
    publishes: &[Topic::of::<Followed>(), Topic::of::<Unfollowed>()],
    consumes: &[Topic::of::<ProfileDeleted>()],
    calls: &[ProfilesByIds::COMPONENT],
    migrations: store::MIGRATIONS,
    open: |context| open(context).boxed(),
    load: |tx, history| store::load(tx, history).boxed(),
    digest: |db| store::digest(db).boxed(),
};

async fn open(context: &ServiceContext) -> Result<Router, OpenError> {
    let graph = Arc::new(Graph::open(context));
    context.answer::<FollowersOf, _>(&graph);
    context.answer::<CountsOf, _>(&graph);
    context.answer::<PopularFollowedBy, _>(&graph);
    context.subscribe::<ProfileDeleted, _>(&graph);
    Ok(routes::router(graph))
}
