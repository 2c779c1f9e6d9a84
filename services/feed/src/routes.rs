//! The REST face.
//!
//! A page is `{"items":[{"photo":{..},"author_name","author_handle"}],"next"}`;
//! `next` is the cursor of the page after it and absent on the last.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use component::Route;
use component::web::{self, Answered, Asker, Member, Page, Paging, Param};
use contract::Answer;
use feed_api::{FeedItem, FeedPage, HomeFeed, PhotosOf};

use crate::Feed;

/// What it answers, as the gateway knows it.
pub const ROUTES: &[Route] = &[Route::read("GET", "/v1/feed"), Route::read("GET", "/v1/users/{id}/photos")];

/// The routes over the component.
pub fn router(feed: Arc<Feed>) -> Router {
    Router::new().route("/v1/feed", get(home)).route("/v1/users/{id}/photos", get(photos)).with_state(feed)
}

type Component = State<Arc<Feed>>;

async fn home(
    State(feed): Component,
    Member(cx, user): Member,
    paging: Paging,
) -> Answered<Json<Page<FeedItem>>> {
    let call = HomeFeed { user, after: paging.after()?, limit: paging.limit };
    Ok(Json(page(feed.answer(&cx, call).await?)))
}

async fn photos(
    State(feed): Component,
    Asker(cx): Asker,
    Param(id): Param,
    paging: Paging,
) -> Answered<Json<Page<FeedItem>>> {
    let call = PhotosOf { user: web::id("id", &id)?, after: paging.after()?, limit: paging.limit };
    Ok(Json(page(feed.answer(&cx, call).await?)))
}

fn page(page: FeedPage) -> Page<FeedItem> {
    Page { items: page.items, next: page.next.map(|position| web::seal(&position)) }
}
