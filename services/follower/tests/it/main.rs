//! Edges: the same stories by function call, encoded, and across sockets.

use std::sync::Arc;

use contract::RefusalKind;
use follower_api::{Counts, CountsOf, Followed, Followers, FollowersOf, PopularFollowedBy, Unfollowed};
use history::History;
use profile_api::{ProfileDeleted, ProfilesByIds, UserId};
use serde_json::{Value, json};
use testkit::fakes::Roster;
use testkit::{Client, InProcess, Reply, Subject, delete, eventually, get, put};

const NOTHING_YET: Subject = Subject {
    service: &follower::SERVICE,
    fakes: |calls| calls.answer::<ProfilesByIds>(Arc::new(Roster)),
    history: History::default,
    program: env!("CARGO_BIN_EXE_follower"),
};
static EMPTY: Subject = NOTHING_YET;
static SEEDED: Subject = Subject { history: four_edges, ..NOTHING_YET };

testkit::on_every_carrier!(EMPTY =>
    an_edge_counts_once_however_often_it_is_put,
    one_key_has_one_effect,
    an_impossible_follow_is_refused_with_a_reason,
    pages_hold_still_while_edges_change,
    the_fan_out_gets_its_answers,
    a_deleted_user_takes_the_edges_along,
);

fn user(number: u64) -> UserId {
    UserId::new(number)
}

async fn follow(client: &impl Client, follower: u64, followee: u64) -> Reply {
    client.send(put(format!("/v1/users/{}/follow", user(followee))).token(client.token(user(follower)))).await
}

async fn unfollow(client: &impl Client, follower: u64, followee: u64) -> Reply {
    client
        .send(delete(format!("/v1/users/{}/follow", user(followee))).token(client.token(user(follower))))
        .await
}

async fn list(client: &impl Client, number: u64, what: &str, query: &str) -> Value {
    client.send(get(format!("/v1/users/{}/{what}{query}", user(number)))).await.expect(200)
}

/// The numbers of the users on a page.
fn numbers(page: &Value) -> Vec<u64> {
    let items = page["items"].as_array().expect("a list");
    items
        .iter()
        .map(|item| item["id"].as_str().expect("an id").parse::<UserId>().expect("an id").raw())
        .collect()
}

async fn an_edge_counts_once_however_often_it_is_put(client: impl Client) {
    let there = json!({"user": user(2), "following": true, "followers": 1});
    assert_eq!(follow(&client, 1, 2).await.expect(200), there);
    assert_eq!(follow(&client, 1, 2).await.expect(200), there);
    assert_eq!(client.published::<Followed>().await, [Followed { follower: user(1), followee: user(2) }]);

    let page = list(&client, 2, "followers", "").await;
    let person = json!({"id": user(1), "handle": "user1", "name": "User 1"});
    assert_eq!(page, json!({"items": [person], "followers": 1, "following": 0}));
    let page = list(&client, 1, "following", "").await;
    assert_eq!((numbers(&page), &page["following"]), (vec![2], &json!(1)));

    let gone = json!({"user": user(2), "following": false, "followers": 0});
    assert_eq!(unfollow(&client, 1, 2).await.expect(200), gone);
    assert_eq!(unfollow(&client, 1, 2).await.expect(200), gone);
    assert_eq!(client.published::<Unfollowed>().await, [Unfollowed { follower: user(1), followee: user(2) }]);
    // Again is another event, not a repeat of the first.
    follow(&client, 1, 2).await.expect(200);
    assert_eq!(client.published::<Followed>().await.len(), 2);
}

async fn one_key_has_one_effect(client: impl Client) {
    let path = format!("/v1/users/{}/follow", user(2));
    let request = put(&path).token(client.token(user(1))).key("once");
    let (one, other) = tokio::join!(client.send(request.clone()), client.send(request.clone()));
    assert_eq!(one.expect(200), other.expect(200));
    unfollow(&client, 1, 2).await.expect(200);
    // A late repeat gets the first reply and does not follow anew.
    assert_eq!(client.send(request).await.expect(200)["following"], true);
    assert_eq!(list(&client, 2, "followers", "").await["followers"], 0);
    assert_eq!(client.published::<Followed>().await.len(), 1);

    client.send(delete(&path).token(client.token(user(1))).key("once")).await.refused(422, "key_reused");
    let namesake = put(&path).token(client.token(user(3))).key("once");
    assert_eq!(client.send(namesake).await.expect(200)["followers"], 1, "keys belong to their users");
}

async fn an_impossible_follow_is_refused_with_a_reason(client: impl Client) {
    follow(&client, 1, 1).await.refused(422, "follow_self");
    follow(&client, 1, 5_000).await.refused(404, "user_not_found");
    unfollow(&client, 1, 5_000).await.refused(404, "user_not_found");
    follow(&client, 5_000, 1).await.refused(401, "account_gone");
    client.send(put(format!("/v1/users/{}/follow", user(2)))).await.refused(401, "token_required");
    client
        .send(put("/v1/users/someone/follow").token(client.token(user(1))))
        .await
        .refused(400, "id_invalid");
    for what in ["followers", "following"] {
        let stranger = format!("/v1/users/{}/{what}", user(5_000));
        client.send(get(stranger)).await.refused(404, "user_not_found");
        let known = format!("/v1/users/{}/{what}", user(7));
        client.send(get(format!("{known}?cursor=forged"))).await.refused(400, "cursor_invalid");
        client.send(get(format!("{known}?limit=101"))).await.refused(400, "limit_invalid");
        assert_eq!(
            client.send(get(known)).await.expect(200),
            json!({"items": [], "followers": 0, "following": 0})
        );
    }
    assert!(client.published::<Followed>().await.is_empty());
}

async fn pages_hold_still_while_edges_change(client: impl Client) {
    for follower in 11..=35 {
        follow(&client, follower, 1).await.expect(200);
    }
    let first = list(&client, 1, "followers", "?limit=10").await;
    assert_eq!((numbers(&first), &first["followers"]), ((11..=20).collect(), &json!(25)));
    // One of the page already read leaves, one before it comes: nothing shifts.
    unfollow(&client, 15, 1).await.expect(200);
    follow(&client, 2, 1).await.expect(200);
    let query = format!("?limit=10&cursor={}", first["next"].as_str().expect("15 are left"));
    let second = list(&client, 1, "followers", &query).await;
    assert_eq!(numbers(&second), (21..=30).collect::<Vec<_>>());
    let query = format!("?limit=10&cursor={}", second["next"].as_str().expect("5 are left"));
    let third = list(&client, 1, "followers", &query).await;
    assert_eq!((numbers(&third), third.get("next")), ((31..=35).collect(), None));
}

async fn the_fan_out_gets_its_answers(client: impl Client) {
    // 1 has three followers, 2 has two, 3 has one; 9 follows all three.
    for (follower, followee) in [(7, 1), (8, 1), (9, 1), (8, 2), (9, 2), (9, 3)] {
        follow(&client, follower, followee).await.expect(200);
    }
    let part = FollowersOf { user: user(1), after: Some(user(7)), limit: 1 };
    assert_eq!(client.ask(part).await.expect("answers"), Followers { ids: vec![user(8)], total: 3 });

    let counts = client.ask(CountsOf { users: vec![user(9), user(1), user(500)] }).await.expect("answers");
    let count = |number, followers, following| Counts { user: user(number), followers, following };
    assert_eq!(counts, [count(9, 0, 3), count(1, 3, 0), count(500, 0, 0)]);

    let popular = |at_least, limit| client.ask(PopularFollowedBy { user: user(9), at_least, limit });
    assert_eq!(popular(2, 100).await.expect("answers"), [user(1), user(2)]);
    assert_eq!(popular(1, 1).await.expect("answers"), [user(1)]);
    assert_eq!(popular(u64::MAX, 100).await.expect("answers"), []);
    assert_eq!(popular(1, 101).await.expect_err("too many").kind, RefusalKind::BadRequest);
    let many = FollowersOf { user: user(1), after: None, limit: 5_001 };
    assert_eq!(client.ask(many).await.expect_err("too many").kind, RefusalKind::BadRequest);
}

async fn a_deleted_user_takes_the_edges_along(client: impl Client) {
    // 1 follows 2, 2 follows 1 and 3, 4 follows 2 and 3. Then 2 goes.
    for (follower, followee) in [(1, 2), (2, 1), (2, 3), (4, 2), (4, 3)] {
        follow(&client, follower, followee).await.expect(200);
    }
    client.publish("ProfileDeleted/2", ProfileDeleted { id: user(2) }).await;
    let left = CountsOf { users: vec![user(1), user(2), user(3), user(4)] };
    let count = |number, followers, following| Counts { user: user(number), followers, following };
    let expected = [count(1, 0, 0), count(2, 0, 0), count(3, 1, 0), count(4, 0, 1)];
    eventually("the edges of a deleted user go", async || {
        (client.ask(left.clone()).await.expect("answers") == expected).then_some(())
    })
    .await;
    assert_eq!(numbers(&list(&client, 3, "followers", "").await), [4]);
    assert_eq!(numbers(&list(&client, 4, "following", "").await), [3]);
    // The roster still has 2, as a reply on its way might: the edge is refused all the same.
    follow(&client, 1, 2).await.refused(404, "user_not_found");
    follow(&client, 2, 1).await.refused(401, "account_gone");
    assert!(client.published::<Unfollowed>().await.is_empty(), "the deletion covers all edges");
}

const EDGES: [(u64, u64); 4] = [(3, 1), (1, 2), (2, 1), (1, 3)];

fn four_edges() -> History {
    let follows =
        EDGES.map(|(follower, followee)| Followed { follower: user(follower), followee: user(followee) });
    History { follows: follows.into(), ..History::default() }
}

#[tokio::test]
async fn a_loaded_history_is_as_good_as_a_lived_one() {
    let loaded = InProcess::local(&SEEDED).await;
    let lived = InProcess::local(&EMPTY).await;
    for (follower, followee) in EDGES {
        follow(&lived, follower, followee).await.expect(200);
    }
    let same = lived.digest(&EMPTY).await;
    assert_eq!(loaded.digest(&SEEDED).await, same);
    // There and back again is nowhere; one edge less is something.
    follow(&lived, 9, 8).await.expect(200);
    unfollow(&lived, 9, 8).await.expect(200);
    assert_eq!(lived.digest(&EMPTY).await, same);
    unfollow(&loaded, 3, 1).await.expect(200);
    assert_ne!(loaded.digest(&SEEDED).await, same);
}
