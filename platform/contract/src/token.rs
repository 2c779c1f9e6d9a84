//! The run's token: what calls, outboxes, control and the registry ask for.

/// Whether `given` is the run's token. The comparison takes as long for a wrong guess as
/// for a right one of its length; an empty token admits nothing.
pub fn is_run_token(given: Option<&[u8]>, token: &str) -> bool {
    let (given, token) = (given.unwrap_or_default(), token.as_bytes());
    let differing = given.iter().zip(token).fold(0, |differing, (a, b)| differing | (a ^ b));
    !token.is_empty() && given.len() == token.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_admitted_and_an_empty_one_is_none() {
        assert!(is_run_token(Some(b"secret"), "secret"));
        for given in [None, Some(&b""[..]), Some(b"secre"), Some(b"secrets"), Some(b"Secret")] {
            assert!(!is_run_token(given, "secret"), "{given:?}");
        }
        assert!(!is_run_token(Some(b""), "") && !is_run_token(None, ""));
    }
}
