//! Bytes of the bodies of all clients: what short ones may hold, and what long ones may.

use std::net::IpAddr;

use policy::BodyLimits;

use crate::byte_budget::{ByteBudget, ClientBudget};

/// What bodies may hold: a quarter of the bytes is kept for short ones, so that uploads and downloads do not take the
/// room of everything else.
#[derive(Clone, Debug)]
pub struct BodyBudget {
    /// For bodies of which a client has many.
    pub short: ByteBudget,
    /// For those that are long, or of unknown length.
    pub long: ByteBudget,
}

/// The same, as the bodies of one client see it.
#[derive(Clone, Debug)]
pub(crate) struct ClientBodyBudget {
    pub short: ClientBudget,
    pub long: ClientBudget,
}

impl BodyBudget {
    /// Nothing is held yet.
    pub fn new(limits: BodyLimits) -> Self {
        let budget = |share: fn(u64) -> u64| {
            let (in_all, per_address) = (share(limits.in_all), limits.per_address.map(share));
            ByteBudget::new(BodyLimits { in_all, per_address })
        };
        Self { short: budget(|bytes| bytes / 4), long: budget(|bytes| bytes - bytes / 4) }
    }

    /// The budget of a client at this address; to be kept with its connection.
    pub(crate) fn of(&self, address: IpAddr) -> ClientBodyBudget {
        ClientBodyBudget { short: self.short.of(address), long: self.long.of(address) }
    }

    /// Bytes that are held now.
    pub fn held(&self) -> u64 {
        self.short.held() + self.long.held()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn a_quarter_is_for_short_bodies() {
        let budget = BodyBudget::new(BodyLimits { in_all: 64, per_address: Some(24) });
        let mut long = budget.long.reserve(HERE);
        assert!(long.grow(18) && !long.grow(1));
        let mut short = budget.short.reserve(HERE);
        assert!(short.grow(6) && !short.grow(1));
    }
}
