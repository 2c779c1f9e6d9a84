//! A component behind the gateway: the edge to it, or its router in this process.
//!
//! Lives outside the route table: a reload forgets no breaker, budget or average.

use std::sync::Arc;

use axum::Router;
use contract::ComponentName;
use fault::LeaseTable;
use policy::EffectivePolicy;
use transport::Cluster;
use transport::edge::Edge;
use transport::stack::EdgeStack;

/// Where a component is.
#[derive(Clone)]
pub enum Upstream {
    /// In other processes.
    Cluster(Arc<Cluster>),
    /// In this one: its router is called, and nothing is encoded.
    Local(Router),
}

/// A component as the gateway knows it.
pub(crate) struct Backend {
    pub name: ComponentName,
    pub location: Location,
}

pub(crate) enum Location {
    Remote(Box<EdgeStack>),
    /// Policies are for networks; of all of them a function call has the deadline.
    Local {
        router: Router,
        /// Whether the component learns how long the client waits.
        deadline: bool,
    },
}

impl Backend {
    pub fn new(
        name: ComponentName,
        upstream: Upstream,
        policy: EffectivePolicy,
        faults: Arc<LeaseTable>,
    ) -> Self {
        let location = match upstream {
            Upstream::Local(router) => Location::Local { router, deadline: policy.deadline },
            Upstream::Cluster(cluster) => {
                let edge = Edge::new(ComponentName::GATEWAY, cluster, policy, faults);
                Location::Remote(Box::new(EdgeStack::new(Arc::new(edge))))
            }
        };
        Self { name, location }
    }
}
