//! The REST face.
//!
//! A profile is `{"id","handle","name","bio","version"}`; a session is
//! `{"token","user":<profile>}`.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use component::web::{self, AuthenticatedWriter, Caller, JsonBody, PathParam, RestResult};
use component::{Parameter, Route};
use http::{HeaderMap, StatusCode};
use profile_api::{Profile, UserId};

use crate::accounts::{Accounts, Credentials, Edit, NewAccount, Session};

/// What it answers, as the gateway knows it.
pub const ROUTES: &[Route] = &[
    Route::write("POST", "/v1/users")
        .summary("Open an account")
        .takes::<NewAccount>()
        .answers::<Session>(201),
    Route::write("POST", "/v1/sessions").summary("Log in").takes::<Credentials>().answers::<Session>(200),
    Route::read("GET", "/v1/users/{id}")
        .summary("A profile")
        .path_parameters(&[USER])
        .answers::<Profile>(200),
    Route::read("GET", "/v1/users/by-handle/{handle}")
        .summary("The profile of a handle")
        .path_parameters(&[HANDLE])
        .answers::<Profile>(200),
    Route::write("PATCH", "/v1/users/me")
        .authenticated()
        .summary("Change one's own profile")
        .takes::<Edit>()
        .answers::<Profile>(200),
    Route::read("DELETE", "/v1/users/me").authenticated().summary("Delete one's own account"),
];

const HANDLE: Parameter = Parameter::of::<String>("handle", "Whose");
const USER: Parameter = Parameter::of::<UserId>("id", "Whose");

/// The routes over the component.
pub fn router(accounts: Arc<Accounts>) -> Router {
    Router::new()
        .route("/v1/users", post(sign_up))
        .route("/v1/sessions", post(log_in))
        .route("/v1/users/me", patch(edit).delete(delete))
        .route("/v1/users/{id}", get(by_id))
        .route("/v1/users/by-handle/{handle}", get(by_handle))
        .layer(DefaultBodyLimit::max(ROUTES[0].max_body as usize))
        .with_state(accounts)
}

type Component = State<Arc<Accounts>>;

async fn sign_up(
    State(accounts): Component,
    Caller(cx): Caller,
    headers: HeaderMap,
    JsonBody(new): JsonBody<NewAccount>,
) -> RestResult<(StatusCode, Json<Session>)> {
    Ok((StatusCode::CREATED, Json(accounts.sign_up(&cx, new, address(&headers)).await?)))
}

async fn log_in(
    State(accounts): Component,
    Caller(cx): Caller,
    headers: HeaderMap,
    JsonBody(credentials): JsonBody<Credentials>,
) -> RestResult<Json<Session>> {
    Ok(Json(accounts.log_in(&cx, credentials, address(&headers)).await?))
}

/// The client's address, written by the gateway in place of whatever its client claimed.
fn address(headers: &HeaderMap) -> &str {
    let address = headers.get(transport::sanitize::FORWARDED_FOR).and_then(|value| value.to_str().ok());
    address.unwrap_or_default()
}

async fn by_id(State(accounts): Component, _: Caller, PathParam(id): PathParam) -> RestResult<Json<Profile>> {
    Ok(Json(accounts.by_id(web::parse_id("id", &id)?).await?))
}

async fn by_handle(
    State(accounts): Component,
    _: Caller,
    PathParam(handle): PathParam,
) -> RestResult<Json<Profile>> {
    Ok(Json(accounts.by_handle(&handle).await?))
}

async fn edit(
    State(accounts): Component,
    AuthenticatedWriter(cx, me): AuthenticatedWriter,
    JsonBody(edit): JsonBody<Edit>,
) -> RestResult<Json<Profile>> {
    Ok(Json(accounts.edit(&cx, me, edit).await?))
}

async fn delete(
    State(accounts): Component,
    AuthenticatedWriter(cx, me): AuthenticatedWriter,
) -> RestResult<StatusCode> {
    accounts.delete(&cx, me).await?;
    Ok(StatusCode::NO_CONTENT)
}
