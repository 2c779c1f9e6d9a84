//! The REST face: `GET /v1/search?q=WORDS&in=photos|people`.
//!
//! It answers `{"items":[..],"next"}`, photos as `{"id","author","caption"}`,
//! people as `{"id","handle","name"}`; without `in` it looks for photos. The
//! cursor counts the hits before the page: hits that come or go meanwhile may
//! shift the next one, since ranks depend on the whole index.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use component::web::{self, Caller, Page, PageRequest, RefusalResponse, RestResult, encode_cursor};
use component::{Parameter, Route};
use contract::Refusal;
use http::request::Parts;
use schemars::JsonSchema;
use search_api::{PersonHit, PhotoHit};
use serde::{Deserialize, Serialize};

use crate::dialect::PageRange;
use crate::finder::{Finder, OFFSET_MAX};

/// What it answers, as the gateway knows it.
pub const ROUTES: &[Route] = &[Route::read("GET", "/v1/search")
    .summary("Photos by words of their captions and tags, or people by name and handle; best match first")
    .query_parameters(QUERY)
    .answers::<Found>(200)];

const QUERY: &[Parameter] = &[
    Parameter::of::<String>("q", "Words, separated by spaces").required(),
    Parameter::of::<Among>("in", "Among what to look; photos unless given"),
    web::PAGE[0],
    web::PAGE[1],
];

/// The routes over the component.
pub fn router(finder: Arc<Finder>) -> Router {
    Router::new().route("/v1/search", get(search)).with_state(finder)
}

/// Among what to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(inline, rename_all = "lowercase")]
enum Among {
    Photos,
    People,
}

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum Found {
    Photos(Page<PhotoHit>),
    People(Page<PersonHit>),
}

struct Question {
    words: String,
    among: Among,
}

impl<S: Send + Sync> FromRequestParts<S> for Question {
    type Rejection = RefusalResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, RefusalResponse> {
        #[derive(Deserialize)]
        struct Fields {
            #[serde(default)]
            q: String,
            r#in: Option<String>,
        }
        let Query(fields) = Query::<Fields>::from_request_parts(parts, state)
            .await
            .map_err(|why| Refusal::bad_request("query_invalid", why.body_text()))?;
        let among = match fields.r#in.as_deref() {
            None | Some("photos") => Among::Photos,
            Some("people") => Among::People,
            Some(_) => return Err(Refusal::bad_request("in_invalid", "`in` is `photos` or `people`").into()),
        };
        Ok(Self { words: fields.q, among })
    }
}

async fn search(
    State(finder): State<Arc<Finder>>,
    _: Caller,
    question: Question,
    paging: PageRequest,
) -> RestResult<Json<Found>> {
    let offset = paging.after::<u32>()?.unwrap_or(0);
    if offset > OFFSET_MAX {
        return Err(
            Refusal::bad_request("cursor_invalid", "pass `next` of the previous page, unchanged").into()
        );
    }
    let range = PageRange { offset, limit: paging.limit + 1 };
    Ok(Json(match question.among {
        Among::Photos => {
            Found::Photos(page(finder.photos(&question.words, range).await?, offset, paging.limit))
        }
        Among::People => {
            Found::People(page(finder.people(&question.words, range).await?, offset, paging.limit))
        }
    }))
}

fn page<T>(mut items: Vec<T>, offset: u32, limit: u32) -> Page<T> {
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next =
        Some(offset + limit).filter(|next| more && *next <= OFFSET_MAX).map(|next| encode_cursor(&next));
    Page { items, next }
}
