//! The secrets of a run, from the kernel's randomness alone: without it there is no run.

use crate::run::options::RunError;

/// Bytes of a secret: as many as the HMAC-SHA-256 that signs with it takes (RFC 2104).
const SECRET_BYTES: usize = 32;

/// The secrets of a run.
#[derive(Clone)]
pub(crate) struct RunSecrets {
    /// Opens control, calls and outbox of every node.
    pub token: String,
    /// Signs the tokens of users.
    pub identity: String,
    /// Opens the brokers of its arms.
    pub broker: String,
}

impl RunSecrets {
    /// Fresh secrets.
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub fn generate() -> Result<Self, RunError> {
        Self::from_source(getrandom::fill)
    }

    fn from_source(fill: impl Fn(&mut [u8]) -> Result<(), getrandom::Error>) -> Result<Self, RunError> {
        let secret = || {
            let mut bytes = [0; SECRET_BYTES];
            fill(&mut bytes).map_err(RunError::Randomness)?;
            Ok::<_, RunError>(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
        };
        Ok(Self { token: secret()?, identity: secret()?, broker: secret()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_and_no_two_are_the_same() {
        let (one, other) = (RunSecrets::generate().expect("random"), RunSecrets::generate().expect("random"));
        let of = |run: &RunSecrets| [run.token.clone(), run.identity.clone(), run.broker.clone()];
        let all = [of(&one), of(&other)].concat();
        assert!(all.iter().all(|secret| secret.len() == 2 * SECRET_BYTES));
        let unique: std::collections::BTreeSet<_> = all.into_iter().collect();
        assert_eq!(unique.len(), 6);
    }

    #[test]
    fn without_randomness_there_are_no_secrets() {
        let refused = RunSecrets::from_source(|_| Err(getrandom::Error::UNSUPPORTED));
        let error = refused.map(|_| ()).expect_err("nothing random was given");
        assert!(error.to_string().contains("no random bytes"), "{error}");
    }
}
