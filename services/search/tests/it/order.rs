//! Every database finds the same, in the same order: SQLite's FTS5 is what PostgreSQL is compared with.

use history::{History, PastPhoto};
use photo_api::PhotoId;
use search_api::{FindPeople, FindPhotos};
use testkit::{Client, InProcess, Subject};

use crate::{NOTHING_YET, person, photo};

static CORPUS: Subject = Subject { history: corpus, ..NOTHING_YET };

/// Words in the order of how often they stand somewhere.
const WORDS: [&str; 24] = [
    "sea",
    "the",
    "a",
    "red",
    "blue",
    "mountain",
    "heron",
    "dawn",
    "crêpe",
    "été",
    "Öl",
    "naïve",
    "3.14",
    "www.sea.org",
    "red/blue",
    "-5",
    "日本",
    "straße",
    "it's",
    "by",
    "light",
    "sand",
    "gull",
    "anchor",
];
const PHOTOS: u64 = 1_500;

/// Numbers that are the same at every run (Marsaglia 2003, xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    /// Those at the front often, those at the end seldom.
    fn word(&mut self) -> &'static str {
        let among = 1 + self.below(WORDS.len());
        WORDS[self.below(among)]
    }
}

fn corpus() -> History {
    let mut numbers = Numbers(88_172_645_463_325_252);
    let mut photos = Vec::new();
    for number in 1..=PHOTOS {
        let mut words = |most: usize| {
            let count = numbers.below(most + 1);
            (0..count).map(|_| numbers.word()).collect::<Vec<_>>()
        };
        let (caption, tags) = (words(12).join(" "), words(3));
        photos.push(PastPhoto {
            photo: photo(number, 1 + number % 50, &caption, &tags),
            original: String::new(),
            thumbnail: String::new(),
            media_type: "image/jpeg".to_owned(),
        });
    }
    let profiles = (1..=50).map(|number| {
        let name = format!("{} {}", numbers.word(), numbers.word());
        person(number, &name, 1)
    });
    History { profiles: profiles.collect(), photos, ..History::default() }
}

/// The ids of the first hundred photos and people that a question finds.
async fn found(client: &InProcess, terms: &str) -> (Vec<u64>, Vec<u64>) {
    let photos = FindPhotos { terms: terms.into(), offset: 0, limit: 100 };
    let people = FindPeople { terms: terms.into(), offset: 0, limit: 100 };
    let photos = client.ask(photos).await.expect("answers");
    let people = client.ask(people).await.expect("answers");
    (photos.iter().map(|hit| hit.id.raw()).collect(), people.iter().map(|hit| hit.id.raw()).collect())
}

#[tokio::test]
async fn both_databases_find_the_same_in_the_same_order() {
    let Some(server) = InProcess::on_server(&CORPUS).await else { return };
    let files = InProcess::local(&CORPUS).await;
    let mut numbers = Numbers(1);
    let single = WORDS.iter().map(|word| (*word).to_owned());
    let parts =
        ["naive", "ete", "ol", "OL", "14", "org", "sea.org", "user_7", "crepe", "nowhere", "blue/red", "日"];
    let several = (0..150).map(|_| {
        let count = 2 + numbers.below(3);
        (0..count).map(|_| numbers.word()).collect::<Vec<_>>().join(" ")
    });
    let questions: Vec<String> = single.chain(parts.into_iter().map(str::to_owned)).chain(several).collect();
    let mut with_hits = 0;
    for question in &questions {
        let expected = found(&files, question).await;
        assert_eq!(found(&server, question).await, expected, "{question}");
        with_hits += usize::from(!expected.0.is_empty());
    }
    assert!(with_hits > questions.len() / 2, "{with_hits} of {} found something", questions.len());

    // What is deleted is found by neither. FTS5 goes on counting it for its averages, so that the order may differ.
    for number in (1..=PHOTOS).step_by(3) {
        let gone = photo_api::PhotoDeleted {
            id: PhotoId::new(number),
            author: profile_api::UserId::new(1 + number % 50),
        };
        for client in [&files, &server] {
            client.publish(&format!("PhotoDeleted/{number}"), gone.clone()).await;
        }
    }
    let sorted = |(mut photos, mut people): (Vec<u64>, Vec<u64>)| {
        photos.sort_unstable();
        people.sort_unstable();
        (photos, people)
    };
    for question in &questions {
        let (here, there) = (found(&server, question).await, found(&files, question).await);
        // Of more than a page's hits the first may be others.
        if there.0.len() < 100 {
            assert_eq!(sorted(here), sorted(there), "{question}");
        }
    }
    assert_eq!(server.digest(&CORPUS).await, files.digest(&CORPUS).await);
}
