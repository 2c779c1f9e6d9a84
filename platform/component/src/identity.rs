//! Tokens: JWT, HS256 (RFC 7519), with a secret made per run.

mod hmac;

use contract::{Principal, Refusal};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

/// Life of a token, seconds: longer than any run, shorter than a working day.
const TOKEN_LIFETIME_SECONDS: i64 = 4 * 3600;

/// Makes tokens at log-in and checks them at the door.
pub struct Identity {
    signing: EncodingKey,
    checking: DecodingKey,
    rules: Validation,
}

/// Tokens cannot be signed with nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret that signs users' tokens is empty; set CLEAVE_SECRET, the same for all services")]
pub struct EmptySecret;

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: Principal,
    exp: i64,
}

impl Identity {
    /// An identity around the run's secret.
    ///
    /// # Errors
    /// For an empty secret, with which anyone could sign.
    pub fn new(secret: &[u8]) -> Result<Self, EmptySecret> {
        if secret.is_empty() {
            return Err(EmptySecret);
        }
        hmac::install();
        let mut rules = Validation::new(Algorithm::HS256);
        rules.leeway = 0;
        rules.set_required_spec_claims(&["exp", "sub"]);
        Ok(Self {
            signing: EncodingKey::from_secret(secret),
            checking: DecodingKey::from_secret(secret),
            rules,
        })
    }

    /// A token that speaks for `principal` for four hours.
    ///
    /// # Errors
    /// Never for plain claims; a library that cannot sign is an internal refusal.
    pub fn token(&self, principal: Principal) -> Result<String, Refusal> {
        let claims =
            Claims { sub: principal, exp: runtime::clock::wall_us() / 1_000_000 + TOKEN_LIFETIME_SECONDS };
        encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
            .map_err(|error| Refusal::internal(format!("the token could not be signed: {error}")))
    }

    /// The user a token was issued to.
    ///
    /// # Errors
    /// 401 for a forged, expired or malformed token.
    pub fn check(&self, token: &str) -> Result<Principal, Refusal> {
        decode::<Claims>(token, &self.checking, &self.rules).map(|data| data.claims.sub).map_err(|_| {
            Refusal::new(
                contract::RefusalKind::Unauthenticated,
                "token_invalid",
                "the token is forged, expired or malformed; POST /v1/sessions gives a new one",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_speaks_for_its_user_and_no_other_secret_accepts_it() {
        let ours = Identity::new(b"one secret").expect("a secret");
        let token = ours.token(Principal::new(7)).expect("signs");
        assert_eq!(ours.check(&token).expect("accepts"), Principal::new(7));
        let theirs = Identity::new(b"another secret").expect("a secret");
        assert_eq!(theirs.check(&token).expect_err("refuses").code, "token_invalid");
    }

    #[test]
    fn an_unsigned_token_is_refused() {
        // {"alg":"none"} . {"sub":"0000000000007","exp":4102444800}
        let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIwMDAwMDAwMDAwMDA3IiwiZXhwIjo0MTAyNDQ0ODAwfQ.";
        assert!(Identity::new(b"secret").expect("a secret").check(unsigned).is_err());
        assert!(Identity::new(b"").is_err(), "nor can one be signed with nothing");
    }
}
