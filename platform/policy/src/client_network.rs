//! Which addresses are one client's, for limits by address.

use std::net::{IpAddr, Ipv6Addr};

/// The bits of an IPv6 address that its client is given; it chooses the other 64 itself, as often as it likes
/// (RFC 7421; RFC 8981).
const NETWORK_BITS: u128 = (u128::MAX >> 64) << 64;

/// What limits by address count a client as: an IPv4 address, also where it is mapped into IPv6 (RFC 4291, section 2.5.5.2),
/// and the /64 network of any other IPv6 address. By the whole address, one client would have 2^64 shares.
pub fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & NETWORK_BITS)),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_an_ipv4_address_or_an_ipv6_network() {
        let is_one = |one: &str, other: &str| {
            let network = |text: &str| client_network(text.parse().expect("an address"));
            network(one) == network(other)
        };
        for (one, other) in [
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"),
            ("::1", "::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ] {
            assert!(is_one(one, other), "{one} and {other}");
        }
        for (one, other) in [
            ("2001:db8:1:2::1", "2001:db8:1:3::1"),
            ("192.0.2.1", "192.0.2.2"),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
            ("::1", "127.0.0.1"),
        ] {
            assert!(!is_one(one, other), "{one} and {other}");
        }
    }
}
