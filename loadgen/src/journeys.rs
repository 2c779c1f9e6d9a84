//! The requests of each journey, and checks of the responses.

use bytes::Bytes;
use load_protocol::{PASSWORD, PROBE_TIMEOUT_US};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use traffic::dataset::user_id;
use traffic::schedule::JourneyTarget;
use traffic::{Arrival, Journey};

use crate::arm_context::ArmContext;
use crate::arrival_queue::Dispatched;
use crate::recorder::{Cause, Outcome};
use crate::reply::{self, Account, EditedProfile, FeedPage, SearchReply, Session, WithId};
use crate::users::{self, AcknowledgedWrite};

/// Number of the arrival, in every request of a journey.
const REQUEST: HeaderName = HeaderName::from_static("x-cleave-request");
/// Trace of a journey, in every request (W3C Trace Context).
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Key of a write, which takes effect once.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Performs a journey. Its first request is sent when the arrival is due, if it is `held` until then.
pub async fn perform(arm: &ArmContext, arrival: &Arrival, held: Option<&Dispatched>) -> Outcome {
    let traceparent = arm.users.trace(arrival.seq).header();
    let mut run = JourneyRun {
        arm,
        arrival,
        held,
        reader: arrival.user,
        traceparent: HeaderValue::try_from(traceparent).expect("hexadecimal digits are visible ASCII"),
        step: 0,
        outcome: Outcome::default(),
    };
    let cause = run.perform().await.err();
    Outcome { cause, ..run.outcome }
}

/// A journey in progress.
struct JourneyRun<'a> {
    arm: &'a ArmContext,
    arrival: &'a Arrival,
    /// Until the first request has been sent.
    held: Option<&'a Dispatched>,
    /// The user in whose name requests are sent.
    reader: u32,
    traceparent: HeaderValue,
    step: u32,
    outcome: Outcome,
}

type JourneyResult<T> = Result<T, Cause>;

/// Fails the journey if a check of the response does not hold.
fn ensure(holds: bool) -> JourneyResult<()> {
    if holds { Ok(()) } else { Err(Cause::Check) }
}

/// Fails the journey unless a response is that of the resource with this id.
fn ensure_id(body: &[u8], id: &str) -> JourneyResult<()> {
    let found: WithId<'_> = reply::read(body)?;
    ensure(found.id == id)
}

impl JourneyRun<'_> {
    async fn perform(&mut self) -> JourneyResult<()> {
        let users = self.arm.users.clone();
        let user = self.arrival.user;
        let page = users.page();
        match (self.arrival.journey, self.arrival.target()) {
            (Journey::HomeFeed, _) => {
                let first = self.feed_page(&format!("/v1/feed?limit={page}")).await?;
                // A user who follows no one with photos has an empty feed, counted as an empty page.
                ensure(!first.items.is_empty() || users.has_empty_feed(user))
            }
            (Journey::NextPage, _) => {
                let first = self.feed_page(&format!("/v1/feed?limit={page}")).await?;
                let Some(next) = first.next else { return Ok(()) };
                let second = self.feed_page(&format!("/v1/feed?limit={page}&cursor={next}")).await?;
                ensure(second.items.iter().all(|id| !first.items.contains(id)))
            }
            (Journey::ViewPhoto, JourneyTarget::Photo(photo)) => {
                let id = users.photo(photo).to_string();
                ensure_id(&self.get(&format!("/v1/photos/{id}")).await?, &id)
            }
            (Journey::ViewProfile, JourneyTarget::User(other)) => {
                let id = users.user(other).to_string();
                ensure_id(&self.get(&format!("/v1/users/{id}")).await?, &id)
            }
            (Journey::UserFeed, JourneyTarget::User(other)) => {
                let path = format!("/v1/users/{}/photos?limit={page}", users.user(other));
                self.feed_page(&path).await.map(drop)
            }
            (Journey::Search, JourneyTarget::Photo(photo)) => {
                let words = users.dataset().photos[photo as usize].caption.split(' ');
                let count = 1 + (self.arrival.payload_seed % 3) as usize;
                let query = words.take(count).collect::<Vec<_>>().join("+");
                let body = self.get(&format!("/v1/search?in=photos&q={query}")).await?;
                let SearchReply { items } = reply::read(&body)?;
                self.outcome.pages += 1;
                self.outcome.empty_pages += u64::from(items.is_empty());
                ensure(!items.is_empty())
            }
            (Journey::Like, JourneyTarget::Photo(photo)) => {
                let path = format!("/v1/photos/{}/like", users.photo(photo));
                reply::skip(&self.write(Method::PUT, &path, None).await?)?;
                users.record_write(AcknowledgedWrite::Like { photo, user });
                Ok(())
            }
            (Journey::Follow, JourneyTarget::Follow(other)) => self.follow(user, other, Method::PUT).await,
            (Journey::Follow, JourneyTarget::Unfollow(other)) => {
                self.follow(user, other, Method::DELETE).await
            }
            (Journey::Upload, _) => {
                let id = self.upload().await?;
                ensure_id(&self.get(&format!("/v1/photos/{id}")).await?, &id)
            }
            (Journey::PostThenRead, _) => {
                let path = format!("/v1/users/{}/photos?limit=20", users.user(user));
                self.post_then_probe(&path, user).await
            }
            (Journey::CelebrityPost, JourneyTarget::User(reader)) => {
                self.post_then_probe(&format!("/v1/feed?limit={page}"), reader).await
            }
            (Journey::EditProfile, _) => {
                let seq = self.arrival.seq;
                let bio = users::bio(seq);
                let body = self.write(Method::PATCH, "/v1/users/me", Some(json!({ "bio": bio }))).await?;
                let edited: EditedProfile<'_> = reply::read(&body)?;
                ensure(edited.version > 1 && edited.bio == bio)?;
                users.record_write(AcknowledgedWrite::Profile { user, seq });
                Ok(())
            }
            (Journey::SignUp, _) => {
                let (seq, suffix) = (self.arrival.seq, self.arrival.payload_seed as u16);
                let handle = users::handle(seq, suffix);
                let body = json!({ "handle": handle, "name": "New Here", "password": PASSWORD });
                let body = self.write(Method::POST, "/v1/users", Some(body)).await?;
                let Account { user, .. } = reply::read(&body)?;
                ensure(user.handle == handle && user.id == user_id(&handle).to_string())?;
                users.record_write(AcknowledgedWrite::Account { seq, suffix });
                Ok(())
            }
            (Journey::LogIn, _) => {
                let handle = &users.account(user).handle;
                let body = json!({ "handle": handle, "password": PASSWORD });
                let body = self.write(Method::POST, "/v1/sessions", Some(body)).await?;
                reply::read::<Session<'_>>(&body).map(drop)
            }
            (
                Journey::ViewPhoto
                | Journey::ViewProfile
                | Journey::UserFeed
                | Journey::CelebrityPost
                | Journey::Search
                | Journey::Like
                | Journey::Follow,
                _,
            ) => {
                unreachable!("the schedule gives these journeys a target of their own")
            }
        }
    }

    async fn follow(&mut self, follower: u32, followee: u32, method: Method) -> JourneyResult<()> {
        let present = method == Method::PUT;
        let path = format!("/v1/users/{}/follow", self.arm.users.user(followee));
        reply::skip(&self.write(method, &path, None).await?)?;
        self.arm.users.record_write(AcknowledgedWrite::Edge { follower, followee, present });
        Ok(())
    }

    async fn upload(&mut self) -> JourneyResult<String> {
        let users = self.arm.users.clone();
        let picture = users.picture(self.arrival.payload_seed);
        let caption = format!("arrival+{}", self.arrival.seq);
        let request = self
            .request(Method::POST, &format!("/v1/photos?caption={caption}&tags=fresh"))
            .header(CONTENT_TYPE, HeaderValue::from_static("image/jpeg"))
            .body(picture);
        let body = self.read(request).await?;
        let id = reply::read::<WithId<'_>>(&body)?.id.into_owned();
        let acknowledged = id.parse().map_err(|_| Cause::Check)?;
        users.record_write(AcknowledgedWrite::Photo { id: acknowledged, author: self.arrival.user });
        Ok(id)
    }

    /// Posts a photo, then polls another component as `reader` until the photo is visible.
    async fn post_then_probe(&mut self, path: &str, reader: u32) -> JourneyResult<()> {
        let id = self.upload().await?;
        let acknowledged = self.arm.now_us();
        // Until it is seen: a read that fails does not end the wait.
        self.outcome.is_unseen = true;
        self.reader = reader;
        let mut tries = 0;
        loop {
            let requested = self.arm.now_us();
            let page = self.feed_page(path).await?;
            let seen = page.items.contains(&id);
            if tries == 0 {
                self.outcome.probes += 1;
                self.outcome.stale += u64::from(!seen);
            }
            if seen {
                // The photo was visible no later than the request whose response shows it.
                self.outcome.staleness_us =
                    Some(if tries == 0 { 1 } else { requested.saturating_sub(acknowledged).max(1) });
                self.outcome.is_unseen = false;
                return Ok(());
            }
            tries += 1;
            if requested.saturating_sub(acknowledged) > PROBE_TIMEOUT_US {
                return Ok(());
            }
            tokio::time::sleep(PROBE_INTERVAL).await;
        }
    }

    async fn feed_page(&mut self, path: &str) -> JourneyResult<Page> {
        let body = self.get(path).await?;
        let FeedPage { items, next } = reply::read(&body)?;
        self.outcome.pages += 1;
        self.outcome.empty_pages += u64::from(items.is_empty());
        ensure(items.iter().all(|item| !item.author_name.is_empty()))?;
        Ok(Page { items: items.into_iter().map(|item| item.photo.id.into_owned()).collect(), next })
    }

    async fn get(&mut self, path: &str) -> JourneyResult<Bytes> {
        let request = self.request(Method::GET, path);
        self.read(request).await
    }

    async fn write(&mut self, method: Method, path: &str, body: Option<Value>) -> JourneyResult<Bytes> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            let json = HeaderValue::from_static("application/json");
            request = request.header(CONTENT_TYPE, json).body(body.to_string());
        }
        self.read(request).await
    }

    /// A request of this journey: the user's token, the trace, and for writes a
    /// key that follows from the arrival, so that ids are the same in every arm.
    fn request(&mut self, method: Method, path: &str) -> RequestBuilder {
        let users = &self.arm.users;
        let writes = method != Method::GET;
        let request = self
            .arm
            .client
            .request(method, format!("{}{path}", self.arm.url))
            .header(AUTHORIZATION, users.bearer(self.reader))
            .header(REQUEST, HeaderValue::from(self.arrival.seq))
            .header(TRACEPARENT, &self.traceparent);
        self.step += 1;
        if !writes {
            return request;
        }
        let key = format!("{:016x}-{}", self.arrival.payload_seed, self.step);
        request.header(KEY, key)
    }

    /// Sends a request and reads the whole response. Its body where it was accepted; a refusal's is read and looked at no
    /// further.
    async fn read(&mut self, request: RequestBuilder) -> JourneyResult<Bytes> {
        let sent = match self.held.take() {
            Some(dispatched) => self.arm.hold(dispatched),
            None => self.arm.now_us(),
        };
        let response = async {
            let response = request.send().await.map_err(|error| cause_of(&error))?;
            Ok::<_, Cause>((response.status(), body(response).await?))
        };
        let response = response.await;
        self.outcome.exchanges.push((sent, self.arm.now_us()));
        let (status, body) = response?;
        self.outcome.bytes += body.len() as u64;
        match status {
            status if status.is_server_error() => Err(Cause::Status5xx),
            status if status.is_client_error() => Err(Cause::Status4xx),
            _ => Ok(body),
        }
    }
}

/// A page of a feed, as journeys go on with it.
struct Page {
    /// Ids of its photos.
    items: Vec<String>,
    next: Option<String>,
}

/// Interval of polls.
const PROBE_INTERVAL: std::time::Duration = std::time::Duration::from_millis(2);

/// Reads the body of every response, errors included, so that the connection can be reused.
async fn body(response: Response) -> JourneyResult<Bytes> {
    response.bytes().await.map_err(|error| if error.is_timeout() { Cause::Timeout } else { Cause::Body })
}

fn cause_of(error: &reqwest::Error) -> Cause {
    if error.is_timeout() {
        Cause::Timeout
    } else if error.is_connect() {
        Cause::Connect
    } else {
        Cause::Reset
    }
}
