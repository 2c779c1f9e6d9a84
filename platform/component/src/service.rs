//! A line of the catalogue.

use axum::Router;
use contract::{ComponentName, Refusal, Topic};
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use storage::{Database, Migration, StorageError, Tx};

use crate::ServiceContext;
use crate::operation::{Content, Operation, Parameter};

/// A public route, as the gateway's table and the metrics know it.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// `GET`, `POST`, ...
    pub method: &'static str,
    /// Template under `/v1`, parameters in braces: `/v1/users/{id}/photos`.
    pub path: &'static str,
    /// Largest request body, bytes; 0 where none is read.
    pub max_body: u64,
    /// Longest useful wait, milliseconds.
    pub deadline_ms: u64,
    /// Whether it takes a user's token: the door reads no body of a request without one.
    pub authenticated: bool,
    /// What a client may send and what it gets.
    pub operation: Operation,
}

impl Route {
    /// A route that reads no body and answers within 2 s or not at all.
    pub const fn read(method: &'static str, path: &'static str) -> Self {
        Self {
            method,
            path,
            max_body: 0,
            deadline_ms: 2_000,
            authenticated: false,
            operation: Operation::EMPTY,
        }
    }

    /// A route that reads a small JSON body.
    pub const fn write(method: &'static str, path: &'static str) -> Self {
        Self { max_body: 64 * 1024, ..Self::read(method, path) }
    }

    /// A route that takes a file.
    pub const fn upload(method: &'static str, path: &'static str, max_body: u64) -> Self {
        Self { max_body, deadline_ms: 10_000, ..Self::read(method, path) }
    }

    /// The same, for users with a token alone.
    #[must_use]
    pub const fn authenticated(self) -> Self {
        Self { authenticated: true, ..self }
    }

    /// What it does, in a few words.
    #[must_use]
    pub const fn summary(self, summary: &'static str) -> Self {
        Self { operation: Operation { summary, ..self.operation }, ..self }
    }

    /// The parts of its path.
    #[must_use]
    pub const fn path_parameters(self, path: &'static [Parameter]) -> Self {
        Self { operation: Operation { path, ..self.operation }, ..self }
    }

    /// What its query may hold.
    #[must_use]
    pub const fn query_parameters(self, query: &'static [Parameter]) -> Self {
        Self { operation: Operation { query, ..self.operation }, ..self }
    }

    /// Takes a JSON document.
    #[must_use]
    pub const fn takes<T: JsonSchema>(self) -> Self {
        Self { operation: self.operation.taking::<T>(), ..self }
    }

    /// Takes bytes of one of these media types.
    #[must_use]
    pub const fn takes_bytes(self, media_types: &'static [&'static str]) -> Self {
        Self { operation: Operation { takes: Content::Bytes(media_types), ..self.operation }, ..self }
    }

    /// Answers with a JSON document and this status.
    #[must_use]
    pub const fn answers<T: JsonSchema>(self, status: u16) -> Self {
        Self { operation: self.operation.answering::<T>(status), ..self }
    }

    /// Answers 200 with bytes of one of these media types.
    #[must_use]
    pub const fn answers_bytes(self, media_types: &'static [&'static str]) -> Self {
        let operation = Operation { status: 200, answers: Content::Bytes(media_types), ..self.operation };
        Self { operation, ..self }
    }
}

/// One service, as the catalogue lists it. `H` is the history its tables are
/// loaded from; this room does not know what is in it.
pub struct Service<H: 'static> {
    /// The component's name; also its table prefix and its `service.name`.
    pub name: ComponentName,
    /// Public routes it answers.
    pub routes: &'static [Route],
    /// Topics it publishes.
    pub publishes: &'static [Topic],
    /// Topics it consumes.
    pub consumes: &'static [Topic],
    /// Components it may call, for maps and for the edges a topology has.
    pub calls: &'static [&'static str],
    /// Its tables.
    pub migrations: &'static [Migration],
    /// Opens it: registers answers and subscriptions, returns its REST face.
    pub open: for<'a> fn(&'a ServiceContext) -> BoxFuture<'a, Result<Router, OpenError>>,
    /// Fills its tables in key order, inside one transaction.
    pub load: for<'a> fn(&'a mut Tx, &'a H) -> BoxFuture<'a, Result<(), StorageError>>,
    /// What it keeps, as one digest that leaves wall-clock fields out: equal
    /// in every topology after the same trace.
    pub digest: for<'a> fn(&'a Database) -> BoxFuture<'a, Result<u64, StorageError>>,
}

/// Why a service did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its database did not.
    #[error("the database of `{component}` did not open")]
    Storage {
        /// Whose.
        component: ComponentName,
        /// Why.
        #[source]
        source: StorageError,
    },
    /// Something it needs refused.
    #[error("`{component}` could not start")]
    Refused {
        /// Which component.
        component: ComponentName,
        /// Why.
        #[source]
        source: Refusal,
    },
}
