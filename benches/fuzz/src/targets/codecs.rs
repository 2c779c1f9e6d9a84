//! Calls, replies and events between components, in both encodings. The first byte says of which type, and in which.

use feed_api::{FeedPage, HomeFeed, PhotosOf};
use follower_api::{Counts, CountsOf, Followed, Followers, FollowersOf, PopularFollowedBy};
use photo_api::{Photo, PhotoPosted, PhotosByIds};
use profile_api::{Profile, ProfilesByIds};
use search_api::{FindPeople, FindPhotos, PersonHit, PhotoHit};
use serde::Serialize;
use serde::de::DeserializeOwned;
use transport::codec::Codec;

use super::Target;

pub(super) const TARGET: Target = Target { name: "codecs", run, seeds, words: WORDS };

const WORDS: &[&[u8]] = &[
    b"\"ids\":[",
    b"\"0000000000007\"",
    b"\"after\":null",
    b"{\"posted_us\":-1,\"photo\":\"0000000000007\"}",
    b"1e308",
    b"-0",
    b"18446744073709551616",
    b"[[[[[[[[",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x80\x80\x80\x80\x08",
    b"\\ud800",
];

/// A type that is sent.
struct Sent {
    read: fn(Codec, &[u8]) -> Option<Vec<u8>>,
}

impl Sent {
    const fn of<T: Serialize + DeserializeOwned>() -> Self {
        Self { read: read::<T> }
    }
}

/// All types, in the order of their letters.
const TYPES: [Sent; 17] = [
    Sent::of::<HomeFeed>(),
    Sent::of::<PhotosOf>(),
    Sent::of::<FeedPage>(),
    Sent::of::<FollowersOf>(),
    Sent::of::<Followers>(),
    Sent::of::<CountsOf>(),
    Sent::of::<Vec<Counts>>(),
    Sent::of::<PopularFollowedBy>(),
    Sent::of::<Followed>(),
    Sent::of::<PhotosByIds>(),
    Sent::of::<Vec<Photo>>(),
    Sent::of::<PhotoPosted>(),
    Sent::of::<ProfilesByIds>(),
    Sent::of::<Vec<Profile>>(),
    Sent::of::<FindPhotos>(),
    Sent::of::<(FindPeople, Vec<PersonHit>)>(),
    Sent::of::<Vec<PhotoHit>>(),
];

/// A value in the other encoding, if these bytes are one. What was read must be what is written and read again.
fn read<T: Serialize + DeserializeOwned>(codec: Codec, bytes: &[u8]) -> Option<Vec<u8>> {
    let value: T = codec.decode(bytes).ok()?;
    let written = codec.encode(&value);
    let again: T = codec.decode(&written).expect("what is written can be read");
    assert_eq!(codec.encode(&again), written, "what is read again is the same");
    let other = match codec {
        Codec::Json => Codec::Postcard,
        Codec::Postcard => Codec::Json,
    };
    let carried = other.encode(&value);
    let back: T = other.decode(&carried).expect("the other encoding carries it");
    assert_eq!(codec.encode(&back), written, "and changes nothing");
    Some(carried.to_vec())
}

/// `A` and what follows are types in JSON, `a` and what follows in postcard.
fn chosen(letter: u8) -> (&'static Sent, Codec) {
    let (first, codec) =
        if letter.is_ascii_lowercase() { (b'a', Codec::Postcard) } else { (b'A', Codec::Json) };
    (&TYPES[usize::from(letter.wrapping_sub(first)) % TYPES.len()], codec)
}

fn run(input: &[u8]) {
    let Some((letter, bytes)) = input.split_first() else { return };
    let (sent, codec) = chosen(*letter);
    (sent.read)(codec, bytes);
}

/// The corpus in JSON, in the other encoding.
fn seeds() -> Vec<Vec<u8>> {
    let json = JSON.iter().map(|text| text.as_bytes().to_vec());
    let postcard = JSON.iter().map(|text| {
        let (letter, bytes) = text.as_bytes().split_first().expect("a letter");
        let carried = (chosen(*letter).0.read)(Codec::Json, bytes);
        let carried = carried.unwrap_or_else(|| panic!("{text} is no value of its type any more"));
        [&[letter.to_ascii_lowercase()][..], &carried].concat()
    });
    json.chain(postcard).collect()
}

/// One value of each type.
const JSON: [&str; 17] = [
    r#"A{"user":"0000000000007","after":null,"limit":20}"#,
    r#"B{"user":"0000000000007","after":{"posted_us":1700000000000000,"photo":"0000000000009"},"limit":20}"#,
    r#"C{"items":[],"next":null}"#,
    r#"D{"user":"0000000000007","after":null,"limit":20}"#,
    r#"E{"ids":["0000000000007"],"total":1}"#,
    r#"F{"users":["0000000000007"]}"#,
    r#"G[{"user":"0000000000007","followers":1,"following":2}]"#,
    r#"H{"user":"0000000000007","at_least":5,"limit":100}"#,
    r#"I{"follower":"0000000000007","followee":"0000000000009"}"#,
    r#"J{"ids":["0000000000007","0000000000009"]}"#,
    r#"K[{"id":"0000000000007","author":"0000000000009","caption":"a","tags":["b"],"width":1,"height":2,"bytes":3,"likes":4,"posted_us":5}]"#,
    r#"L{"photo":{"id":"0000000000007","author":"0000000000009","caption":"a","tags":[],"width":1,"height":2,"bytes":3,"likes":4,"posted_us":-5}}"#,
    r#"M{"ids":["0000000000007"]}"#,
    r#"N[{"id":"0000000000007","handle":"ada","name":"Ada","bio":"counts","version":1}]"#,
    r#"O{"terms":"heron","offset":0,"limit":20}"#,
    r#"P[{"terms":"ada","offset":0,"limit":20},[{"id":"0000000000007","handle":"ada","name":"Ada"}]]"#,
    r#"Q[{"id":"0000000000007","author":"0000000000009","caption":"a heron"}]"#,
];
