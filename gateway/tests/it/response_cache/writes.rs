//! What a write makes go, and what it does not let in.

use super::*;
use crate::fixture::{instances, refusing_addr};

#[tokio::test]
async fn a_write_makes_answers_for_its_target_go() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let answer = |number: usize, _: HeaderMap| {
        let mut response = numbered(number, KEPT);
        // The first write is refused.
        *response.status_mut() = if number == 2 { StatusCode::CONFLICT } else { StatusCode::OK };
        response
    };
    let fixture = open(&tasks, component(&hits, answer), CacheOptions::default()).await;
    assert_eq!(text(&fixture, "").await, "answer 1");
    assert_eq!(ask(fixture.addr, "POST", "").await.status, 409);
    assert_eq!(text(&fixture, "").await, "answer 1", "nothing has changed");
    assert_eq!(ask(fixture.addr, "POST", "").await.status, 200);
    assert_eq!(text(&fixture, "").await, "answer 4");
}

/// A gateway before photos and their thumbnails, which are kept for each language.
async fn album(tasks: &Tasks, hits: &Hits, free: &Arc<Semaphore>) -> TestGateway {
    let (hits, free) = (hits.clone(), free.clone());
    let answered = move |method: Method| {
        let (number, free) = (hits.hit(), free.clone());
        async move {
            if method == Method::GET {
                free.acquire().await.expect("never closed").forget();
            }
            numbered(number, &[("cache-control", "public, max-age=31536000"), ("vary", "accept-language")])
        }
    };
    let (photo, thumbnail) = ("/v1/photos/{id}", "/v1/photos/{id}/thumbnail");
    let router = Router::new()
        .route("/v1/photos", any(answered.clone()))
        .route(photo, any(answered.clone()))
        .route(thumbnail, any(answered));
    let routes = vec![kept(photo), kept(thumbnail), patient("DELETE", photo), patient("POST", "/v1/photos")];
    open_at(tasks, router, CacheOptions::default(), routes).await
}

#[tokio::test]
async fn nothing_of_a_deleted_photo_is_given_to_any_reader_and_the_others_stay() {
    let (tasks, hits, free) = (Tasks::new(), Hits::default(), Arc::new(Semaphore::new(100)));
    let fixture = album(&tasks, &hits, &free).await;
    let read = async |path: &str, fields: &str| {
        let before = hits.count();
        let answer = exchange(fixture.addr, request("GET", path, fields, b"")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        hits.count() == before
    };
    let of_it = [
        ("/v1/photos/7", ""),
        ("/v1/photos/7", "accept-language: de\r\n"),
        ("/v1/photos/7", "authorization: Bearer t\r\naccept-language: fr\r\n"),
        ("/v1/photos/7?size=2", ""),
        ("/v1/photos/%37/thumbnail", ""),
        ("/v1/photos/7/thumbnail", "accept-language: de\r\n"),
    ];
    let others = [("/v1/photos/8/thumbnail", ""), ("/v1/photos/70", "")];
    for (path, fields) in of_it.into_iter().chain(others) {
        assert!(!read(path, fields).await && read(path, fields).await, "{path} {fields}");
    }
    assert_eq!(exchange(fixture.addr, request("POST", "/v1/photos", "", b"")).await.status, 200);
    for (path, fields) in of_it.into_iter().chain(others) {
        assert!(read(path, fields).await, "what is added changes nothing of {path} {fields}");
    }
    assert_eq!(exchange(fixture.addr, request("DELETE", "/v1/photos/7", "", b"")).await.status, 200);
    for (path, fields) in others {
        assert!(read(path, fields).await, "{path}");
    }
    assert_eq!(fixture.gateway.cache_stats().entries, others.len());
    for (path, fields) in of_it {
        assert!(!read(path, fields).await, "{path} {fields}");
    }
}

#[tokio::test]
async fn a_thumbnail_on_its_way_while_its_photo_is_deleted_is_not_kept() {
    let (tasks, hits, free) = (Tasks::new(), Hits::default(), Arc::new(Semaphore::new(0)));
    let fixture = album(&tasks, &hits, &free).await;
    let thumbnail = || request("GET", "/v1/photos/7/thumbnail", "", b"");
    let (addr, asked) = (fixture.addr, thumbnail());
    let before = tasks.spawn("test.visit", ShutdownPolicy::Drain, async move { exchange(addr, asked).await });
    until("the read inside", || hits.count() == 1).await;
    assert_eq!(exchange(addr, request("DELETE", "/v1/photos/7", "", b"")).await.status, 200);
    free.add_permits(2);
    assert_eq!(answer_of(before).await.body, b"answer 1");
    assert_eq!(exchange(addr, thumbnail()).await.body, b"answer 3");
}

#[tokio::test]
async fn an_answer_that_a_write_overtakes_is_not_kept() {
    let (tasks, hits, free) = (Tasks::new(), Hits::default(), Arc::new(Semaphore::new(0)));
    let fixture =
        open(&tasks, held(&hits, &free, 1, |number| numbered(number, KEPT)), CacheOptions::default()).await;
    let before = visit(&tasks, fixture.addr);
    until("the read inside", || hits.count() == 1).await;
    assert_eq!(ask(fixture.addr, "POST", "").await.status, 200);
    // One that comes after the write waits for no answer from before it.
    let after = visit(&tasks, fixture.addr);
    until("the other read inside", || hits.count() == 3).await;
    free.add_permits(2);
    assert_eq!(answer_of(before).await.body, b"answer 1");
    assert_eq!(answer_of(after).await.body, b"answer 3");
    assert_eq!(text(&fixture, "").await, "answer 3");
}

/// A component that never answers a write.
fn silent_to_writes(hits: &Hits) -> Router {
    let hits = hits.clone();
    let answered = move |method: Method| {
        let number = hits.hit();
        async move {
            if method == Method::POST {
                std::future::pending::<()>().await;
            }
            numbered(number, KEPT)
        }
    };
    Router::new().route("/v1/echo/{id}", any(answered))
}

#[tokio::test]
async fn a_write_whose_client_leaves_once_it_was_sent_may_have_come_about() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let fixture = open(&tasks, silent_to_writes(&hits), CacheOptions::default()).await;
    assert_eq!(text(&fixture, "").await, "answer 1");
    let mut leaving = RawConnection::open(fixture.addr).await;
    leaving.send(request("POST", PATH, "", b"")).await;
    until("the write inside", || hits.count() == 2).await;
    assert_eq!(text(&fixture, "").await, "answer 1", "it is not over");
    drop(leaving);
    until("nothing is kept", || fixture.gateway.cache_stats().entries == 0).await;
    assert_eq!(text(&fixture, "").await, "answer 3");
    assert_eq!(text(&fixture, "").await, "answer 4", "it may come about after that");
    let elsewhere = async || exchange(fixture.addr, request("GET", "/v1/echo/8", "", b"")).await.body;
    assert_eq!((elsewhere().await, elsewhere().await), (b"answer 5".to_vec(), b"answer 5".to_vec()));
}

#[tokio::test]
async fn a_write_whose_client_leaves_before_it_is_sent_makes_nothing_go() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let fixture = open_to(&tasks, silent_to_writes(&hits), CacheOptions::default(), one_at_once()).await;
    assert_eq!(text(&fixture, "").await, "answer 1");
    let mut first = RawConnection::open_from(ELSEWHERE, fixture.addr).await;
    first.send(request("POST", "/v1/echo/8", "", b"")).await;
    until("the first inside", || hits.count() == 2).await;
    let mut second = RawConnection::open_from(ELSEWHERE, fixture.addr).await;
    second.send(request("POST", PATH, "", b"")).await;
    // The second has been read once this has been answered, and waits for the place of the first.
    assert_eq!(text(&fixture, "").await, "answer 1");
    drop(second);
    until("it has left", || fixture.gateway_connections() == 1).await;
    assert_eq!((text(&fixture, "").await.as_str(), hits.count()), ("answer 1", 2));
}

#[tokio::test]
async fn a_write_that_no_component_gets_makes_nothing_go() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let copy = copy(&tasks, component(&hits, |number, _| numbered(number, KEPT))).await;
    let cluster = cluster_of(&[copy.addr()]);
    let routes = vec![kept("/v1/echo/{id}"), patient("POST", "/v1/echo/{id}")];
    let tuning = Tuning { routes: Some(routes), ..Tuning::default() };
    let fixture = TestGateway::tuned(Upstream::Cluster(cluster.clone()), tuning).await;
    assert_eq!(text(&fixture, "").await, "answer 1");
    cluster.update(Vec::new());
    let refused = ask(fixture.addr, "POST", "").await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "no_endpoint"));
    let (_taken, refusing) = refusing_addr();
    cluster.update(instances(&[refusing]));
    assert_eq!(ask(fixture.addr, "POST", "").await.status, 503, "it is refused");
    assert_eq!((text(&fixture, "").await.as_str(), hits.count()), ("answer 1", 1));
}

#[tokio::test]
async fn a_refusal_is_of_the_last_try_and_one_before_it_may_have_come_about() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let answer = |number: usize, _: HeaderMap| match number {
        2 => panic!("on purpose: it has deleted, and its connection is lost"),
        3 => StatusCode::NOT_FOUND.into_response(),
        _ => numbered(number, KEPT),
    };
    let routes = vec![kept("/v1/echo/{id}"), patient("DELETE", "/v1/echo/{id}")];
    let fixture = open_at(&tasks, component(&hits, answer), CacheOptions::default(), routes).await;
    assert_eq!(text(&fixture, "").await, "answer 1");
    assert_eq!(ask(fixture.addr, "DELETE", "").await.status, 404);
    assert_eq!(text(&fixture, "").await, "answer 4");
}

#[tokio::test]
async fn a_write_in_this_process_may_have_come_about_as_well() {
    let hits = Hits::default();
    let routes = vec![kept("/v1/echo/{id}"), patient("POST", "/v1/echo/{id}")];
    let tuning = Tuning { routes: Some(routes), ..Tuning::default() };
    let fixture = TestGateway::tuned(Upstream::Local(silent_to_writes(&hits)), tuning).await;
    assert_eq!(text(&fixture, "").await, "answer 1");
    let mut leaving = RawConnection::open(fixture.addr).await;
    leaving.send(request("POST", PATH, "", b"")).await;
    until("the write inside", || hits.count() == 2).await;
    drop(leaving);
    until("nothing is kept", || fixture.gateway.cache_stats().entries == 0).await;
}
