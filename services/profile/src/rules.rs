//! What a handle, a name, a bio and a password look like. Each refusal has a stable code.

use contract::{Refusal, RefusalKind};

/// Length of a handle, bytes.
const HANDLE: std::ops::RangeInclusive<usize> = 3..=30;
/// The same as a pattern, with its characters.
pub(crate) const HANDLE_PATTERN: &str = "^[a-z0-9_]{3,30}$";
/// Longest name, characters.
pub(crate) const NAME_MAX: usize = 80;
/// Longest bio, characters.
pub(crate) const BIO_MAX: usize = 500;
/// Shortest password, characters (NIST SP 800-63B, section 5.1.1).
pub(crate) const PASSWORD_MIN: usize = 8;
/// Longest password, bytes: a passphrase with room to spare.
pub const PASSWORD_MAX: usize = 256;

/// Checks a handle: 3 to 30 of `a-z0-9_`.
///
/// # Errors
/// 422 `handle_invalid`.
pub fn handle(handle: &str) -> Result<(), Refusal> {
    let fits = HANDLE.contains(&handle.len())
        && handle.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    check(fits, "handle_invalid", "a handle has 3 to 30 of the characters a-z, 0-9 and _")
}

/// Checks a display name: 1 to 80 characters on one line, no space around.
///
/// # Errors
/// 422 `name_invalid`.
pub fn name(name: &str) -> Result<(), Refusal> {
    let length = name.chars().count();
    let fits = (1..=NAME_MAX).contains(&length) && name.trim() == name && !name.chars().any(char::is_control);
    check(fits, "name_invalid", "a name has 1 to 80 characters on one line, without space around it")
}

/// Checks a bio: at most 500 characters; lines may break.
///
/// # Errors
/// 422 `bio_invalid`.
pub fn bio(bio: &str) -> Result<(), Refusal> {
    let fits = bio.chars().count() <= BIO_MAX && !bio.chars().any(|c| c.is_control() && c != '\n');
    check(fits, "bio_invalid", "a bio has at most 500 characters and no control characters but line breaks")
}

/// Checks a new password: 8 characters to 256 bytes, anything in it.
///
/// # Errors
/// 422 `password_invalid`.
pub fn password(password: &str) -> Result<(), Refusal> {
    let fits = password.chars().count() >= PASSWORD_MIN && password.len() <= PASSWORD_MAX;
    check(fits, "password_invalid", "a password has at least 8 characters and at most 256 bytes")
}

fn check(fits: bool, code: &'static str, sentence: &'static str) -> Result<(), Refusal> {
    if fits { Ok(()) } else { Err(Refusal::new(RefusalKind::Unprocessable, code, sentence)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_short_lowercase_words() {
        for good in ["ada", "user_000042", &"x".repeat(30)] {
            assert!(handle(good).is_ok(), "{good}");
        }
        for bad in ["", "ab", "Ada", "a b c", "ada!", "ädä", "ada\n", &"x".repeat(31)] {
            assert_eq!(handle(bad).expect_err(bad).code, "handle_invalid");
        }
    }

    #[test]
    fn names_count_characters_and_stay_on_one_line() {
        // 80 two-byte characters are 160 bytes and still a name.
        assert!(name(&"é".repeat(80)).is_ok());
        for bad in ["", " ada", "ada ", "a\nb", "a\0b", &"x".repeat(81)] {
            assert_eq!(name(bad).expect_err(bad).code, "name_invalid");
        }
    }

    #[test]
    fn bios_may_break_lines_and_be_empty() {
        assert!(bio("").is_ok() && bio("one\ntwo").is_ok() && bio(&"é".repeat(500)).is_ok());
        for bad in ["\0", &"x".repeat(501)] {
            assert_eq!(bio(bad).expect_err("refused").code, "bio_invalid");
        }
    }

    #[test]
    fn passwords_are_bounded_on_both_sides() {
        assert!(password("12345678").is_ok() && password(&"x".repeat(256)).is_ok());
        for bad in ["1234567", &"x".repeat(257)] {
            assert_eq!(password(bad).expect_err("refused").code, "password_invalid");
        }
    }
}
