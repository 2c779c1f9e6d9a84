//! The route table as it is served: one immutable snapshot, swapped whole.
//!
//! A request holds on to the target it matched, so a reload changes nothing for
//! requests in flight. Upstreams live outside the table: their balance, breakers
//! and budgets survive every reload.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use contract::ComponentName;
use contract::hash::{fnv1a64, fnv1a64_with};
use http::Method;
use telemetry::ServerMetrics;
use tokio::sync::Semaphore;

use crate::backend::Backend;
use crate::config::{ConfigError, METHODS, Mirror, Route, RouteTable};

/// Tables one can go back to.
const MAX_REVISIONS: usize = 8;

/// A route, resolved: the component that answers, and where requests are counted.
pub struct ResolvedRoute {
    /// As configured.
    pub route: Route,
    /// The same for a route of the same method and path in every version of the table.
    pub(crate) id: u64,
    /// The component that answers.
    pub(crate) backend: Arc<Backend>,
    /// Where copies of its requests go.
    pub(crate) mirror: Option<MirrorTarget>,
    /// Rate, errors and durations, by method, in the order of [`ResolvedRoute::metrics`].
    metrics: Vec<(Method, Arc<ServerMetrics>)>,
}

/// Where copies of a route's requests go.
pub(crate) struct MirrorTarget {
    pub options: Mirror,
    pub backend: Arc<Backend>,
    /// A permit for each copy that may be under way.
    pub room: Arc<Semaphore>,
}

/// One version of the table.
pub struct Snapshot {
    /// Its number; grows with every change.
    pub rev: u64,
    /// As configured.
    pub config: RouteTable,
    trees: Vec<(Method, matchit::Router<Arc<ResolvedRoute>>)>,
    any: matchit::Router<Arc<ResolvedRoute>>,
}

/// What a method and path lead to.
pub enum RouteMatch<'a> {
    /// A route.
    Matched(&'a Arc<ResolvedRoute>),
    /// The path, but only under these methods.
    OtherMethods(Vec<Method>),
    /// No such path.
    Nothing,
}

/// The current table and the ones before it.
pub struct Table {
    current: ArcSwap<Snapshot>,
    /// Newest last, the current one included.
    kept: Mutex<VecDeque<Arc<Snapshot>>>,
    resolve: Resolve,
}

/// Finds a component; `None` if it cannot be reached from here.
pub(crate) type Resolve = Box<dyn Fn(ComponentName) -> Option<Arc<Backend>> + Send + Sync>;

/// No table of that number is kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown revision {rev}: expected one of {}", list(.kept))]
pub struct UnknownRevision {
    /// What was asked for.
    pub rev: u64,
    /// What there is.
    pub kept: Vec<u64>,
}

fn list(revs: &[u64]) -> String {
    revs.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

impl Table {
    /// A table at revision 1.
    ///
    /// # Errors
    /// Every fault of the configuration.
    pub(crate) fn new(config: RouteTable, resolve: Resolve) -> Result<Self, Vec<ConfigError>> {
        let first = Arc::new(Snapshot::build(1, config, &resolve)?);
        Ok(Self { current: ArcSwap::new(first.clone()), kept: Mutex::new(VecDeque::from([first])), resolve })
    }

    /// The table of this moment.
    pub fn load(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// Replaces the table; requests in flight keep the old one.
    ///
    /// # Errors
    /// Every fault of the configuration; the old table stays.
    pub fn replace(&self, config: RouteTable) -> Result<u64, Vec<ConfigError>> {
        let mut kept = self.kept.lock().expect("no panic while held");
        let rev = kept.back().map_or(1, |last| last.rev + 1);
        let snapshot = Arc::new(Snapshot::build(rev, config, &self.resolve)?);
        if kept.len() == MAX_REVISIONS {
            kept.pop_front();
        }
        kept.push_back(snapshot.clone());
        self.current.store(snapshot);
        Ok(rev)
    }

    /// Makes the table of `rev` the newest one again, under a new number.
    ///
    /// # Errors
    /// When it is not kept any more.
    pub fn roll_back(&self, rev: u64) -> Result<u64, UnknownRevision> {
        let found = {
            let kept = self.kept.lock().expect("no panic while held");
            let found = kept.iter().find(|snapshot| snapshot.rev == rev);
            found.map(|snapshot| snapshot.config.clone()).ok_or_else(|| kept.iter().map(|s| s.rev).collect())
        };
        let config = found.map_err(|kept| UnknownRevision { rev, kept })?;
        Ok(self.replace(config).expect("it was valid, and upstreams do not go away"))
    }

    /// Numbers of the tables one can go back to, oldest first.
    pub fn revisions(&self) -> Vec<u64> {
        self.kept.lock().expect("no panic while held").iter().map(|snapshot| snapshot.rev).collect()
    }
}

impl Snapshot {
    fn build(rev: u64, config: RouteTable, resolve: &Resolve) -> Result<Self, Vec<ConfigError>> {
        let errors = config.validate(&|component| resolve(component).is_some());
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut snapshot =
            Self { rev, config: RouteTable::default(), trees: Vec::new(), any: matchit::Router::new() };
        for route in &config.routes {
            let method = route.method.as_deref().map(|name| name.parse::<Method>().expect("validated"));
            let backend = resolve(route.component).expect("validated");
            let mut target = ResolvedRoute::new(route.clone(), method.as_ref(), backend);
            target.mirror = route.mirror.map(|options| MirrorTarget {
                options,
                backend: resolve(options.component).expect("validated"),
                room: Arc::new(Semaphore::new(usize::from(options.at_once))),
            });
            let target = Arc::new(target);
            let tree = match method {
                None => &mut snapshot.any,
                Some(method) => snapshot.tree_of(method),
            };
            tree.insert(route.path.clone(), target).expect("validated");
        }
        snapshot.config = config;
        Ok(snapshot)
    }

    fn tree_of(&mut self, method: Method) -> &mut matchit::Router<Arc<ResolvedRoute>> {
        let known = self.trees.iter().position(|(m, _)| *m == method);
        let n = known.unwrap_or_else(|| {
            self.trees.push((method, matchit::Router::new()));
            self.trees.len() - 1
        });
        &mut self.trees[n].1
    }

    /// Finds the target of a request.
    pub fn find(&self, method: &Method, path: &str) -> RouteMatch<'_> {
        if let Some(target) = self.at(method, path) {
            return RouteMatch::Matched(target);
        }
        if method == Method::HEAD
            && let Some(target) = self.at(&Method::GET, path)
        {
            return RouteMatch::Matched(target);
        }
        if let Ok(found) = self.any.at(path) {
            return RouteMatch::Matched(found.value);
        }
        let others = self.methods(path);
        if others.is_empty() { RouteMatch::Nothing } else { RouteMatch::OtherMethods(others) }
    }

    /// The methods that a path is served for, as `Allow` has them; none where there is no such path.
    pub fn methods(&self, path: &str) -> Vec<Method> {
        if self.any.at(path).is_ok() {
            return METHODS.to_vec();
        }
        let mut methods = Vec::new();
        for (method, _) in self.trees.iter().filter(|(_, tree)| tree.at(path).is_ok()) {
            for served in served_by(method) {
                if !methods.contains(&served) {
                    methods.push(served);
                }
            }
        }
        methods
    }

    fn at(&self, method: &Method, path: &str) -> Option<&Arc<ResolvedRoute>> {
        let (_, tree) = self.trees.iter().find(|(m, _)| m == method)?;
        tree.at(path).ok().map(|found| found.value)
    }
}

/// The methods that a route of this one is served for: what has a representation has a head (RFC 9110, section 9.3.2).
fn served_by(method: &Method) -> Vec<Method> {
    if *method == Method::GET { vec![Method::GET, Method::HEAD] } else { vec![method.clone()] }
}

impl ResolvedRoute {
    fn new(route: Route, method: Option<&Method>, backend: Arc<Backend>) -> Self {
        let methods = method.map(served_by).unwrap_or_default();
        let of = |method: Method| {
            let metrics = ServerMetrics::of(ComponentName::GATEWAY, method.as_str(), &route.path);
            (method, metrics)
        };
        let metrics = methods.into_iter().map(of).collect();
        let id =
            fnv1a64_with(route.path.as_bytes(), fnv1a64(route.method.as_deref().unwrap_or("*").as_bytes()));
        Self { route, id, backend, mirror: None, metrics }
    }

    /// Where a request of this method is counted; registered when the table was built.
    pub fn metrics(&self, method: &Method) -> Arc<ServerMetrics> {
        let registered = self.metrics.iter().find(|(m, _)| m == method);
        registered.map_or_else(
            || ServerMetrics::of(ComponentName::GATEWAY, method.as_str(), &self.route.path),
            |(_, metrics)| metrics.clone(),
        )
    }
}
