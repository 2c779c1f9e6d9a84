//! Answers that are given again: a shared cache (RFC 9111) of what components explicitly allow others to have, for routes that
//! ask for it. With the feature `response-cache`.
//!
//! - `options`: its bounds. `store`: what is kept. `flights`: who asks for what others ask for as well.
//! - `target`: what a request is addressed to. `writes`: what a write makes go. `unsettled_writes`: those that may still come about.
//! - `stored`: an answer as it is kept. `freshness`: whether it may be, and for how long it holds.
//! - `conditions`: what a client has already, and how a component is asked whether that still holds.
//! - `cache_control`: directives as they are written.
//!
//! A request finds an answer ([`ResponseCache::look_up`]), or is sent and its answer kept ([`Fill::finish`]). Of requests that
//! would get the same answer one is sent, and the others wait for it, unless the last answer turned out to be for its client
//! alone. That one has its client's places before, so that no other waits while it waits behind requests of its own. Nothing
//! stale is given: where a component can be asked whether an answer still holds, it is. A write makes the answers for its
//! target go, and those for what lies below it (section 4.4). That holds in this process: another gateway, and a cache on the
//! way to the client, may give an answer until it is stale, for as long as its component has allowed (`max-age`).

mod cache_control;
mod conditions;
mod flights;
mod freshness;
mod options;
mod store;
mod stored;
mod target;
mod unsettled_writes;
mod writes;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use contract::{ComponentName, Deadline, Refusal, RefusalKind};
use http::header::AUTHORIZATION;
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body::Body as _;
use runtime::clock;
use runtime::cost::{self, Part};
use transport::attempt::SentTries;
use transport::{Body, BodyError, refusal_response};

use self::cache_control::RequestDirectives;
use self::flights::{Boarding, Flights, Lead, WaitingLimits};
use self::store::{Found, Room, Store};
use self::stored::{Arrival, StorableHead, StoredResponse};
use self::target::CacheKey;
use self::unsettled_writes::UnsettledWrites;
use self::writes::{WriteCounts, WriteReach};
use crate::clients::{ClientPlaces, ClientRequest};
use crate::request_context::RequestContext;

pub use self::options::{CacheOptions, CacheStats};

/// All answers that are kept. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ResponseCache(Arc<Shared>);

struct Shared {
    options: CacheOptions,
    store: Store,
    flights: Flights,
    writes: WriteCounts,
    unsettled: UnsettledWrites,
    /// Whether any route has asked for it so far: a write that is over before has nothing to do here.
    is_used: AtomicBool,
}

/// What there is for a request.
pub(crate) enum Lookup {
    /// What its client gets: no component is asked.
    Answer(Box<Response<Body>>),
    /// A component is to be asked, and its answer to be handed to [`Fill::finish`].
    Ask(Box<Fill>),
}

/// A request that is sent, and what is to become of its answer.
pub(crate) struct Fill {
    cache: ResponseCache,
    key: Arc<CacheKey>,
    /// Writes before it that reach its target, as [`WriteCounts`] has them.
    writes: u64,
    began: Instant,
    /// As it is sent, where that is not as its client sent it.
    request: Option<Box<RequestContext>>,
    /// What the component is asked about.
    stale: Option<Arc<StoredResponse>>,
    /// Those that wait for it.
    lead: Option<Lead>,
    /// Whether its answer may be kept, as far as the request and the writes before it show that.
    may_store: bool,
    /// Places of its client, where it has asked for them.
    places: Option<ClientPlaces>,
    /// How long it has waited for others.
    waited: Duration,
}

/// A write that is under way. Once it is over, what is kept of what it reaches goes where it may have come about (RFC 9111,
/// section 4.4, and beyond):
///
/// - Its component has answered that it has (2xx, 3xx).
/// - It has been sent, and has no such answer: it failed, or its client has left, which drops this before an answer. It may have
///   come about all the same, and an answer that goes for nothing is asked for once more, while one that is out of date stays.
///   It may also do so later: until it cannot any more, no other answers are kept in their place ([`UnsettledWrites`]).
/// - Not where its component has refused it (4xx), unless another try of it had been sent before.
/// - Not where none of it has been sent: the gateway has refused it, no connection has taken it, or its client has left while it
///   waited. Otherwise the cache could be emptied by writes that no component ever had to refuse.
pub(crate) struct PossibleWrite<'a> {
    cache: &'a ResponseCache,
    request: &'a RequestContext,
    sent: &'a SentTries,
    /// What its answer names as changed.
    named: Vec<WriteReach>,
    /// How it was answered.
    status: Option<StatusCode>,
}

impl ResponseCache {
    /// Nothing is kept yet. `by_address` is whether addresses set clients apart.
    pub fn new(options: CacheOptions, by_address: bool) -> Self {
        let per_address = by_address.then_some(options.max_waiting_per_address);
        let shared = Shared {
            options,
            store: Store::new(options),
            flights: Flights::new(WaitingLimits { in_all: options.max_waiting, per_address }),
            writes: WriteCounts::new(),
            unsettled: UnsettledWrites::new(),
            is_used: AtomicBool::new(false),
        };
        Self(Arc::new(shared))
    }

    /// What it holds now.
    pub fn stats(&self) -> CacheStats {
        let (entries, bytes) = self.0.store.size();
        CacheStats { entries, bytes, waiting: self.0.flights.waiting() }
    }

    /// What there is for a read without a body, perhaps after waiting for the answer to another one.
    pub async fn look_up(
        &self,
        request: &RequestContext,
        client: &ClientRequest,
        deadline: Deadline,
    ) -> Lookup {
        // Before anything is asked: a write that does not see it was over by then.
        self.0.is_used.store(true, Ordering::SeqCst);
        let (fields, component) = (request.headers(), component_of(request));
        let key = Arc::new(key_of(request));
        let is_plain = !conditions::are_beyond_a_cache(fields);
        let (asked, is_authorized) = (RequestDirectives::of(fields), fields.contains_key(AUTHORIZATION));
        let until = self.waits_until(deadline);
        let (mut waited, mut lead, mut places) = (None::<Duration>, None, None);
        loop {
            if !is_plain && !asked.only_if_cached {
                break;
            }
            let now_ns = clock::now_ns();
            let found = self.0.store.find(&key, fields, component, now_ns);
            let known = match &found {
                Found::Answer(answer) if is_plain && (answer.allows_authorization() || !is_authorized) => {
                    Some(answer)
                }
                _ => None,
            };
            if let Some(answer) = known.filter(|answer| !asked.no_cache && answer.is_fresh(now_ns, &asked)) {
                telemetry::response_cache(component, if waited.is_some() { "coalesced" } else { "hit" });
                return Lookup::Answer(Box::new(answer.response(&request.method, fields, now_ns)));
            }
            // That it gets none is its own condition, and counts against neither side.
            if asked.only_if_cached {
                telemetry::response_cache(component, "miss");
                return Lookup::Answer(Box::new(refusal_response::encode(&not_kept())));
            }
            // What an account gets is for others only where its component has shown that.
            let is_for_others = !matches!(found, Found::Pass) && (!is_authorized || known.is_some());
            let is_asked_as_is = asked.no_store || asked.no_cache || request.method != Method::GET;
            if !is_for_others || is_asked_as_is {
                break;
            }
            if let Some(lead) = lead.take() {
                let fill = self.leading(request, key, lead, known.cloned());
                return Lookup::Ask(Box::new(Fill { places, waited: waited.unwrap_or_default(), ..fill }));
            }
            let (selection, ready) = (self.0.store.selection(&key, fields), places.is_some());
            match self.0.flights.board(&key, selection, ready, request.peer) {
                // It looks once more: another one may have ended since it looked.
                Boarding::Lead(new) => lead = Some(new),
                Boarding::Vacant => {
                    let taken = client.places(deadline.instant()).await;
                    let is_refused = taken.is_err();
                    places = Some(taken);
                    if is_refused {
                        break;
                    }
                }
                Boarding::Follow(other) if clock::now() < until => {
                    let began = clock::now();
                    cost::part(Part::Queueing, other.ended(until)).await;
                    waited = Some(waited.unwrap_or_default() + (clock::now() - began));
                }
                Boarding::Follow(_) | Boarding::Full => break,
            }
        }
        telemetry::response_cache(component, "pass");
        let fill = self.fill(key);
        let may_store = fill.may_store && is_plain && !asked.no_store && request.method == Method::GET;
        let waited = waited.unwrap_or_default();
        Lookup::Ask(Box::new(Fill { may_store, places, waited, ..fill }))
    }

    /// A request that is to be sent, if it may write.
    pub fn begin_write<'a>(&'a self, request: &'a RequestContext) -> Option<PossibleWrite<'a>> {
        let sent = request.sent()?;
        Some(PossibleWrite { cache: self, request, sent, named: Vec::new(), status: None })
    }

    fn is_used(&self) -> bool {
        self.0.is_used.load(Ordering::SeqCst)
    }

    /// What is kept of what a write reaches goes, and what is on its way is not kept any more.
    fn invalidate(&self, reach: &WriteReach) {
        // First: an answer whose writes were counted before is then not kept, or removed below.
        self.0.writes.add(reach);
        self.0.flights.part_with(reach);
        self.0.store.remove(reach);
    }

    /// Until when a request waits for another one: half of its time is left for asking by itself.
    fn waits_until(&self, deadline: Deadline) -> Instant {
        let now = clock::now();
        let left = deadline.remaining(now).unwrap_or_default();
        now + self.0.options.longest_wait.min(left / 2)
    }

    fn fill(&self, key: Arc<CacheKey>) -> Fill {
        let writes = self.0.writes.reaching(&key);
        let may_store = !self.0.unsettled.reach(&key, clock::now_ns());
        Fill {
            cache: self.clone(),
            key,
            writes,
            began: clock::now(),
            request: None,
            stale: None,
            lead: None,
            may_store,
            places: None,
            waited: Duration::ZERO,
        }
    }

    /// A request that is sent for all that wait: for the whole answer whatever its client has, or to hear that what is kept still
    /// holds.
    fn leading(
        &self,
        request: &RequestContext,
        key: Arc<CacheKey>,
        lead: Lead,
        known: Option<Arc<StoredResponse>>,
    ) -> Fill {
        let stale = known.filter(|answer| conditions::has_validator(answer.headers()));
        let is_changed = stale.is_some() || conditions::is_conditional(request.headers());
        let sent = is_changed.then(|| {
            let validators = stale.as_ref().map(|answer| answer.headers());
            Box::new(request.with_headers(|fields| conditions::ask_whether_it_holds(fields, validators)))
        });
        Fill { request: sent, stale, lead: Some(lead), ..self.fill(key) }
    }

    fn report_size(&self) {
        let (entries, bytes) = self.0.store.size();
        telemetry::response_cache_size(entries, bytes);
    }
}

impl Fill {
    /// The request as it is sent; `own` is the client's.
    pub fn request<'a>(&'a self, own: &'a RequestContext) -> &'a RequestContext {
        self.request.as_deref().unwrap_or(own)
    }

    /// How long it has waited for the answers to other requests, which is not its client's doing.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Places of its client, which are asked for now unless they have been. They are not kept until its answer is whole.
    pub async fn places(&mut self, client: &ClientRequest, deadline: Deadline) -> ClientPlaces {
        match self.places.take() {
            Some(places) => places,
            None => client.places(deadline.instant()).await,
        }
    }

    /// What the client gets of the component's answer, which is kept where it may be. `None` where the component is to be asked
    /// again, since it confirmed an answer that is not the one it was asked about.
    pub async fn finish(self, own: &RequestContext, response: Response<Body>) -> Option<Response<Body>> {
        let arrival = self.arrival();
        let (head, body) = response.into_parts();
        if let Some(stale) = self.stale.as_ref().filter(|_| head.status == StatusCode::NOT_MODIFIED) {
            return self.confirmed(own, stale, &head.headers, arrival);
        }
        if self.lead.is_some() {
            telemetry::response_cache(component_of(own), "miss");
        }
        let Some((kept, room)) = self.room(own, &head, &body, arrival) else {
            self.note_pass(head.status, arrival.now_ns);
            return Some(Response::from_parts(head, body));
        };
        // All of it is here before the client gets any: those that wait get it at the same moment, or look again.
        let bytes = match body.bytes(self.cache.0.options.max_entry_bytes).await {
            Ok(bytes) => bytes,
            Err(error) => return Some(refusal_response::encode(&broken_off(&error))),
        };
        let answer = StoredResponse::new(component_of(own), kept, &bytes, arrival.now_ns);
        Some(self.keep(own, answer, room))
    }

    /// The moment that an answer has come.
    fn arrival(&self) -> Arrival {
        let now = clock::now();
        let wall = UNIX_EPOCH + Duration::from_micros(u64::try_from(clock::wall_us()).unwrap_or_default());
        Arrival { now_ns: clock::ns_at(now), wall, delay: now.saturating_duration_since(self.began) }
    }

    /// The head of an answer that may be kept, and room for it.
    fn room(
        &self,
        own: &RequestContext,
        head: &Parts,
        body: &Body,
        arrival: Arrival,
    ) -> Option<(StorableHead, Room)> {
        let length = body.size_hint().exact()?;
        if !self.may_store || length > self.cache.0.options.max_entry_bytes {
            return None;
        }
        let kept = self.storable(own, head.status, &head.headers, arrival)?;
        let room = self.cache.0.store.reserve(kept.cost(length))?;
        Some((kept, room))
    }

    fn storable(
        &self,
        own: &RequestContext,
        status: StatusCode,
        headers: &HeaderMap,
        arrival: Arrival,
    ) -> Option<StorableHead> {
        let fields = own.headers();
        StorableHead::of(fields, fields.contains_key(AUTHORIZATION), status, headers, arrival)
    }

    /// Keeps an answer unless a write has come in between, and gives it to its client.
    fn keep(&self, own: &RequestContext, answer: StoredResponse, room: Room) -> Response<Body> {
        let answer = Arc::new(answer);
        let holds = || self.cache.0.writes.reaching(&self.key) == self.writes;
        self.cache.0.store.insert(&self.key, answer.clone(), room, holds);
        self.cache.report_size();
        answer.response(&own.method, own.headers(), clock::now_ns())
    }

    /// The component has confirmed the answer that it was asked about.
    fn confirmed(
        &self,
        own: &RequestContext,
        stale: &Arc<StoredResponse>,
        headers: &HeaderMap,
        arrival: Arrival,
    ) -> Option<Response<Body>> {
        let store = &self.cache.0.store;
        if !conditions::can_be_of(headers, stale.headers()) {
            store.remove_answer(&self.key, stale);
            return None;
        }
        telemetry::response_cache(component_of(own), "revalidated");
        let headers = stale.updated_headers(headers);
        let kept = self.storable(own, stale.status(), &headers, arrival);
        let room = kept.as_ref().and_then(|kept| store.reserve(kept.cost(stale.body().len() as u64)));
        let (Some(kept), Some(room)) = (kept, room) else {
            // It is for this client, and not to be kept any longer.
            store.remove_answer(&self.key, stale);
            let mut response = Response::new(Body::full(stale.body()));
            *response.status_mut() = stale.status();
            *response.headers_mut() = headers;
            return Some(response);
        };
        Some(self.keep(own, stale.confirmed(kept, arrival.now_ns), room))
    }

    /// Requests for what is not kept do not wait for each other. That one has failed, or its client had to wait, shows nothing.
    fn note_pass(&self, status: StatusCode, now_ns: u64) {
        let is_failure = status.is_server_error()
            || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        if self.lead.is_none() || is_failure {
            return;
        }
        let pass_ns = u64::try_from(self.cache.0.options.pass_time.as_nanos()).unwrap_or(u64::MAX);
        self.cache.0.store.pass(&self.key, now_ns.saturating_add(pass_ns));
        self.cache.report_size();
    }
}

impl PossibleWrite<'_> {
    /// It has been answered so. One that came about may have changed more than its target, which its answer names.
    pub fn answered(mut self, response: &Response<Body>) {
        self.status = Some(response.status());
        if self.cache.is_used() && self.has_come_about() {
            let host = key_of(self.request).host;
            self.named.extend(WriteReach::named_by(response.headers(), &host));
        }
    }

    fn has_come_about(&self) -> bool {
        self.status.is_some_and(|status| status.is_success() || status.is_redirection())
    }
}

impl Drop for PossibleWrite<'_> {
    fn drop(&mut self) {
        // A refusal is the answer to the last try alone.
        let refused = usize::from(self.status.is_some_and(|status| status.is_client_error()));
        if self.sent.count() <= refused {
            return;
        }
        let own = || WriteReach::of(&self.request.method, self.request.uri().path());
        if !self.has_come_about() {
            // First: a read whose writes are counted after this one then sees it here.
            self.cache.0.unsettled.add(own(), clock::now_ns());
        }
        if !self.cache.is_used() {
            return;
        }
        let own = own();
        self.named.iter().chain([&own]).for_each(|reach| self.cache.invalidate(reach));
        self.cache.report_size();
    }
}

fn component_of(request: &RequestContext) -> ComponentName {
    request.target.backend.name
}

fn key_of(request: &RequestContext) -> CacheKey {
    CacheKey::new(request.uri(), request.host().map(HeaderValue::as_bytes).unwrap_or_default())
}

/// A request that asks for no answer but a kept one (RFC 9111, section 5.2.1.7), also where it asks for a part or has a
/// condition that none of these can meet.
fn not_kept() -> Refusal {
    let message = "no kept answer holds for this request, which asks for no other";
    Refusal::new(RefusalKind::DeadlineExceeded, "not_cached", message)
}

/// The answer ended early, and its client has not seen any of it.
fn broken_off(error: &BodyError) -> Refusal {
    match error {
        BodyError::Idle(_) | BodyError::Late => Refusal::new(
            RefusalKind::DeadlineExceeded,
            "answer_too_slow",
            "the rest of the answer did not come in time",
        ),
        BodyError::TooLarge(_) | BodyError::Broken(_) => {
            Refusal::new(RefusalKind::Lost, "connection_lost", "the component broke off while answering")
        }
    }
}
