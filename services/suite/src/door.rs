//! The public door of a node: the gateway, with the routes of the whole application and their contract.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use component::openapi;
use contract::ComponentName;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gateway::{Gateway, RouteTable, Upstream};
use node::{GatewayContext, GatewayFactory, PublicGateway};
use runtime::Tasks;
use serde_json::Value;
use transport::serve::{self, Listener, Server};

use crate::catalogue::{self, CATALOGUE};

/// The routes of the whole application, as the gateway's table has them.
pub fn route_table() -> RouteTable {
    let routes = CATALOGUE.iter().flat_map(|service| {
        service.routes.iter().map(|route| {
            let mut entry = gateway::Route::new(route.method, route.path, service.name);
            entry.deadline_ms = route.deadline_ms;
            entry.max_body = route.max_body;
            entry.authenticated = route.authenticated;
            entry
        })
    });
    let mut contract = gateway::Route::new("GET", openapi::PATH, ComponentName::GATEWAY);
    contract.max_body = 0;
    RouteTable { routes: routes.chain([contract]).collect() }
}

/// The contract of all routes, as an OpenAPI document.
pub fn contract() -> Value {
    openapi::document(CATALOGUE.iter().map(|service| (service.name.as_str(), service.routes)))
}

/// Serves the contract.
fn contract_router() -> Router {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| contract().to_string().into());
    let answer = || async { ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone()) };
    Router::new().route(openapi::PATH, get(answer))
}

/// Leads to every service of the catalogue: those here are called, the others forwarded to.
pub struct FrontDoor;

impl GatewayFactory for FrontDoor {
    fn upstreams(&self) -> Vec<ComponentName> {
        catalogue::components()
    }

    fn open(&self, site: GatewayContext) -> Result<Box<dyn PublicGateway>, String> {
        let mut options = gateway::Options::new(site.token);
        options.policies = site.policies;
        options.faults = site.faults;
        options.request_bytes = site.request_bytes;
        options.clients = site.clients;
        options.authorize = site.identity.map(|identity| -> gateway::Authorize {
            Arc::new(move |fields: &HeaderMap| component::web::authenticate(&identity, fields))
        });
        let (hosts, rest, clusters) = (site.hosts, site.rest, site.clusters);
        let find = move |component: ComponentName| {
            Some(if component == ComponentName::GATEWAY {
                Upstream::Local(contract_router())
            } else if hosts.contains(&component) {
                Upstream::Local(rest.clone())
            } else {
                Upstream::Cluster(clusters.get(component))
            })
        };
        let gateway = Gateway::new(options, route_table(), find)
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
        Ok(Box::new(Open(gateway)))
    }
}

struct Open(Gateway);

impl PublicGateway for Open {
    fn admin(&self) -> Router {
        self.0.admin(None)
    }

    fn serve(&self, tasks: &Tasks, listener: Listener, options: serve::Options) -> Server {
        self.0.serve(tasks, listener, options)
    }

    fn reset_edges(&self) {
        self.0.reset_edges();
    }

    fn drain(&self) -> BoxFuture<'_, ()> {
        self.0.drain().map(drop).boxed()
    }
}
