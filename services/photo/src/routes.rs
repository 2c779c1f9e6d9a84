//! The REST face.
//!
//! A photo is `{"id","author","caption","tags","width","height","bytes","likes","posted_us"}`;
//! one by one it comes with `"version"` and, for a known asker, `"liked"`. A like
//! answers `{"likes","version","liked"}`.

use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use bytes::{Bytes, BytesMut};
use component::web::{self, AuthenticatedWriter, Caller, PathParam, RefusalResponse, RestResult};
use component::{Parameter, Route};
use contract::{CallContext, Refusal, RefusalKind};
use futures_util::stream;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use photo_api::{Photo, PhotoId};
use runtime::cost::{self, Part};
use serde::Deserialize;
use storage::BlobReader;
use storage::blob_reader::CHUNK_BYTES;
use transport::SizedBody;

use crate::Album;
use crate::album::{Liking, Upload, View};
use crate::picture::{Format, MEDIA_TYPES};

/// Largest original, bytes: more than any camera's JPEG.
const MAX_BYTES: u64 = 16 << 20;
/// Most bytes read of a body that is too long, before the connection is cut.
const LINGER_BYTES: u64 = 64 << 20;

/// What it answers, as the gateway knows it.
pub const ROUTES: &[Route] = &[
    Route::upload("POST", "/v1/photos", MAX_BYTES)
        .authenticated()
        .summary("Post a photo")
        .query_parameters(ABOUT)
        .takes_bytes(MEDIA_TYPES)
        .answers::<Photo>(201),
    Route::read("GET", "/v1/photos/{id}")
        .summary("A photo's metadata")
        .path_parameters(&[PHOTO])
        .answers::<View>(200),
    Route::read("DELETE", "/v1/photos/{id}")
        .authenticated()
        .summary("Delete one's own photo")
        .path_parameters(&[PHOTO]),
    Route::read("GET", "/v1/photos/{id}/thumbnail")
        .summary("A photo's thumbnail")
        .path_parameters(&[PHOTO])
        .answers_bytes(&["image/jpeg"]),
    Route::read("GET", "/v1/photos/{id}/original")
        .summary("A photo as it was posted")
        .path_parameters(&[PHOTO])
        .answers_bytes(MEDIA_TYPES),
    Route::read("PUT", "/v1/photos/{id}/like")
        .authenticated()
        .summary("Like a photo")
        .path_parameters(&[PHOTO])
        .answers::<Liking>(200),
    Route::read("DELETE", "/v1/photos/{id}/like")
        .authenticated()
        .summary("Take a like back")
        .path_parameters(&[PHOTO])
        .answers::<Liking>(200),
];

const ABOUT: &[Parameter] = &[
    Parameter::of::<String>("caption", "At most 500 characters"),
    Parameter::of::<String>("tags", "At most 10 words, separated by commas"),
];
const PHOTO: Parameter = Parameter::of::<PhotoId>("id", "Which photo");

/// The routes over the component.
pub fn router(album: Arc<Album>) -> Router {
    Router::new()
        .route("/v1/photos", post(post_photo))
        .route("/v1/photos/{id}", get(view).delete(delete))
        .route("/v1/photos/{id}/thumbnail", get(thumbnail))
        .route("/v1/photos/{id}/original", get(original))
        .route("/v1/photos/{id}/like", put(like).delete(unlike))
        .with_state(album)
}

type Component = State<Arc<Album>>;

/// Metadata of an upload.
#[derive(Deserialize)]
struct UploadMetadata {
    #[serde(default)]
    caption: String,
    #[serde(default)]
    tags: String,
}

async fn post_photo(
    State(album): Component,
    AuthenticatedWriter(cx, me): AuthenticatedWriter,
    about: Result<Query<UploadMetadata>, QueryRejection>,
    request: Request,
) -> RestResult<(StatusCode, [(http::HeaderName, String); 1], Json<Photo>)> {
    let Query(about) = about.map_err(|why| Refusal::bad_request("query_invalid", why.body_text()))?;
    let (parts, body) = request.into_parts();
    let length = body.size_hint().exact();
    // Of one that is too long nothing is kept, and of one of unknown length perhaps as much as may be.
    let kept = length.map_or(MAX_BYTES, |length| if length > MAX_BYTES { 0 } else { length });
    let _permit = album.decode_pool.admit(&cx, kept).await?;
    let bytes = whole(&cx, body).await?;
    let declared = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let format = Format::checked(declared, &bytes)?;
    let upload = Upload { format, bytes, caption: about.caption, tags: about.tags };
    let photo = album.post(&cx, me, upload).await?;
    Ok((StatusCode::CREATED, [(LOCATION, format!("/v1/photos/{}", photo.id))], Json(photo)))
}

/// The whole body, if it is not too long and comes in time. One that is too
/// long is read on for a while and dropped: a client that is still sending when
/// the connection closes may never see the answer (RFC 9112, section 9.6).
async fn whole(cx: &CallContext, mut body: Body) -> Result<Bytes, Refusal> {
    let reading = cost::part(Part::Transport, async {
        let (mut kept, mut seen) = (BytesMut::new(), 0);
        let mut is_too_long = body.size_hint().lower() > MAX_BYTES;
        while let Some(frame) = body.frame().await {
            let frame = frame
                .map_err(|_| Refusal::bad_request("body_incomplete", "the body broke off before its end"))?;
            let Ok(data) = frame.into_data() else { continue };
            seen += data.len() as u64;
            is_too_long |= seen > MAX_BYTES;
            if !is_too_long {
                kept.extend_from_slice(&data);
            } else if seen <= LINGER_BYTES {
                kept = BytesMut::new();
            } else {
                break;
            }
        }
        if is_too_long { Err(too_large()) } else { Ok(kept.freeze()) }
    });
    let read = tokio::time::timeout_at(cx.deadline.instant().into(), reading).await;
    read.unwrap_or_else(|_| Err(Refusal::too_late()))
}

fn too_large() -> Refusal {
    let sentence = format!("an original has at most {} MiB", MAX_BYTES >> 20);
    Refusal::new(RefusalKind::TooLarge, "photo_too_large", sentence)
}

fn photo_id(text: &str) -> Result<PhotoId, Refusal> {
    web::parse_id("id", text)
}

async fn view(
    State(album): Component,
    Caller(cx): Caller,
    PathParam(id): PathParam,
) -> RestResult<Json<View>> {
    Ok(Json(album.view(&cx, photo_id(&id)?).await?))
}

async fn thumbnail(
    State(album): Component,
    PathParam(id): PathParam,
    headers: HeaderMap,
) -> RestResult<Response> {
    let files = album.files(photo_id(&id)?).await?;
    file(&album, &headers, &files.thumbnail, Format::Jpeg.media_type()).await
}

async fn original(
    State(album): Component,
    PathParam(id): PathParam,
    headers: HeaderMap,
) -> RestResult<Response> {
    let files = album.files(photo_id(&id)?).await?;
    file(&album, &headers, &files.original, &files.media_type).await
}

/// Bytes that never change under their key, which is their `ETag` (RFC 9110, section 8.8.3).
async fn file(
    album: &Album,
    headers: &HeaderMap,
    key: &str,
    media_type: &str,
) -> Result<Response, RefusalResponse> {
    let etag = format!("\"{key}\"");
    let cached = [
        (ETAG, etag.as_str()),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        // What a user sent is shown as what it was declared to be, and runs nothing: bytes can be a picture and a page.
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ];
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|list| list.split(',')).map(str::trim);
    // What a cache on the way has marked as weak is compared all the same (RFC 9110, section 13.1.2).
    if known.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag) {
        return Ok((StatusCode::NOT_MODIFIED, cached).into_response());
    }
    let body = streamed(album.bytes(key).await?).await?;
    Ok((cached, [(CONTENT_TYPE, media_type)], body).into_response())
}

/// A blob as a body: at once where it is short, else read from disk as fast as its reader takes it.
async fn streamed(mut blob: BlobReader) -> Result<Body, Refusal> {
    let length = blob.length();
    if length <= CHUNK_BYTES as u64 {
        let bytes = blob.next().await.map_err(|error| Refusal::internal(error.to_string()))?;
        return Ok(Body::from(bytes.unwrap_or_default()));
    }
    let pieces = stream::unfold(blob, |mut blob| async move {
        let piece = blob.next().await.transpose()?;
        Some((piece, blob))
    });
    Ok(Body::new(SizedBody::new(length, Box::pin(pieces))))
}

async fn like(
    State(album): Component,
    AuthenticatedWriter(cx, me): AuthenticatedWriter,
    PathParam(id): PathParam,
) -> RestResult<Json<Liking>> {
    Ok(Json(album.like(&cx, me, photo_id(&id)?, true).await?))
}

async fn unlike(
    State(album): Component,
    AuthenticatedWriter(cx, me): AuthenticatedWriter,
    PathParam(id): PathParam,
) -> RestResult<Json<Liking>> {
    Ok(Json(album.like(&cx, me, photo_id(&id)?, false).await?))
}

async fn delete(
    State(album): Component,
    AuthenticatedWriter(cx, me): AuthenticatedWriter,
    PathParam(id): PathParam,
) -> RestResult<StatusCode> {
    album.delete(&cx, me, photo_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
