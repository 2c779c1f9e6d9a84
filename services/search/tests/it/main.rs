//! The index: the same stories by function call, encoded, and across sockets.

mod order;

use history::{History, PastPhoto};
use photo_api::{Photo, PhotoDeleted, PhotoId, PhotoPosted};
use profile_api::{Profile, ProfileChanged, ProfileCreated, ProfileDeleted, UserId};
use search_api::{FindPeople, FindPhotos};
use serde_json::Value;
use testkit::{Client, InProcess, Subject, eventually, get};

const NOTHING_YET: Subject = Subject {
    service: &search::SERVICE,
    fakes: |_| {},
    history: History::default,
    program: env!("CARGO_BIN_EXE_search"),
};
static EMPTY: Subject = NOTHING_YET;
static SEEDED: Subject = Subject { history: a_small_past, ..NOTHING_YET };

testkit::on_every_carrier!(EMPTY =>
    photos_are_found_by_caption_and_tag,
    people_are_found_by_their_latest_name,
    the_order_of_news_does_not_matter,
    nothing_typed_is_syntax,
    pages_fit_together,
    a_wrong_question_is_refused_by_code,
);

fn person(number: u64, name: &str, version: u64) -> Profile {
    let handle = format!("user_{number}");
    Profile { id: UserId::new(number), handle, name: name.to_owned(), bio: String::new(), version }
}

fn photo(number: u64, author: u64, caption: &str, tags: &[&str]) -> Photo {
    Photo {
        id: PhotoId::new(number),
        author: UserId::new(author),
        caption: caption.to_owned(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        width: 640,
        height: 480,
        bytes: 80_000,
        likes: 0,
        posted_us: 1,
    }
}

async fn post(client: &impl Client, photo: Photo) {
    client.publish(&format!("PhotoPosted/{}", photo.id), PhotoPosted { photo }).await;
}

async fn find(client: &impl Client, question: &str) -> Value {
    client.send(get(format!("/v1/search?{question}"))).await.expect(200)
}

fn numbers(page: &Value) -> Vec<u64> {
    let items = page["items"].as_array().expect("a list");
    items
        .iter()
        .map(|item| item["id"].as_str().expect("an id").parse::<PhotoId>().expect("an id").raw())
        .collect()
}

/// Waits until a question finds exactly these.
async fn finds(client: &impl Client, question: &str, expected: &[u64]) {
    eventually(question, async || (numbers(&find(client, question).await) == expected).then_some(())).await;
}

async fn photos_are_found_by_caption_and_tag(client: impl Client) {
    post(&client, photo(1, 7, "A crêpe by the sea", &["food", "brittany"])).await;
    post(&client, photo(2, 7, "The sea, the sea", &[])).await;
    post(&client, photo(3, 8, "Mountains", &["sky"])).await;
    finds(&client, "q=mountains&in=photos", &[3]).await;
    // Twice in a short text weighs more than once in a longer one.
    finds(&client, "q=sea", &[2, 1]).await;
    finds(&client, "q=CREPE+brittany", &[1]).await;
    finds(&client, "q=sea+sky", &[]).await;
    let page = find(&client, "q=mountains").await;
    assert_eq!(page["items"][0]["caption"], "Mountains");
    assert_eq!(page["items"][0]["author"], UserId::new(8).to_string());
    let hits = client.ask(FindPhotos { terms: "sea".into(), offset: 1, limit: 1 }).await.expect("answers");
    assert_eq!(hits.iter().map(|hit| hit.id.raw()).collect::<Vec<_>>(), [1]);

    client.publish("PhotoDeleted/2", PhotoDeleted { id: PhotoId::new(2), author: UserId::new(7) }).await;
    finds(&client, "q=sea", &[1]).await;
}

async fn people_are_found_by_their_latest_name(client: impl Client) {
    client.publish("ProfileCreated/1", ProfileCreated { profile: person(1, "Ada Byron", 1) }).await;
    client.publish("ProfileCreated/2", ProfileCreated { profile: person(2, "Ada Coleman", 1) }).await;
    finds(&client, "q=ada&in=people", &[1, 2]).await;
    client.publish("ProfileChanged/1/2", ProfileChanged { profile: person(1, "Ada Lovelace", 2) }).await;
    finds(&client, "q=lovelace&in=people", &[1]).await;
    finds(&client, "q=byron&in=people", &[]).await;
    finds(&client, "q=user_2&in=people", &[2]).await;
    let hits = client.ask(FindPeople { terms: "ada".into(), offset: 0, limit: 100 }).await.expect("answers");
    assert_eq!(hits.len(), 2);
}

/// What may come in any order about one user, and is over once all of it came.
#[derive(Clone, Copy)]
enum IndexEvent {
    Created,
    Changed,
    Posted,
    PhotoDeleted,
    Deleted,
}

const INDEX_EVENTS: [IndexEvent; 5] = [
    IndexEvent::Created,
    IndexEvent::Changed,
    IndexEvent::Posted,
    IndexEvent::Deleted,
    IndexEvent::PhotoDeleted,
];

/// Publishes one event about a user, whose photo has the same number.
async fn publish(client: &impl Client, news: IndexEvent, number: u64) {
    let (id, author) = (PhotoId::new(number), UserId::new(number));
    match news {
        IndexEvent::Created => {
            let event = ProfileCreated { profile: person(number, "fresh", 1) };
            client.publish(&format!("ProfileCreated/{number}"), event).await;
        }
        IndexEvent::Changed => {
            let event = ProfileChanged { profile: person(number, "renamed", 2) };
            client.publish(&format!("ProfileChanged/{number}"), event).await;
        }
        IndexEvent::Posted => post(client, photo(number, number, "picture", &[])).await,
        IndexEvent::PhotoDeleted => {
            client.publish(&format!("PhotoDeleted/{number}"), PhotoDeleted { id, author }).await
        }
        IndexEvent::Deleted => {
            client.publish(&format!("ProfileDeleted/{number}"), ProfileDeleted { id: author }).await
        }
    }
}

/// All orders of `items` (Heap's algorithm).
fn orders(items: &mut [IndexEvent], length: usize, found: &mut Vec<Vec<IndexEvent>>) {
    if length <= 1 {
        found.push(items.to_vec());
        return;
    }
    for i in 0..length {
        orders(items, length - 1, found);
        items.swap(if length.is_multiple_of(2) { i } else { 0 }, length - 1);
    }
}

async fn the_order_of_news_does_not_matter(client: impl Client) {
    // Two bystanders with a photo each; their end will show that all news came.
    for bystander in [1, 2] {
        publish(&client, IndexEvent::Created, bystander).await;
        publish(&client, IndexEvent::Posted, bystander).await;
    }
    finds(&client, "q=fresh&in=people", &[1, 2]).await;
    finds(&client, "q=picture", &[1, 2]).await;

    // In any order, nothing is left of a deleted user: 4! orders with the photo
    // left to its author's end, 5! with its own deletion as well.
    let mut all = Vec::new();
    for length in [4, 5] {
        orders(&mut INDEX_EVENTS.to_vec()[..length], length, &mut all);
    }
    assert_eq!(all.len(), 24 + 120);
    for (order, number) in all.into_iter().zip(1_000..) {
        for news in order {
            publish(&client, news, number).await;
        }
    }
    // Without its end, the later version wins in either order.
    for (first, second, number) in
        [(IndexEvent::Created, IndexEvent::Changed, 10), (IndexEvent::Changed, IndexEvent::Created, 11)]
    {
        publish(&client, first, number).await;
        publish(&client, second, number).await;
    }
    // And a photo that was deleted does not come after.
    publish(&client, IndexEvent::PhotoDeleted, 14).await;
    publish(&client, IndexEvent::Posted, 14).await;
    // A topic is delivered in order, so once its last event is visible, all are.
    publish(&client, IndexEvent::Created, 5_001).await;
    publish(&client, IndexEvent::Posted, 5_000).await;
    publish(&client, IndexEvent::PhotoDeleted, 1).await;
    publish(&client, IndexEvent::Deleted, 2).await;
    finds(&client, "q=fresh&in=people", &[1, 5_001]).await;
    finds(&client, "q=renamed&in=people", &[10, 11]).await;
    finds(&client, "q=picture", &[5_000]).await;
    // Equal matches come by ascending id: one left in the index would take the only place.
    finds(&client, "q=picture&limit=1", &[5_000]).await;
    finds(&client, "q=fresh&in=people&limit=2", &[1, 5_001]).await;
}

async fn nothing_typed_is_syntax(client: impl Client) {
    post(&client, photo(1, 1, r#"one word "sea" AND more"#, &[])).await;
    finds(&client, "q=sea", &[1]).await;
    for typed in [
        "%22sea",
        "sea%22%22",
        "sea*",
        "caption:sea",
        "sea%20%26%20-",
        "AND%20sea",
        "^sea",
        "%7Bsea%7D",
        "a%00sea%22",
    ] {
        // Words that are not there find nothing; what matters is that each is an answer.
        let found = numbers(&find(&client, &format!("q={typed}")).await);
        assert!(found.is_empty() || found == [1], "{typed}");
    }
    finds(&client, "q=%22sea", &[1]).await;
    finds(&client, "q=word+AND", &[1]).await;
    finds(&client, "q=sea+OR+mountain", &[]).await;
}

async fn pages_fit_together(client: impl Client) {
    for number in 1..=25 {
        post(&client, photo(number, 1, "the same words", &[])).await;
    }
    // The last one in: then all are.
    eventually("all 25", async || {
        (numbers(&find(&client, "q=words&limit=100").await).len() == 25).then_some(())
    })
    .await;
    let mut seen = Vec::new();
    let mut cursor = String::new();
    for length in [10, 10, 5] {
        let page = find(&client, &format!("q=words&limit=10{cursor}")).await;
        assert_eq!(numbers(&page).len(), length);
        seen.extend(numbers(&page));
        cursor = page["next"].as_str().map(|next| format!("&cursor={next}")).unwrap_or_default();
    }
    assert_eq!(cursor, "", "the third page is the last");
    assert_eq!(seen, (1..=25).collect::<Vec<_>>(), "equal matches by ascending id");
}

async fn a_wrong_question_is_refused_by_code(client: impl Client) {
    for (question, code) in [
        ("", "q_empty"),
        ("q=", "q_empty"),
        ("q=%20%22", "q_empty"),
        ("q=a&q=b", "query_invalid"),
        ("q=sea&in=albums", "in_invalid"),
        ("q=sea&limit=0", "limit_invalid"),
        ("q=sea&cursor=forged", "cursor_invalid"),
    ] {
        client.send(get(format!("/v1/search?{question}"))).await.refused(400, code);
    }
    let far = component::web::encode_cursor(&10_001);
    client.send(get(format!("/v1/search?q=sea&cursor={far}"))).await.refused(400, "cursor_invalid");
    let choices = client.send(get("/v1/search?q=sea&in=albums")).await.expect(400).to_string();
    assert!(choices.contains("photos") && choices.contains("people"), "{choices}");
    let zero = FindPhotos { terms: "sea".into(), offset: 0, limit: 0 };
    assert_eq!(client.ask(zero).await.expect_err("refused").code, "stretch_invalid");
}

fn a_small_past() -> History {
    let past = |photo| PastPhoto {
        photo,
        original: String::new(),
        thumbnail: String::new(),
        media_type: "image/jpeg".to_owned(),
    };
    History {
        profiles: vec![person(9, "Grace Hopper", 1), person(4, "Ada Lovelace", 3)],
        photos: vec![past(photo(6, 9, "a moth", &["bug"])), past(photo(5, 4, "an engine", &[]))],
        ..History::default()
    }
}

#[tokio::test]
async fn a_loaded_history_is_as_good_as_a_lived_one() {
    let loaded = InProcess::local(&SEEDED).await;
    let lived = InProcess::local(&EMPTY).await;
    let past = a_small_past();
    for photo in past.photos {
        post(&lived, photo.photo).await;
    }
    for profile in past.profiles {
        lived.publish(&format!("ProfileCreated/{}", profile.id), ProfileCreated { profile }).await;
    }
    assert_eq!(loaded.digest(&SEEDED).await, lived.digest(&EMPTY).await);
    finds(&loaded, "q=bug+moth", &[6]).await;
    finds(&loaded, "q=ada&in=people", &[4]).await;

    loaded.publish("ProfileDeleted/9", ProfileDeleted { id: UserId::new(9) }).await;
    finds(&loaded, "q=moth", &[]).await;
    assert_ne!(loaded.digest(&SEEDED).await, lived.digest(&EMPTY).await);
}
