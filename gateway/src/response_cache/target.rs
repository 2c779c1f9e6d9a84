//! What a request is addressed to, as a key of what is kept.

use std::borrow::Cow;

use http::Uri;

/// What a request is addressed to. Keys are in the order of their targets, so that those below a path lie together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey {
    /// Path in its normal form ([`normal_path`]), and query.
    pub target: String,
    /// In lower case; empty without one.
    pub host: String,
}

impl CacheKey {
    /// Of a request for this URI with this `Host`.
    pub fn new(uri: &Uri, host: &[u8]) -> Self {
        let mut target = normal_path(uri.path()).into_owned();
        if let Some(query) = uri.query() {
            target.push('?');
            target.push_str(query);
        }
        Self { target, host: String::from_utf8_lossy(host).to_ascii_lowercase() }
    }

    /// The target without its query.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// What it takes, bytes.
    pub fn bytes(&self) -> u64 {
        (self.host.len() + self.target.len()) as u64
    }
}

/// The one way to write a path of those that mean the same: nothing is escaped that need not be, and escapes are in upper case
/// (RFC 3986, section 6.2.2). Otherwise an answer that was asked for as `/photos/%37` would outlive `DELETE /photos/7`.
pub fn normal_path(path: &str) -> Cow<'_, str> {
    let Some((plain, escaped)) = path.split_once('%') else { return Cow::Borrowed(path) };
    let mut normal = plain.to_owned();
    for piece in escaped.split('%') {
        let digits = piece.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                normal.push(char::from(byte));
                normal.push_str(&piece[2..]);
            }
            Some(_) => {
                normal.push('%');
                normal.push_str(&piece[..2].to_ascii_uppercase());
                normal.push_str(&piece[2..]);
            }
            // The gateway refuses such a path before.
            None => {
                normal.push('%');
                normal.push_str(piece);
            }
        }
    }
    Cow::Owned(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_mean_the_same_are_one() {
        for (path, expected) in [
            ("/v1/photos/7", "/v1/photos/7"),
            ("/v1/photos/%37", "/v1/photos/7"),
            ("/a%7e%7Eb%2D", "/a~~b-"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/%20", "/%20"),
        ] {
            assert_eq!(normal_path(path), expected, "{path}");
        }
    }

    #[test]
    fn a_query_is_kept_as_it_is_and_is_no_part_of_the_path() {
        let uri: Uri = "/v1/%61?a=%61".parse().expect("valid");
        let key = CacheKey::new(&uri, b"Cleave:80");
        assert_eq!(
            (key.target.as_str(), key.path(), key.host.as_str()),
            ("/v1/a?a=%61", "/v1/a", "cleave:80")
        );
    }
}
