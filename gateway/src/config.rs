//! The route table as it is written: what a client may ask for, and which component answers.

use std::collections::BTreeMap;
use std::fmt;

use contract::ComponentName;
use http::Method;
use serde::{Deserialize, Serialize};

/// First path segments that belong to the inside of the suite. They are never
/// public, whatever a table lists.
const INTERNAL_SEGMENTS: [&str; 5] = ["call", "outbox", "control", "metrics", "fault"];
/// Shortest and longest deadline of a route, milliseconds.
const DEADLINE_MS: std::ops::RangeInclusive<u64> = 1..=30_000;
/// Largest body a route may take, bytes.
const MAX_BODY_BYTES: u64 = 64 << 20;
/// Most copies of a route's requests that may be under way: as many as may wait for connections to one component.
const MAX_MIRRORED: u16 = 256;

/// All public routes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteTable {
    /// In any order: of two that match, the one with more literal segments wins.
    pub routes: Vec<Route>,
}

/// One public route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// `GET`, `POST`, ...; absent for any. `GET` answers `HEAD` as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Template with parameters in braces: `/v1/users/{id}/photos`. Also the label of its metrics.
    pub path: String,
    /// The component that answers.
    pub component: ComponentName,
    /// Longest useful wait, milliseconds, the request's body included.
    #[serde(default = "Route::default_deadline_ms")]
    pub deadline_ms: u64,
    /// Largest request body, bytes.
    #[serde(default = "Route::default_max_body")]
    pub max_body: u64,
    /// Whether it takes a user's token: without one no byte of a body is read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub authenticated: bool,
    /// Whether it asks for an API key, one of those that the operator's side has; without one no byte of a body is read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub api_key: bool,
    /// Whether the client's `Host` reaches the component; else it sees its own address.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub preserve_host: bool,
    /// Where copies of its requests go, for which no client waits: of reads alone, since a write would happen twice, and of
    /// those without a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Mirror>,
    /// Whether answers that its component explicitly allows others to have are kept and given again (RFC 9111): of reads alone,
    /// and in a build with the feature `response-cache`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cache: bool,
}

/// `{ "component": "photo", "percent": 10, "at_once": 8 }`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// The component that gets the copies, marked with `x-cleave-mirror`.
    pub component: ComponentName,
    /// How many of a hundred requests are copied.
    #[serde(default = "Mirror::default_percent")]
    pub percent: u8,
    /// Copies that are under way at once; requests beyond them are not copied.
    #[serde(default = "Mirror::default_at_once")]
    pub at_once: u16,
}

impl Mirror {
    fn default_percent() -> u8 {
        100
    }

    fn default_at_once() -> u16 {
        8
    }

    /// What is wrong with it on a route of this method: the field, and what to write instead.
    fn diagnostics(&self, method: Option<&str>) -> impl Iterator<Item = (&'static str, String)> {
        let is_read = matches!(method, Some("GET" | "HEAD"));
        let wrong = [
            (!is_read)
                .then(|| ("mirror", "only GET and HEAD are copied: a write would happen twice".to_owned())),
            (!(1..=100).contains(&self.percent))
                .then(|| ("mirror.percent", format!("{} is out of range; give 1 to 100", self.percent))),
            (!(1..=MAX_MIRRORED).contains(&self.at_once)).then(|| {
                ("mirror.at_once", format!("{} is out of range; give 1 to {MAX_MIRRORED}", self.at_once))
            }),
        ];
        wrong.into_iter().flatten()
    }
}

impl Route {
    /// A route with the defaults: 2 s, 1 MiB.
    pub fn new(method: &str, path: &str, component: ComponentName) -> Self {
        Self {
            method: Some(method.to_owned()),
            path: path.to_owned(),
            component,
            deadline_ms: Self::default_deadline_ms(),
            max_body: Self::default_max_body(),
            authenticated: false,
            api_key: false,
            preserve_host: false,
            mirror: None,
            cache: false,
        }
    }

    /// Why its answers cannot be kept, where they are to be.
    fn cache_error(&self) -> Option<&'static str> {
        let is_read = matches!(self.method.as_deref(), Some("GET" | "HEAD"));
        if !self.cache || (is_read && cfg!(feature = "response-cache")) {
            return None;
        }
        Some(if is_read {
            "this program was built without a response cache; build it with `--features response-cache`"
        } else {
            "only answers to GET and HEAD are kept"
        })
    }

    fn default_deadline_ms() -> u64 {
        2_000
    }

    fn default_max_body() -> u64 {
        1 << 20
    }
}

/// What is wrong with a table, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{at}: {message}")]
pub struct ConfigError {
    /// `routes[3].path`.
    pub at: String,
    /// Lowercase, with what to write instead.
    pub message: String,
}

impl RouteTable {
    /// Every fault of the table; none means that it can be served.
    /// `known` are the components that requests can be forwarded to.
    pub fn validate(&self, known: &dyn Fn(ComponentName) -> bool) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        if self.routes.is_empty() {
            errors.push(error("routes", "the table is empty; list at least one route"));
        }
        let mut trees: BTreeMap<&str, matchit::Router<usize>> = BTreeMap::new();
        for (n, route) in self.routes.iter().enumerate() {
            let at = |field: &str| format!("routes[{n}].{field}");
            if let Some(wrong) = route.method.as_deref().and_then(method_error) {
                errors.push(error(at("method"), wrong));
            }
            if !known(route.component) {
                let name = route.component;
                errors
                    .push(error(at("component"), format!("no component `{name}` can be reached from here")));
            }
            if !DEADLINE_MS.contains(&route.deadline_ms) {
                let (least, most) = DEADLINE_MS.into_inner();
                let given = route.deadline_ms;
                errors.push(error(
                    at("deadline_ms"),
                    format!("{given} is out of range; give {least} to {most}"),
                ));
            }
            if route.max_body > MAX_BODY_BYTES {
                let given = route.max_body;
                errors.push(error(
                    at("max_body"),
                    format!("{given} bytes is too much; give at most {MAX_BODY_BYTES}"),
                ));
            }
            if let Some(mirror) = &route.mirror {
                if !known(mirror.component) {
                    let wrong = format!("no component `{}` can be reached from here", mirror.component);
                    errors.push(error(at("mirror.component"), wrong));
                }
                let wrong = mirror.diagnostics(route.method.as_deref());
                errors.extend(wrong.map(|(field, message)| error(at(field), message)));
            }
            errors.extend(route.cache_error().map(|wrong| error(at("cache"), wrong)));
            if let Some(wrong) = path_error(&route.path) {
                errors.push(error(at("path"), wrong));
                continue;
            }
            let tree = trees.entry(route.method.as_deref().unwrap_or("*")).or_default();
            match tree.insert(&route.path, n) {
                Ok(()) => {}
                Err(matchit::InsertError::Conflict { with }) => {
                    let method = route.method.as_deref().unwrap_or("any method");
                    let wrong = format!("`{}` conflicts with `{with}` ({method}); keep one", route.path);
                    errors.push(error(at("path"), wrong));
                }
                Err(other) => errors.push(error(at("path"), lowercase(&other))),
            }
        }
        errors
    }
}

/// Methods a route may name. `CONNECT` and `TRACE` are refused before routing.
pub(crate) const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

fn method_error(name: &str) -> Option<String> {
    let choices = || METHODS.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let known = METHODS.iter().any(|method| method.as_str() == name);
    (!known).then(|| format!("unknown method `{name}`; methods: {}", choices()))
}

fn path_error(path: &str) -> Option<String> {
    let Some(rest) = path.strip_prefix('/') else {
        return Some(format!("`{path}` must begin with `/`"));
    };
    let first = rest.split('/').next().unwrap_or_default();
    if first.is_empty() || first.contains('{') {
        return Some(format!("`{path}`: spell the first segment out, so that nothing inside becomes public"));
    }
    if INTERNAL_SEGMENTS.contains(&first) {
        return Some(format!("`/{first}` belongs to the inside of the suite and is never public"));
    }
    if path.len() > 1 && path.split('/').skip(1).any(|segment| matches!(segment, "" | "." | "..")) {
        return Some(format!("`{path}` has an empty or dot segment, which no request can have"));
    }
    None
}

fn lowercase(error: &dyn fmt::Display) -> String {
    let mut text = error.to_string();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    text
}

fn error(at: impl Into<String>, message: impl Into<String>) -> ConfigError {
    ConfigError { at: at.into(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEED: ComponentName = ComponentName::of("feed");
    const PHOTO: ComponentName = ComponentName::of("photo");

    fn errors(routes: Vec<Route>) -> Vec<String> {
        let known = |name: ComponentName| [FEED, PHOTO].contains(&name);
        RouteTable { routes }.validate(&known).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_table_has_no_faults() {
        let routes = vec![
            Route::new("GET", "/v1/feed", FEED),
            Route::new("GET", "/v1/users/{id}/photos", FEED),
            Route::new("GET", "/v1/photos/{id}", PHOTO),
            // Another name for the same parameter under another method does not conflict.
            Route::new("DELETE", "/v1/photos/{photo}", PHOTO),
            Route::new("GET", "/v1/photos/{id}/original", PHOTO),
        ];
        assert_eq!(errors(routes), [""; 0]);
    }

    #[test]
    fn only_reads_are_mirrored_and_within_bounds() {
        let mirror = Mirror { component: PHOTO, percent: 100, at_once: 8 };
        let copied = |method, mirror| Route { mirror: Some(mirror), ..Route::new(method, "/v1/feed", FEED) };
        assert_eq!(errors(vec![copied("GET", mirror)]), [""; 0]);
        let unknown = ComponentName::of("fed");
        let bad = Mirror { component: unknown, percent: 101, at_once: 0 };
        assert_eq!(
            errors(vec![copied("POST", bad)]),
            [
                "routes[0].mirror.component: no component `fed` can be reached from here",
                "routes[0].mirror: only GET and HEAD are copied: a write would happen twice",
                "routes[0].mirror.percent: 101 is out of range; give 1 to 100",
                "routes[0].mirror.at_once: 0 is out of range; give 1 to 256",
            ]
        );
    }

    #[test]
    fn only_answers_to_reads_are_kept_and_only_where_a_cache_is_built_in() {
        let kept = |method| Route { cache: true, ..Route::new(method, "/v1/feed", FEED) };
        assert_eq!(errors(vec![kept("POST")]), ["routes[0].cache: only answers to GET and HEAD are kept"]);
        let built_in = cfg!(feature = "response-cache");
        let text = errors(vec![kept("GET")]).join("\n");
        assert_eq!(text.is_empty(), built_in, "{text}");
        assert!(built_in || text.contains("--features response-cache"), "{text}");
    }

    #[test]
    fn every_error_is_reported_at_once_with_its_path() {
        let text = errors(vec![
            Route::new("GTE", "/v1/feed", FEED),
            Route::new("GET", "v1/feed", FEED),
            Route::new("GET", "/{anything}", FEED),
            Route::new("POST", "/call/feed.home_feed", FEED),
            Route::new("GET", "/v1/a/{id}", ComponentName::of("fed")),
            Route::new("GET", "/v1/a/{other}", FEED),
            Route { deadline_ms: 0, max_body: u64::MAX, ..Route::new("GET", "/v1/b/{id", FEED) },
            Route::new("GET", "/v1//b", FEED),
        ])
        .join("\n");
        for part in [
            "routes[0].method: unknown method `GTE`; methods: GET, HEAD,",
            "routes[1].path: `v1/feed` must begin with `/`",
            "routes[2].path: `/{anything}`: spell the first segment out",
            "routes[3].path: `/call` belongs to the inside",
            "routes[4].component: no component `fed`",
            "routes[5].path: `/v1/a/{other}` conflicts with `/v1/a/{id}` (GET)",
            "routes[6].deadline_ms: 0 is out of range; give 1 to 30000",
            "routes[6].max_body:",
            "routes[6].path: parameters must",
            "routes[7].path: `/v1//b` has an empty",
        ] {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
        assert_eq!(errors(Vec::new()), ["routes: the table is empty; list at least one route"]);
    }
}
