//! Responses as the checks of journeys read them: the fields that are checked, borrowed from the body; all else is skipped.
//!
//! A page of a feed has some 6 KiB of which a check needs two texts an item. Made into a tree of values it takes a hundred
//! allocations and more time than all else that a journey costs here.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::error::Category;

use crate::recorder::Cause;

/// Reads the fields of a body.
///
/// # Errors
/// [`Cause::Body`] where it is no JSON, [`Cause::Check`] where a field is missing or of another type, or there is no body.
pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Cause> {
    if body.is_empty() {
        return Err(Cause::Check);
    }
    // All of it, also what is skipped: text that is damaged is no answer.
    let text = std::str::from_utf8(body).map_err(|_| Cause::Body)?;
    serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Data => Cause::Check,
        Category::Io | Category::Syntax | Category::Eof => Cause::Body,
    })
}

/// Reads a body of which nothing is checked: there is none, or it is JSON.
///
/// # Errors
/// [`Cause::Body`] where it is no JSON.
pub(crate) fn skip(body: &[u8]) -> Result<(), Cause> {
    if body.is_empty() { Ok(()) } else { read::<IgnoredAny>(body).map(drop) }
}

/// Anything with an id.
#[derive(Deserialize)]
pub(crate) struct WithId<'a> {
    /// As URLs have it.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
}

/// A page of a feed.
#[derive(Deserialize)]
pub(crate) struct FeedPage<'a> {
    /// Its items.
    #[serde(borrow)]
    pub items: Vec<FeedItem<'a>>,
    /// Cursor of the next page; `None` on the last.
    pub next: Option<String>,
}

/// A photo in a feed.
#[derive(Deserialize)]
pub(crate) struct FeedItem<'a> {
    /// The photo.
    #[serde(borrow)]
    pub photo: WithId<'a>,
    /// Name of its author, which another component knows.
    #[serde(borrow)]
    pub author_name: Cow<'a, str>,
}

/// What a search found.
#[derive(Deserialize)]
pub(crate) struct SearchReply {
    /// Only counted.
    pub items: Vec<IgnoredAny>,
}

/// A profile after it was edited.
#[derive(Deserialize)]
pub(crate) struct EditedProfile<'a> {
    /// Rises with each edit.
    pub version: u64,
    /// As it is now.
    #[serde(borrow)]
    pub bio: Cow<'a, str>,
}

/// A new session.
#[derive(Deserialize)]
pub(crate) struct Session<'a> {
    /// The user's token: that there is one is checked by reading it.
    #[serde(borrow, rename = "token")]
    pub _token: Cow<'a, str>,
}

/// A new account.
#[derive(Deserialize)]
pub(crate) struct Account<'a> {
    /// Whose it is.
    #[serde(borrow)]
    pub user: AccountUser<'a>,
    /// The user's token: that there is one is checked by reading it.
    #[serde(borrow, rename = "token")]
    pub _token: Cow<'a, str>,
}

/// The user of a new account.
#[derive(Deserialize)]
pub(crate) struct AccountUser<'a> {
    /// As URLs have it.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// As it was asked for.
    #[serde(borrow)]
    pub handle: Cow<'a, str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(body: &str) -> Result<Vec<String>, Cause> {
        let page: FeedPage<'_> = read(body.as_bytes())?;
        Ok(page.items.into_iter().map(|item| item.photo.id.into_owned()).collect())
    }

    #[test]
    fn what_is_checked_is_read_and_all_else_is_skipped() {
        let body = r#"{"items":[{"photo":{"tags":["a",{"b":1.5}],"id":"p\u005f1"},"author_name":"Ada"}]}"#;
        assert_eq!(ids(body), Ok(vec!["p_1".to_owned()]));
        let page: FeedPage<'_> = read(br#"{"next":"c7","items":[]}"#).expect("a last page has no items");
        assert_eq!((page.items.len(), page.next.as_deref()), (0, Some("c7")));
        let hits: SearchReply = read(br#"{"items":[{"id":1},null]}"#).expect("hits");
        assert_eq!(hits.items.len(), 2);
    }

    #[test]
    fn what_is_missing_fails_a_check_and_what_is_damaged_is_no_body() {
        for missing in ["", "{}", "null", r#"{"items":null}"#, r#"{"items":[{"photo":{"id":"p_1"}}]}"#] {
            assert_eq!(ids(missing), Err(Cause::Check), "{missing}");
        }
        for damaged in ["{", r#"{"items":[]"#, r#"{"items":[]} x"#, "<html>"] {
            assert_eq!(ids(damaged), Err(Cause::Body), "{damaged}");
        }
        let not_text = [br#"{"items":[],"caption":""#.as_slice(), &[0xff], br#""}"#].concat();
        assert_eq!(read::<FeedPage<'_>>(&not_text).err(), Some(Cause::Body), "also in what is skipped");
    }

    #[test]
    fn a_body_of_which_nothing_is_checked_is_none_or_json() {
        assert_eq!((skip(b""), skip(br#"{"liked":true}"#)), (Ok(()), Ok(())));
        assert_eq!(skip(b"{\"liked\":"), Err(Cause::Body));
    }
}
