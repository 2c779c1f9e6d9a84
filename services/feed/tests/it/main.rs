//! What a reader sees of feeds, whatever lies between: function calls, encoded calls, another process.

mod order;
mod world;

use feed_api::{HomeFeed, Position};
use follower_api::{Followed, Unfollowed};
use history::{History, PastPhoto};
use photo_api::{Photo, PhotoDeleted, PhotoId, PhotoPosted};
use profile_api::{ProfileDeleted, UserId};
use serde_json::Value;
use testkit::{Client, InProcess, Subject, eventually, get};

static SUBJECT: Subject = Subject {
    service: &feed::SERVICE,
    fakes: world::still,
    history: History::default,
    program: env!("CARGO_BIN_EXE_feed"),
};

const ADA: UserId = UserId::new(1);
const BOB: UserId = UserId::new(2);
const CLEO: UserId = UserId::new(3);
/// Followed by so many that her posts are merged on read; of our readers, by Ada alone.
const STAR: UserId = world::STAR;

testkit::on_every_carrier!(SUBJECT =>
    a_post_reaches_those_who_follow,
    a_follow_brings_the_past,
    an_unfollow_takes_it_away,
    changes_of_mind_keep_their_order,
    pages_are_disjoint_and_stable,
    a_star_is_merged_on_read,
    a_user_feed_needs_no_token,
    what_is_gone_stays_gone,
    a_photo_lost_a_moment_ago_leaves_a_gap,
    questions_are_checked,
);

/// The `n`th photo of an author; later ones are newer.
fn photo(author: UserId, n: u64) -> Photo {
    world::photo(world::photo_id(author, n))
}

async fn post(client: &impl Client, author: UserId, n: u64) {
    let photo = photo(author, n);
    client.publish(&format!("PhotoPosted/{}", photo.id), PhotoPosted { photo }).await;
}

async fn follow(client: &impl Client, follower: UserId, followee: UserId) {
    client.publish(&format!("Followed/{follower}/{followee}"), Followed { follower, followee }).await;
}

async fn page(client: &impl Client, reader: UserId, query: &str) -> Value {
    client.send(get(format!("/v1/feed?{query}")).token(client.token(reader))).await.expect(200)
}

/// Which photos, by number, newest first.
fn numbers(page: &Value) -> Vec<u64> {
    let number = |item: &Value| item["photo"]["id"].as_str()?.parse().ok().map(|id: PhotoId| id.raw());
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| number(item).expect("a photo with an id")).collect()
}

fn ids(author: UserId, ns: impl IntoIterator<Item = u64>) -> Vec<u64> {
    ns.into_iter().map(|n| world::photo_id(author, n).raw()).collect()
}

/// Waits until a reader's home feed is exactly this.
async fn shows(client: &impl Client, reader: UserId, expected: &[u64]) {
    eventually(&format!("the feed of {reader} shows {expected:?}"), async || {
        (numbers(&page(client, reader, "limit=100").await) == expected).then_some(())
    })
    .await;
}

async fn a_post_reaches_those_who_follow(client: impl Client) {
    follow(&client, ADA, BOB).await;
    post(&client, BOB, 1).await;
    shows(&client, ADA, &ids(BOB, [1])).await;
    let seen = page(&client, ADA, "").await;
    assert_eq!(seen["items"][0]["author_name"], "User 2");
    assert_eq!(seen["items"][0]["author_handle"], "user2");
    assert_eq!(seen["items"][0]["photo"], serde_json::to_value(photo(BOB, 1)).expect("plain data"));
    assert_eq!(seen.get("next"), None);
    // In `follower` Cleo follows Bob, but the event has not arrived yet.
    assert_eq!(numbers(&page(&client, CLEO, "").await), ids(BOB, []));
    follow(&client, CLEO, BOB).await;
    shows(&client, CLEO, &ids(BOB, [1])).await;
}

async fn a_follow_brings_the_past(client: impl Client) {
    for n in 1..=3 {
        post(&client, BOB, n).await;
    }
    follow(&client, ADA, BOB).await;
    shows(&client, ADA, &ids(BOB, [3, 2, 1])).await;
}

async fn an_unfollow_takes_it_away(client: impl Client) {
    follow(&client, ADA, BOB).await;
    follow(&client, ADA, CLEO).await;
    post(&client, BOB, 1).await;
    post(&client, CLEO, 2).await;
    post(&client, BOB, 3).await;
    let all = [ids(BOB, [3]), ids(CLEO, [2]), ids(BOB, [1])].concat();
    shows(&client, ADA, &all).await;
    client.publish("Unfollowed", Unfollowed { follower: ADA, followee: BOB }).await;
    shows(&client, ADA, &ids(CLEO, [2])).await;
    // `follower` still lists Ada, as it may while it is ahead; her own news decide.
    post(&client, BOB, 4).await;
    post(&client, CLEO, 5).await;
    shows(&client, ADA, &ids(CLEO, [5, 2])).await;
}

async fn changes_of_mind_keep_their_order(client: impl Client) {
    post(&client, BOB, 1).await;
    for turn in 0..40 {
        let event = Followed { follower: ADA, followee: BOB };
        client.publish(&format!("Followed/{turn}"), event).await;
        let event = Unfollowed { follower: ADA, followee: BOB };
        client.publish(&format!("Unfollowed/{turn}"), event).await;
    }
    // The last word of either kind, to be waited for.
    post(&client, CLEO, 2).await;
    follow(&client, ADA, CLEO).await;
    follow(&client, CLEO, BOB).await;
    shows(&client, CLEO, &ids(BOB, [1])).await;
    client.publish("Unfollowed", Unfollowed { follower: CLEO, followee: BOB }).await;
    shows(&client, CLEO, &[]).await;
    shows(&client, ADA, &ids(CLEO, [2])).await;
}

async fn pages_are_disjoint_and_stable(client: impl Client) {
    follow(&client, ADA, BOB).await;
    for n in 1..=25 {
        post(&client, BOB, n).await;
    }
    shows(&client, ADA, &ids(BOB, (1..=25).rev())).await;

    let first = page(&client, ADA, "limit=10").await;
    assert_eq!(numbers(&first), ids(BOB, (16..=25).rev()));
    // What comes and goes between two pages shifts nothing, not even when the
    // photo the cursor stands on goes.
    post(&client, BOB, 26).await;
    client.publish("PhotoDeleted/16", PhotoDeleted { id: world::photo_id(BOB, 16), author: BOB }).await;
    let left = (1..=26).rev().filter(|n| *n != 16);
    shows(&client, ADA, &ids(BOB, left)).await;

    let next = |page: &Value| page["next"].as_str().expect("more follows").to_owned();
    let second = page(&client, ADA, &format!("limit=10&cursor={}", next(&first))).await;
    assert_eq!(numbers(&second), ids(BOB, (6..=15).rev()));
    let third = page(&client, ADA, &format!("limit=10&cursor={}", next(&second))).await;
    assert_eq!(numbers(&third), ids(BOB, (1..=5).rev()));
    assert_eq!(third.get("next"), None);

    // Asked by a component, it is the same page.
    let at = Position { posted_us: 16, photo: world::photo_id(BOB, 16) };
    let asked = client.ask(HomeFeed { user: ADA, after: Some(at), limit: 10 }).await.expect("answers");
    assert_eq!(asked.items.iter().map(|item| item.photo.id.raw()).collect::<Vec<_>>(), numbers(&second));
}

async fn a_star_is_merged_on_read(client: impl Client) {
    follow(&client, ADA, BOB).await;
    follow(&client, ADA, STAR).await;
    follow(&client, CLEO, BOB).await;
    for n in 1..=3 {
        post(&client, BOB, 2 * n).await;
        post(&client, STAR, 2 * n + 1).await;
    }
    let both = [ids(STAR, [7]), ids(BOB, [6]), ids(STAR, [5]), ids(BOB, [4]), ids(STAR, [3]), ids(BOB, [2])]
        .concat();
    shows(&client, ADA, &both).await;
    shows(&client, CLEO, &ids(BOB, [6, 4, 2])).await;
    let first = page(&client, ADA, "limit=4").await;
    let rest =
        page(&client, ADA, &format!("limit=4&cursor={}", first["next"].as_str().expect("more follows")))
            .await;
    assert_eq!([numbers(&first), numbers(&rest)].concat(), both);
}

async fn a_user_feed_needs_no_token(client: impl Client) {
    for n in 1..=3 {
        post(&client, BOB, n).await;
    }
    let of =
        async |user: UserId, query: &str| client.send(get(format!("/v1/users/{user}/photos?{query}"))).await;
    eventually("all three are listed", async || {
        (numbers(&of(BOB, "").await.expect(200)) == ids(BOB, [3, 2, 1])).then_some(())
    })
    .await;
    let first = of(BOB, "limit=2").await.expect(200);
    let rest = of(BOB, &format!("limit=2&cursor={}", first["next"].as_str().expect("more follows"))).await;
    assert_eq!(numbers(&rest.expect(200)), ids(BOB, [1]));
    assert_eq!(numbers(&of(CLEO, "").await.expect(200)), ids(CLEO, []), "a user without posts");
    of(UserId::new(5_000), "").await.refused(404, "user_not_found");
}

async fn what_is_gone_stays_gone(client: impl Client) {
    follow(&client, ADA, BOB).await;
    follow(&client, ADA, CLEO).await;
    post(&client, BOB, 1).await;
    post(&client, CLEO, 2).await;
    shows(&client, ADA, &[ids(CLEO, [2]), ids(BOB, [1])].concat()).await;

    client.publish("PhotoDeleted/1", PhotoDeleted { id: world::photo_id(BOB, 1), author: BOB }).await;
    client.publish("ProfileDeleted/3", ProfileDeleted { id: CLEO }).await;
    shows(&client, ADA, &[]).await;
    // Her token has hours to live.
    client.send(get("/v1/feed").token(client.token(CLEO))).await.refused(401, "account_gone");

    // Late news of both, and a deletion that comes before its photo. The last
    // post is there to be waited for: whatever it overtook would show by then.
    client.publish("PhotoDeleted/9", PhotoDeleted { id: world::photo_id(BOB, 9), author: BOB }).await;
    post(&client, BOB, 9).await;
    post(&client, CLEO, 8).await;
    post(&client, BOB, 10).await;
    shows(&client, ADA, &ids(BOB, [10])).await;
}

async fn a_photo_lost_a_moment_ago_leaves_a_gap(client: impl Client) {
    follow(&client, ADA, BOB).await;
    // `photo` does not know number 404 any more, and its event has not come yet.
    for n in 403..=405 {
        post(&client, BOB, n).await;
    }
    shows(&client, ADA, &ids(BOB, [405, 403])).await;
    let first = page(&client, ADA, "limit=2").await;
    assert_eq!(numbers(&first), ids(BOB, [405]));
    let rest = page(&client, ADA, &format!("cursor={}", first["next"].as_str().expect("more follows"))).await;
    assert_eq!(numbers(&rest), ids(BOB, [403]));
}

async fn questions_are_checked(client: impl Client) {
    client.send(get("/v1/feed")).await.refused(401, "token_required");
    client.send(get("/v1/feed").token("forged")).await.refused(401, "token_invalid");
    let token = client.token(ADA);
    for (query, code) in
        [("cursor=nonsense", "cursor_invalid"), ("limit=0", "limit_invalid"), ("limit=101", "limit_invalid")]
    {
        client.send(get(format!("/v1/feed?{query}")).token(&token)).await.refused(400, code);
        client.send(get(format!("/v1/users/{BOB}/photos?{query}"))).await.refused(400, code);
    }
    client.send(get("/v1/users/unknown/photos")).await.refused(400, "id_invalid");
    let refusal = client.ask(HomeFeed { user: ADA, after: None, limit: 0 }).await.expect_err("no page");
    assert_eq!(refusal.code, "limit_invalid");
}

/// Bob posted twice and the star once; Ada follows both, Cleo Bob alone.
fn lived() -> History {
    let past = |author, n| PastPhoto {
        photo: photo(author, n),
        original: String::new(),
        thumbnail: String::new(),
        media_type: "image/jpeg".into(),
    };
    let edge = |follower, followee| Followed { follower, followee };
    History {
        follows: vec![edge(ADA, BOB), edge(ADA, STAR), edge(CLEO, BOB), edge(CLEO, STAR), edge(BOB, STAR)],
        photos: vec![past(BOB, 1), past(STAR, 2), past(BOB, 3)],
        push_below: 3,
        feed_depth: 800,
        ..History::default()
    }
}

#[tokio::test]
async fn a_loaded_history_reads_as_if_it_had_been_lived() {
    static LOADED: Subject = Subject {
        service: &feed::SERVICE,
        fakes: world::still,
        history: lived,
        program: env!("CARGO_BIN_EXE_feed"),
    };
    let loaded = InProcess::local(&LOADED).await;
    shows(&loaded, ADA, &[ids(BOB, [3]), ids(STAR, [2]), ids(BOB, [1])].concat()).await;
    shows(&loaded, CLEO, &ids(BOB, [3, 1])).await;

    let live = InProcess::local(&SUBJECT).await;
    assert_ne!(live.digest(&SUBJECT).await, loaded.digest(&LOADED).await);
    for past in lived().photos {
        live.publish(&past.photo.id.to_string(), PhotoPosted { photo: past.photo }).await;
    }
    for edge in lived().follows {
        follow(&live, edge.follower, edge.followee).await;
    }
    assert_eq!(live.digest(&SUBJECT).await, loaded.digest(&LOADED).await);
}
