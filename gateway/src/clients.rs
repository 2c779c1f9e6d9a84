//! Clients, each in its own line: places for their requests, and what their failures cost them.
//!
//! [`policy::client`] decides; here is the waiting. A client is an account, where its token is one of the suite's, and the
//! address that it comes from, where addresses set clients apart. A request takes a place of each, in the line for its route.

mod shares;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use contract::{ComponentName, Principal, Refusal, RefusalKind};
use http::StatusCode;
use policy::admission::AdmissionDecision;
use policy::client::{ClientFailures, ClientLimits, ClientLine, ClientOptions};
use policy::client_network;
use runtime::clock;
use runtime::cost::{self, Part};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{sleep, timeout_at};

use crate::failure_source::FailureSource;

pub(crate) use self::shares::{AccountBytes, ClientStream};

/// Clients whose failures are remembered; beyond them those that are over are looked for. What more fail at once is no single
/// client's doing, and is not counted.
const MAX_CLIENTS: usize = 65_536;
/// Looking through all of them is dear, and done so often at most.
const PRUNE_INTERVAL_NS: u64 = 1_000_000_000;
/// Answers that are held back at once. Each is a connection that its client keeps open; beyond them no answer is.
const MAX_HELD: usize = 1_024;
/// When a client whose line is full may come back.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// All clients. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Clients(Arc<Shared>);

struct Shared {
    options: ClientOptions,
    state: Mutex<State>,
    held: Arc<Semaphore>,
}

#[derive(Default)]
struct State {
    failures: HashMap<ClientKey, ClientFailures>,
    /// Before this moment failures that are over are not looked for.
    next_prune_ns: u64,
    /// Long answers on their way.
    streams: HashMap<ClientKey, u32>,
    /// Bytes of long bodies.
    bytes: HashMap<ClientKey, u64>,
    lines: HashMap<LineKey, Line>,
}

/// A client, and the route that it asks for.
type LineKey = (ClientKey, u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum ClientKey {
    Account(Principal),
    /// As [`client_network()`] has it.
    Address(IpAddr),
    Anonymous,
}

/// A client's requests for a route.
#[derive(Default)]
struct Line {
    counts: ClientLine,
    waiting: VecDeque<oneshot::Sender<ClientPlace>>,
}

/// A request and whose it is. Dropped before [`ClientRequest::end`], its client has left, which is a failure of its own.
pub(crate) struct ClientRequest {
    clients: Clients,
    keys: [Option<(ClientKey, ClientLimits)>; 2],
    route: u64,
    has_ended: bool,
}

/// Leave to be worked for; goes to the client's next request when dropped.
pub(crate) struct ClientPlace {
    clients: Clients,
    line: LineKey,
    limits: ClientLimits,
}

/// A place in each line that a request stands in, or why it has none.
pub(crate) type ClientPlaces = Result<Vec<ClientPlace>, Refusal>;

/// An answer that is held back for a while.
pub(crate) struct HeldAnswer {
    length: Duration,
    _place: OwnedSemaphorePermit,
}

impl HeldAnswer {
    /// Waits until the answer may go.
    pub async fn released(self) {
        telemetry::queue_wait(ComponentName::GATEWAY, "held_failures", self.length);
        sleep(self.length).await;
    }
}

impl Clients {
    /// Clients that have asked for nothing so far.
    pub fn new(options: ClientOptions) -> Self {
        let (state, held) = (Mutex::default(), Arc::new(Semaphore::new(MAX_HELD)));
        Self(Arc::new(Shared { options, state, held }))
    }

    /// A request for a route that begins; `account` is asked for only where accounts are limited.
    pub fn begin(
        &self,
        route: u64,
        address: IpAddr,
        account: impl FnOnce() -> Option<Principal>,
    ) -> ClientRequest {
        let ClientOptions { account: by_account, address: by_address, anonymous } = self.0.options;
        let account = by_account.and_then(|limits| Some((ClientKey::Account(account()?), limits)));
        let address = by_address.map(|limits| (ClientKey::Address(client_network(address)), limits));
        let anonymous = anonymous.map(|limits| (ClientKey::Anonymous, limits));
        let keys = [account, address.or(if account.is_none() { anonymous } else { None })];
        ClientRequest { clients: self.clone(), keys, route, has_ended: false }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no panic while held")
    }

    /// Takes a place, or waits for one.
    async fn place(
        &self,
        key: LineKey,
        limits: ClientLimits,
        until: Instant,
    ) -> Result<ClientPlace, Refusal> {
        let turn = {
            let mut state = self.state();
            let is_failing = state.is_failing(key.0, &limits);
            let line = state.lines.entry(key).or_default();
            line.drop_abandoned();
            match line.counts.on_arrival(&limits, is_failing) {
                AdmissionDecision::Serve => {
                    return Ok(ClientPlace { clients: self.clone(), line: key, limits });
                }
                AdmissionDecision::Shed => return Err(line_is_full()),
                AdmissionDecision::Wait => {
                    let (sender, turn) = oneshot::channel();
                    line.waiting.push_back(sender);
                    turn
                }
            }
        };
        let started = clock::now();
        let place = cost::part(Part::Queueing, timeout_at(until.into(), turn)).await;
        telemetry::queue_wait(ComponentName::GATEWAY, "client", clock::now() - started);
        // A line is never closed while a request waits in it.
        place.ok().and_then(Result::ok).ok_or_else(Refusal::too_late)
    }

    /// Gives a place to the next request of the line.
    fn leave(&self, key: LineKey, limits: &ClientLimits) {
        let mut turns = Vec::new();
        {
            let mut state = self.state();
            let is_failing = state.is_failing(key.0, limits);
            let Some(line) = state.lines.get_mut(&key) else { return };
            line.counts.on_done();
            line.drop_abandoned();
            while line.counts.on_turn(limits, is_failing) {
                turns.extend(line.waiting.pop_front());
            }
            if line.counts == ClientLine::default() {
                state.lines.remove(&key);
            }
        }
        // Outside the lock: a request that stopped waiting in between drops its place right here.
        for turn in turns {
            let _gone = turn.send(ClientPlace { clients: self.clone(), line: key, limits: *limits });
        }
    }
}

impl State {
    fn is_failing(&self, client: ClientKey, limits: &ClientLimits) -> bool {
        self.failures.get(&client).is_some_and(|failures| failures.are_too_many(limits, clock::now_ns()))
    }

    /// How long the answer to one more failure is held back, ns.
    fn fail(&mut self, client: ClientKey, limits: &ClientLimits) -> u64 {
        let now_ns = clock::now_ns();
        if !self.failures.contains_key(&client) && !self.has_room(now_ns) {
            return 0;
        }
        self.failures.entry(client).or_default().on_failure(limits, now_ns)
    }

    /// Whether the failures of one more client can be remembered.
    fn has_room(&mut self, now_ns: u64) -> bool {
        if self.failures.len() >= MAX_CLIENTS && now_ns >= self.next_prune_ns {
            self.failures.retain(|_, failures| !failures.are_forgotten(now_ns));
            self.next_prune_ns = now_ns.saturating_add(PRUNE_INTERVAL_NS);
        }
        self.failures.len() < MAX_CLIENTS
    }
}

fn line_is_full() -> Refusal {
    telemetry::shed(ComponentName::GATEWAY, "client_busy");
    let message = "too many of your requests are under way or waiting; try again in a second";
    let mut refusal = Refusal::new(RefusalKind::TooMany, "client_busy", message);
    refusal.retry_after = Some(RETRY_AFTER);
    refusal
}

fn reads_too_much() -> Refusal {
    telemetry::shed(ComponentName::GATEWAY, "client_busy");
    let message = "too many long answers to you are under way; read them first";
    let mut refusal = Refusal::new(RefusalKind::TooMany, "client_busy", message);
    refusal.retry_after = Some(RETRY_AFTER);
    refusal
}

impl Line {
    /// Requests that stopped waiting make room for others.
    fn drop_abandoned(&mut self) {
        let before = self.waiting.len();
        self.waiting.retain(|turn| !turn.is_closed());
        for _ in self.waiting.len()..before {
            self.counts.on_abandoned();
        }
    }
}

impl ClientRequest {
    /// A place for the request, in the account's line and then in the address's; at the latest at `until`.
    ///
    /// # Errors
    /// 429 where the line is full, 504 at `until`.
    pub async fn places(&self, until: Instant) -> ClientPlaces {
        let mut places = Vec::new();
        for (client, limits) in self.keys.into_iter().flatten() {
            places.push(self.clients.place((client, self.route), limits, until).await?);
        }
        Ok(places)
    }

    /// Nothing yet, of the share of its account; without an account it has no bound here.
    pub fn bytes(&self) -> AccountBytes {
        let is_account = |(client, _): &(ClientKey, ClientLimits)| matches!(client, ClientKey::Account(_));
        let account = self.keys.into_iter().flatten().find(is_account);
        AccountBytes { clients: self.clients.clone(), account, bytes: 0 }
    }

    /// A long answer begins.
    ///
    /// # Errors
    /// 429 where the client reads as many as it may.
    pub fn begin_stream(&self) -> Result<ClientStream, Refusal> {
        let mut state = self.clients.state();
        let clients = || self.keys.into_iter().flatten();
        let is_full = |(client, limits): (ClientKey, ClientLimits)| {
            state.streams.get(&client).is_some_and(|streams| *streams >= limits.streams)
        };
        if clients().any(is_full) {
            return Err(reads_too_much());
        }
        for (client, _) in clients() {
            *state.streams.entry(client).or_default() += 1;
        }
        drop(state);
        let keys = self.keys.map(|key| key.map(|(client, _)| client));
        Ok(ClientStream { clients: self.clients.clone(), keys })
    }

    /// The request has been answered; by `source` it was late, if it was. An answer to a failure of the client's own may be held
    /// back.
    pub fn end(mut self, status: StatusCode, source: FailureSource) -> Option<HeldAnswer> {
        self.has_ended = true;
        let hold_ns = if source.is_clients_failure(status) { self.fail() } else { 0 };
        let place = (hold_ns > 0).then(|| self.clients.0.held.clone().try_acquire_owned().ok()).flatten()?;
        Some(HeldAnswer { length: Duration::from_nanos(hold_ns), _place: place })
    }

    fn fail(&self) -> u64 {
        let hold_ns = |(client, limits)| self.clients.state().fail(client, &limits);
        self.keys.into_iter().flatten().map(hold_ns).max().unwrap_or(0)
    }
}

impl Drop for ClientRequest {
    fn drop(&mut self) {
        if !self.has_ended {
            self.fail();
        }
    }
}

impl Drop for ClientPlace {
    fn drop(&mut self) {
        self.clients.leave(self.line, &self.limits);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use futures_util::FutureExt;
    use policy::gcra::Quota;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const LIMITS: ClientLimits = ClientLimits {
        in_flight: 1,
        in_flight_failing: 1,
        waiting: 1,
        streams: 2,
        body_bytes: 100,
        // One is forgiven in an hour: no test takes as long.
        failures: Quota { burst: 2, interval_ns: 3_600_000_000_000 },
        longest_hold_ns: 3_000_000_000,
    };

    fn by_account() -> Clients {
        Clients::new(ClientOptions { account: Some(LIMITS), ..ClientOptions::default() })
    }

    const ROUTE: u64 = 7;

    fn request(clients: &Clients, account: u64) -> ClientRequest {
        clients.begin(ROUTE, HERE, || Some(Principal::new(account)))
    }

    fn soon() -> Instant {
        clock::now() + Duration::from_secs(5)
    }

    #[tokio::test]
    async fn a_client_waits_behind_itself_and_no_other_does() {
        let clients = by_account();
        let (first, second, third) = (request(&clients, 1), request(&clients, 1), request(&clients, 1));
        let place = first.places(soon()).await.expect("nothing is under way");
        let mut waiting = Box::pin(second.places(soon()));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!(third.places(soon()).await.err().expect("its line is full").code, "client_busy");
        let other = request(&clients, 2);
        drop(other.places(soon()).await.expect("another account"));
        let elsewhere = clients.begin(ROUTE + 1, HERE, || Some(Principal::new(1)));
        drop(elsewhere.places(soon()).await.expect("another route"));
        drop(place);
        drop(waiting.await.expect("its turn"));
    }

    #[tokio::test]
    async fn a_request_that_stops_waiting_leaves_its_place_to_the_next() {
        let clients = by_account();
        let [first, second, third] = [1; 3].map(|account| request(&clients, account));
        let place = first.places(soon()).await.expect("nothing is under way");
        let mut waiting = Box::pin(second.places(soon()));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(waiting);
        let mut next = Box::pin(third.places(soon()));
        assert!(next.as_mut().now_or_never().is_none(), "there is room in the line again");
        drop(place);
        drop(next.await.expect("its turn"));
    }

    #[tokio::test]
    async fn failures_of_its_own_are_held_and_all_others_are_not() {
        let clients = by_account();
        let held = |status, source| request(&clients, 1).end(status, source).map(|held| held.length);
        for status in [StatusCode::OK, StatusCode::NOT_FOUND, StatusCode::SERVICE_UNAVAILABLE].repeat(10) {
            assert_eq!(held(status, FailureSource::Client), None, "{status}");
        }
        assert_eq!(
            held(StatusCode::GATEWAY_TIMEOUT, FailureSource::Suite),
            None,
            "the route's deadline is not the client's"
        );
        assert_eq!(held(StatusCode::GATEWAY_TIMEOUT, FailureSource::Client), None, "the first");
        // Left without an answer: the second.
        drop(request(&clients, 1));
        assert!(held(StatusCode::UNPROCESSABLE_ENTITY, FailureSource::Suite).is_some(), "two are free");
        assert_eq!(held(StatusCode::OK, FailureSource::Suite), None);
        let other = request(&clients, 2).end(StatusCode::BAD_REQUEST, FailureSource::Suite);
        assert!(other.is_none(), "another account");
    }

    #[test]
    fn a_client_reads_so_many_long_answers_at_once() {
        let clients = by_account();
        let begin = |account| request(&clients, account).begin_stream();
        let (one, _two) = (begin(1).expect("the first"), begin(1).expect("the second"));
        assert_eq!(begin(1).err().expect("two are on their way").code, "client_busy");
        drop(begin(2).expect("another account"));
        drop(one);
        drop(begin(1).expect("one has ended"));
        assert_eq!(clients.state().streams.len(), 1, "that of the first account");
    }

    #[tokio::test]
    async fn what_is_over_is_forgotten() {
        let clients = by_account();
        for account in 0..10 {
            let request = request(&clients, account);
            drop(request.places(soon()).await.expect("nothing is under way"));
            assert!(request.end(StatusCode::OK, FailureSource::Suite).is_none());
        }
        assert!(clients.state().lines.is_empty() && clients.state().failures.is_empty());
    }

    #[test]
    fn failures_of_so_many_clients_are_remembered_and_no_more() {
        // None of these is over.
        let failures = Quota { burst: 1, ..LIMITS.failures };
        let limits = ClientLimits { failures, ..LIMITS };
        let clients = Clients::new(ClientOptions { account: Some(limits), ..ClientOptions::default() });
        let fail = |account| request(&clients, account).end(StatusCode::BAD_REQUEST, FailureSource::Suite);
        let most = MAX_CLIENTS as u64;
        assert!((0..most + 100).all(|account| fail(account).is_none()), "the first of each is free");
        assert_eq!(clients.state().failures.len(), MAX_CLIENTS);
        assert!(fail(most + 50).is_none(), "not counted, so it is the first again");
        assert!(fail(0).is_some(), "those that are remembered are held back as ever");
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let clients = Clients::new(ClientOptions { address: Some(LIMITS), ..ClientOptions::default() });
        let begin = |text: &str| clients.begin(ROUTE, text.parse().expect("an address"), || None);
        let reading = ["2001:db8::1", "2001:db8::2"].map(|address| begin(address).begin_stream());
        assert!(reading.iter().all(Result::is_ok), "two may be on their way");
        assert!(begin("2001:db8::3").begin_stream().is_err(), "whatever address it chooses");
        assert!(begin("2001:db8:0:1::1").begin_stream().is_ok(), "another network");
    }

    #[tokio::test]
    async fn strangers_at_one_address_share_failures_and_a_line() {
        let clients = Clients::new(ClientOptions::new(true, false, 2));
        let anonymous: Vec<_> = (0..1_000).map(|_| clients.begin(ROUTE, HERE, || None)).collect();
        let mut places = Vec::new();
        while let Some(place) = anonymous[0].places(soon()).now_or_never() {
            places.push(place.expect("no line is full"));
        }
        assert!((1..1_000).contains(&places.len()), "{} at once", places.len());
        drop(request(&clients, 1).places(soon()).await.expect("an account has a line of its own"));
        let held = anonymous
            .into_iter()
            .filter_map(|request| request.end(StatusCode::BAD_REQUEST, FailureSource::Suite));
        assert!(held.count() > 800, "all but the first hundred");
    }
}
