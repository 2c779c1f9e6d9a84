//! The REST face.
//!
//! A page is `{"items":[{"photo":{..},"author_name","author_handle"}],"next"}`;
//! `next` is the cursor of the page after it and absent on the last.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use component::web::{self, AuthenticatedCaller, Caller, Page, PageRequest, PathParam, RestResult};
use component::{Parameter, Route};
use contract::Answer;
use feed_api::{FeedItem, FeedPage, HomeFeed, PhotosOf};
use profile_api::UserId;

use crate::Feed;

/// What it answers, as the gateway knows it.
pub const ROUTES: &[Route] = &[
    Route::read("GET", "/v1/feed")
        .authenticated()
        .summary("What those one follows have posted, newest first")
        .query_parameters(web::PAGE)
        .answers::<Page<FeedItem>>(200),
    Route::read("GET", "/v1/users/{id}/photos")
        .summary("What a user has posted, newest first")
        .path_parameters(&[USER])
        .query_parameters(web::PAGE)
        .answers::<Page<FeedItem>>(200),
];

const USER: Parameter = Parameter::of::<UserId>("id", "Whose");

/// The routes over the component.
pub fn router(feed: Arc<Feed>) -> Router {
    Router::new().route("/v1/feed", get(home)).route("/v1/users/{id}/photos", get(photos)).with_state(feed)
}

type Component = State<Arc<Feed>>;

async fn home(
    State(feed): Component,
    AuthenticatedCaller(cx, user): AuthenticatedCaller,
    paging: PageRequest,
) -> RestResult<Json<Page<FeedItem>>> {
    let call = HomeFeed { user, after: paging.after()?, limit: paging.limit };
    Ok(Json(page(feed.answer(&cx, call).await?)))
}

async fn photos(
    State(feed): Component,
    Caller(cx): Caller,
    PathParam(id): PathParam,
    paging: PageRequest,
) -> RestResult<Json<Page<FeedItem>>> {
    let call = PhotosOf { user: web::parse_id("id", &id)?, after: paging.after()?, limit: paging.limit };
    Ok(Json(page(feed.answer(&cx, call).await?)))
}

fn page(page: FeedPage) -> Page<FeedItem> {
    Page { items: page.items, next: page.next.map(|position| web::encode_cursor(&position)) }
}
