//! The REST face.
//!
//! `PUT` and `DELETE .../follow` answer `{"user","following","followers"}`; the
//! lists answer `{"items":[{"id","handle","name"}],"next","followers","following"}`
//! by ascending id.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, put};
use axum::{Json, Router};
use component::web::{self, AuthenticatedWriter, Caller, PageRequest, PathParam, RestResult};
use component::{Parameter, Route};
use profile_api::UserId;

use crate::graph::{Following, Graph, People};
use crate::store::Direction;

/// What it answers, as the gateway knows it.
pub const ROUTES: &[Route] = &[
    Route::read("PUT", "/v1/users/{id}/follow")
        .authenticated()
        .summary("Follow a user")
        .path_parameters(&[USER])
        .answers::<Following>(200),
    Route::read("DELETE", "/v1/users/{id}/follow")
        .authenticated()
        .summary("Stop following a user")
        .path_parameters(&[USER])
        .answers::<Following>(200),
    Route::read("GET", "/v1/users/{id}/followers")
        .summary("Who follows a user")
        .path_parameters(&[USER])
        .query_parameters(web::PAGE)
        .answers::<People>(200),
    Route::read("GET", "/v1/users/{id}/following")
        .summary("Whom a user follows")
        .path_parameters(&[USER])
        .query_parameters(web::PAGE)
        .answers::<People>(200),
];

const USER: Parameter = Parameter::of::<UserId>("id", "Which user");

/// The routes over the component.
pub fn router(graph: Arc<Graph>) -> Router {
    Router::new()
        .route("/v1/users/{id}/follow", put(follow).delete(unfollow))
        .route("/v1/users/{id}/followers", get(followers))
        .route("/v1/users/{id}/following", get(following))
        .with_state(graph)
}

type Component = State<Arc<Graph>>;

async fn follow(
    State(graph): Component,
    AuthenticatedWriter(cx, me): AuthenticatedWriter,
    PathParam(id): PathParam,
) -> RestResult<Json<Following>> {
    Ok(Json(graph.follow(&cx, me, web::parse_id("id", &id)?).await?))
}

async fn unfollow(
    State(graph): Component,
    AuthenticatedWriter(cx, me): AuthenticatedWriter,
    PathParam(id): PathParam,
) -> RestResult<Json<Following>> {
    Ok(Json(graph.unfollow(&cx, me, web::parse_id("id", &id)?).await?))
}

async fn followers(
    State(graph): Component,
    Caller(cx): Caller,
    PathParam(id): PathParam,
    paging: PageRequest,
) -> RestResult<Json<People>> {
    Ok(Json(graph.people(&cx, web::parse_id("id", &id)?, Direction::In, &paging).await?))
}

async fn following(
    State(graph): Component,
    Caller(cx): Caller,
    PathParam(id): PathParam,
    paging: PageRequest,
) -> RestResult<Json<People>> {
    Ok(Json(graph.people(&cx, web::parse_id("id", &id)?, Direction::Out, &paging).await?))
}
