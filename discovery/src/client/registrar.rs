//! Registers this process, renews its leases, registers again after a restart of the registry, drains and deregisters.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use policy::lease::RENEWAL_INTERVAL_NS;
use runtime::{ShutdownPolicy, Tasks, clock};
use tokio::sync::watch;
use tokio::time::sleep;
use transport::Network;

use super::connection::{ClientError, RegistryClient};
use super::{backoff, jittered};
use crate::api::{LeaseHolder, RenewalReply, RenewalRequest};
use crate::instance::{Instance, InstanceId, Key, RegistryEpoch, ServiceName, State};
use crate::location::Location;

/// Attempts to deregister before the lease is left to lapse.
const DEREGISTER_ATTEMPTS: u32 = 3;
/// First wait after a failure; doubles up to the renewal period.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);

/// What to register, and where.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Location of the registry.
    pub registry: Location,
    /// The run's token.
    pub token: Arc<str>,
    /// One instance per service of this process; they share id, epoch and address.
    pub instances: Vec<Instance>,
    /// Interval of renewals, plus or minus a fifth. A third of the lease tolerates two lost renewals.
    pub renew_interval: Duration,
    /// What lies between.
    pub network: Network,
}

impl Registration {
    /// Registers `services` under one id and address, and renews every second.
    pub fn new(
        registry: impl Into<Location>,
        token: Arc<str>,
        services: impl IntoIterator<Item = ServiceName>,
        id: InstanceId,
        epoch: crate::instance::Epoch,
        addr: SocketAddr,
    ) -> Self {
        let instances = services.into_iter().map(|s| Instance::new(s, id.clone(), epoch, addr)).collect();
        let (renew_interval, network) = (Duration::from_nanos(RENEWAL_INTERVAL_NS), Network::loopback());
        Self { registry: registry.into(), token, instances, renew_interval, network }
    }
}

/// The desired entry in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    Listed(State),
    Gone,
}

/// A handle on the registration. Dropping it changes nothing; closing the tasks deregisters.
#[derive(Clone)]
pub struct Registrar {
    goal: Arc<watch::Sender<Goal>>,
    reached: watch::Receiver<Option<Goal>>,
}

impl Registrar {
    /// Starts registering. Never fails: it retries until the registry responds.
    pub fn start(tasks: &Tasks, registration: Registration) -> Self {
        let (goal, goals) = watch::channel(Goal::Listed(State::Ready));
        let (reached_tx, reached) = watch::channel(None);
        let goal = Arc::new(goal);
        let Registration { registry, token, network, .. } = &registration;
        let client = RegistryClient::new(registry.clone(), Some(token.clone()), network.clone());
        let (registered, rejoined) = (BTreeMap::new(), clock::now());
        let announcer = Announcer { registration, client, registry: None, registered, rejoined };
        let closing = tasks.closing();
        let on_close = goal.clone();
        // Finish, not ShutDown: deregistering is its last action.
        tasks.spawn("registry.announce", ShutdownPolicy::Drain, async move {
            let announce = announcer.run(goals, reached_tx);
            tokio::pin!(announce, closing);
            tokio::select! {
                () = &mut announce => return,
                () = &mut closing => {
                    on_close.send_replace(Goal::Gone);
                }
            }
            announce.await;
        });
        Self { goal, reached }
    }

    /// Waits until every service is registered.
    pub async fn registered(&self) {
        self.wait_for(Goal::Listed(State::Ready)).await;
    }

    /// Sets the state to draining and waits until the registry has published it.
    pub async fn drain(&self) {
        self.goal.send_replace(Goal::Listed(State::Draining));
        self.wait_for(Goal::Listed(State::Draining)).await;
    }

    /// Sets the state to ready or draining, without waiting.
    pub fn set_ready(&self, ready: bool) {
        let state = if ready { State::Ready } else { State::Draining };
        self.goal.send_if_modified(|goal| {
            let change = *goal != Goal::Gone && *goal != Goal::Listed(state);
            if change {
                *goal = Goal::Listed(state);
            }
            change
        });
    }

    /// Deregisters; returns when that has succeeded or been given up, and not before callers can have heard of it. A registry
    /// that has just started again is one that they may not watch yet: until they do, at most [`policy::lease::REJOIN_NS`]
    /// later, the services are listed as draining, and have to be served.
    pub async fn deregister(&self) {
        self.goal.send_replace(Goal::Gone);
        self.wait_for(Goal::Gone).await;
    }

    async fn wait_for(&self, goal: Goal) {
        let mut reached = self.reached.clone();
        // An error means that the announcer has ended, after which nothing can be waited for.
        let _ended = reached.wait_for(|reached| *reached == Some(goal)).await;
    }
}

struct Announcer {
    registration: Registration,
    client: RegistryClient,
    /// Epoch of the registry that answered last.
    registry: Option<RegistryEpoch>,
    /// The last registered state of each service; `None` where the registry has started again since and may not have kept it.
    registered: BTreeMap<ServiceName, Option<State>>,
    /// When all watch the registry again that watched the process before it.
    rejoined: Instant,
}

#[derive(Debug, thiserror::Error)]
enum AnnounceError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("a later epoch of this instance is registered; waiting for its lease to end")]
    Superseded,
    #[error("the registry responded with {0}: {1}")]
    Refused(StatusCode, String),
}

impl Announcer {
    async fn run(mut self, mut goals: watch::Receiver<Goal>, reached_tx: watch::Sender<Option<Goal>>) {
        let mut failures = 0;
        loop {
            let goal = *goals.borrow_and_update();
            let (wait, is_reached) = match self.advance(goal).await {
                Ok(is_reached) => {
                    if failures > 0 {
                        tracing::info!("the registry is back");
                    }
                    failures = 0;
                    let renewal = jittered(self.registration.renew_interval);
                    if is_reached {
                        reached_tx.send_replace(Some(goal));
                        (renewal, true)
                    } else {
                        (renewal.min(self.rejoin_time()), false)
                    }
                }
                Err(error) => {
                    if failures == 0 {
                        tracing::warn!(error = &error as &dyn std::error::Error, "registration failed");
                    }
                    failures += 1;
                    (backoff(FIRST_BACKOFF, self.registration.renew_interval, failures), false)
                }
            };
            let gives_up = failures >= DEREGISTER_ATTEMPTS && self.rejoin_time().is_zero();
            if goal == Goal::Gone && (is_reached || gives_up) {
                return;
            }
            tokio::select! {
                () = sleep(wait) => {}
                changed = goals.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    failures = 0;
                }
            }
        }
    }

    /// Brings the registry's entry to `goal`, or renews its lease; whether it is there.
    async fn advance(&mut self, goal: Goal) -> Result<bool, AnnounceError> {
        // Also before it leaves: the answer shows whether the registry has just started again.
        self.renew().await?;
        match goal {
            Goal::Listed(state) => self.list(state).await?,
            Goal::Gone if !self.rejoin_time().is_zero() => {
                self.list(State::Draining).await?;
                return Ok(false);
            }
            Goal::Gone => self.deregister().await?,
        }
        Ok(true)
    }

    /// How long watchers may still take to come back to the registry.
    fn rejoin_time(&self) -> Duration {
        self.rejoined.saturating_duration_since(clock::now())
    }

    /// Registers what is not registered in this state.
    async fn list(&mut self, state: State) -> Result<(), AnnounceError> {
        for instance in self.registration.instances.clone() {
            if self.registered.get(&instance.service) != Some(&Some(state)) {
                self.register(Instance { state, ..instance }).await?;
            }
        }
        Ok(())
    }

    async fn register(&mut self, instance: Instance) -> Result<(), AnnounceError> {
        let path = path_of(&instance.key());
        match self.client.send(Method::PUT, &path, Some(&instance.announcement())).await? {
            (StatusCode::OK, _) => {
                self.registered.insert(instance.service, Some(instance.state));
                Ok(())
            }
            (StatusCode::CONFLICT, _) => Err(AnnounceError::Superseded),
            (status, body) => Err(refused(status, &body)),
        }
    }

    /// Renews the leases, and drops services that the registry does not know any more. One that has started again knows what
    /// its log holds, which may be older than what it acknowledged.
    async fn renew(&mut self) -> Result<(), AnnounceError> {
        let holders = self.registration.instances.iter().filter(|i| self.registered.contains_key(&i.service));
        let leases: Vec<LeaseHolder> = holders
            .map(|i| LeaseHolder { service: i.service.clone(), id: i.id.clone(), epoch: i.epoch })
            .collect();
        if leases.is_empty() {
            return Ok(());
        }
        let (status, body) =
            self.client.send(Method::POST, "/v1/renew", Some(&RenewalRequest { leases })).await?;
        if status != StatusCode::OK {
            return Err(refused(status, &body));
        }
        let reply: RenewalReply =
            serde_json::from_slice(&body).map_err(|error| ClientError::Unreadable(Box::new(error)))?;
        let unknown: BTreeSet<ServiceName> = reply.unknown.into_iter().map(|key| key.service).collect();
        self.registered.retain(|service, _| !unknown.contains(service));
        self.rejoined = clock::now() + Duration::from_millis(reply.rejoin_ms);
        if self.registry.replace(reply.registry).is_some_and(|before| before != reply.registry) {
            self.registered.values_mut().for_each(|state| *state = None);
        }
        Ok(())
    }

    async fn deregister(&mut self) -> Result<(), AnnounceError> {
        for instance in self.registration.instances.clone() {
            if !self.registered.contains_key(&instance.service) {
                continue;
            }
            let path = format!("{}?epoch={}", path_of(&instance.key()), instance.epoch.0);
            match self.client.send::<()>(Method::DELETE, &path, None).await? {
                (StatusCode::NO_CONTENT | StatusCode::NOT_FOUND, _) => {
                    self.registered.remove(&instance.service);
                }
                (status, body) => return Err(refused(status, &body)),
            }
        }
        Ok(())
    }
}

fn refused(status: StatusCode, body: &[u8]) -> AnnounceError {
    AnnounceError::Refused(status, String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned())
}

/// `#` is the only character of a name that needs escaping in a URL.
fn path_of(key: &Key) -> String {
    format!("/v1/services/{}/instances/{}", key.service, key.id).replace('#', "%23")
}
