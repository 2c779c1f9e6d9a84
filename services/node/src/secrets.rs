//! The secrets of a process: given, or made where no other process has to know it.

use std::sync::Arc;

use component::Identity;
use component::identity::EmptySecret;

use crate::config::NodeConfig;
use crate::contents::NodeContents;

/// Why a process has no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It is one of several processes, and was given none.
    #[error(transparent)]
    Empty(#[from] EmptySecret),
    /// It is alone, and none can be made.
    #[error("the kernel gives no random bytes for a secret; set CLEAVE_SECRET")]
    Randomness,
}

/// Numbers of 64 bits in a secret: as many as the HMAC-SHA-256 that signs with it takes (RFC 2104).
const SECRET_NUMBERS: usize = 4;

/// What makes and checks users' tokens here. A process that is alone makes a secret where it is given
/// none: its tokens end with it. One of several cannot, since the others would not know it.
pub(crate) fn identity(
    config: &NodeConfig,
    contents: &NodeContents,
) -> Result<Option<Arc<Identity>>, SecretError> {
    match (Identity::new(config.secret.as_bytes()), contents.stores.is_empty()) {
        (Ok(identity), _) => Ok(Some(Arc::new(identity))),
        (Err(_), true) => Ok(None),
        (Err(empty), false) if !is_alone(config) => Err(empty.into()),
        (Err(_), false) => Ok(Some(Arc::new(Identity::new(made()?.as_bytes())?))),
    }
}

/// The token of calls, outbox and control: as given, or made by a process that is alone, which
/// opens its own registry with it. An empty one opens nothing.
pub(crate) fn token(config: &NodeConfig, contents: &NodeContents) -> Result<String, SecretError> {
    let makes = config.token.is_empty() && is_alone(config) && !contents.stores.is_empty();
    if makes { made() } else { Ok(config.token.clone()) }
}

fn is_alone(config: &NodeConfig) -> bool {
    config.registry.is_none() && config.processes.len() <= 1
}

/// A secret in hex.
fn made() -> Result<String, SecretError> {
    let mut secret = String::new();
    for _ in 0..SECRET_NUMBERS {
        let bits = runtime::random::unique().map_err(|_| SecretError::Randomness)?;
        secret.push_str(&format!("{bits:016x}"));
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contents::StoreContents;

    #[test]
    fn one_of_several_needs_a_secret_and_one_that_is_alone_makes_its_own() {
        let store = || StoreContents {
            name: "app".into(),
            services: Vec::new(),
            outbound: storage::OutboundTopics::default(),
        };
        let contents = |stores| NodeContents { stores, gateway: None };
        let alone = NodeConfig::default();
        let made = || identity(&alone, &contents(vec![store()])).ok().flatten().expect("a secret of its own");
        let issued = made().token(contract::Principal::new(7)).expect("signs");
        assert!(made().check(&issued).is_err(), "another start has another");
        assert!(
            identity(&alone, &contents(Vec::new())).is_ok_and(|none| none.is_none()),
            "a door needs none"
        );

        let registry = Some("127.0.0.1:7000".parse().expect("a place"));
        let among = NodeConfig { registry, ..NodeConfig::default() };
        let refused = identity(&among, &contents(vec![store()])).err().expect("the others would not know it");
        assert!(refused.to_string().contains("CLEAVE_SECRET"), "{refused}");
        let given = NodeConfig { secret: "given".into(), ..among };
        assert!(identity(&given, &contents(vec![store()])).is_ok_and(|some| some.is_some()));
        assert_eq!(token(&given, &contents(vec![store()])).ok().as_deref(), Some(""), "which opens nothing");
        assert!(token(&alone, &contents(vec![store()])).is_ok_and(|token| token.len() == 64));
    }
}
