//! What a caption and tags look like.

use contract::{Refusal, RefusalKind};

/// Longest caption, characters.
const MAX_CAPTION: usize = 500;
/// Most tags on one photo.
const MAX_TAGS: usize = 10;
/// Longest tag, characters.
const MAX_TAG: usize = 30;

fn refusal(code: &'static str, message: String) -> Refusal {
    Refusal::new(RefusalKind::Unprocessable, code, message)
}

/// A caption without surrounding white space.
///
/// # Errors
/// 422 when it is too long or holds control characters.
pub fn caption(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.chars().count() > MAX_CAPTION {
        return Err(refusal("caption_too_long", format!("a caption has at most {MAX_CAPTION} characters")));
    }
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(refusal(
            "caption_invalid",
            "a caption holds no control characters but line breaks".into(),
        ));
    }
    Ok(text.to_owned())
}

/// Tags out of a comma-separated list: lowercase, each once, in the order given.
///
/// # Errors
/// 422 for too many, or for one that is no word.
pub fn tags(list: &str) -> Result<Vec<String>, Refusal> {
    let mut tags: Vec<String> = Vec::new();
    for tag in list.split(',').map(|tag| tag.trim().to_lowercase()).filter(|tag| !tag.is_empty()) {
        let is_word = tag.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        if !is_word || tag.chars().count() > MAX_TAG {
            return Err(refusal(
                "tag_invalid",
                format!("a tag is a word of at most {MAX_TAG} letters, digits, `_` or `-`; `{tag}` is not"),
            ));
        }
        if !tags.contains(&tag) {
            // At once: a list is as long as a head may be, and each tag is compared with all before it.
            if tags.len() == MAX_TAGS {
                return Err(refusal("tags_too_many", format!("a photo has at most {MAX_TAGS} tags")));
            }
            tags.push(tag);
        }
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T>(result: Result<T, Refusal>) -> String {
        result.err().map(|refusal| refusal.code.into_owned()).unwrap_or_default()
    }

    #[test]
    fn tags_are_lowercase_words_each_once() {
        assert_eq!(tags(" Cat, dog,,CAT ,naïve-art").expect("words"), ["cat", "dog", "naïve-art"]);
        assert_eq!(tags("").expect("none"), Vec::<String>::new());
        assert_eq!(code(tags("two words")), "tag_invalid");
        assert_eq!(code(tags(&"x".repeat(31))), "tag_invalid");
        assert_eq!(tags("a,b,c,d,e,f,g,h,i,j,a").expect("ten").len(), MAX_TAGS);
        assert_eq!(code(tags("a,b,c,d,e,f,g,h,i,j,k")), "tags_too_many");
        assert_eq!(
            code(tags("a,b,c,d,e,f,g,h,i,j,k,two words")),
            "tags_too_many",
            "nothing after them is read"
        );
    }

    #[test]
    fn captions_are_bounded_in_characters_not_bytes() {
        assert_eq!(caption(&"é".repeat(500)).expect("500 characters").chars().count(), 500);
        assert_eq!(code(caption(&"é".repeat(501))), "caption_too_long");
        assert_eq!(caption("  two\nlines ").expect("fine"), "two\nlines");
        assert_eq!(code(caption("nul\0")), "caption_invalid");
    }
}
