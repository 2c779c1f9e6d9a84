//! Wrong passwords are limited: of one address for one account, of one address, and for one account. So are new accounts of
//! one address. Addresses of one /64 network of IPv6 are one address, since a client chooses among them.
//!
//! An account whose log-in is limited by one address can be logged in to from another, and its
//! tokens work everywhere: no user who is logged in can be locked out by others. Who guesses from many addresses, or from
//! the one that all clients share, can keep others from logging in for as long as that goes on.

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use contract::hash::{fnv1a64, fnv1a64_with};
use contract::{Refusal, RefusalKind};
use policy::client_network;
use policy::gcra::{Quota, RateLimit};
use runtime::clock;

const SECOND_NS: u64 = 1_000_000_000;
/// Of one address for one account: a person who forgot, not a list of words.
const PAIR: Quota = Quota { burst: 10, interval_ns: 6 * SECOND_NS };
/// Of one address for all accounts: a house full of people behind one.
const ADDRESS: Quota = Quota { burst: 50, interval_ns: SECOND_NS };
/// For one account from everywhere: what many addresses together may guess.
const ACCOUNT: Quota = Quota { burst: 100, interval_ns: SECOND_NS };

/// New accounts of one address: each costs a hash, and a row for ever.
const SIGN_UP: Quota = Quota { burst: 20, interval_ns: 5 * SECOND_NS };

/// The limits.
pub struct LogInLimit(Mutex<Limits>);

struct Limits {
    pairs: RateLimit<u64>,
    /// `None` where all clients share an address.
    addresses: Option<RateLimit<u64>>,
    accounts: RateLimit<u64>,
    /// `None` where all clients share an address.
    sign_ups: Option<RateLimit<u64>>,
}

/// A log-in under way. Counted as wrong unless it is taken back.
pub struct LogInAttempt<'a> {
    limit: &'a LogInLimit,
    keys: Keys,
}

#[derive(Clone, Copy)]
struct Keys {
    pair: u64,
    address: u64,
    account: u64,
}

impl LogInLimit {
    /// Limits that have seen nothing; `per_address` is false where all clients share one.
    pub fn new(per_address: bool) -> Self {
        let by_address = |quota| per_address.then(|| RateLimit::new(quota));
        let (addresses, sign_ups) = (by_address(ADDRESS), by_address(SIGN_UP));
        let (pairs, accounts) = (RateLimit::new(PAIR), RateLimit::new(ACCOUNT));
        Self(Mutex::new(Limits { pairs, addresses, accounts, sign_ups }))
    }

    /// Counts an account that is to be opened.
    ///
    /// # Errors
    /// 429 with the time after which the next one may be.
    pub fn sign_up(&self, address: &str) -> Result<(), Refusal> {
        self.sign_up_at(address, clock::now_ns())
    }

    fn sign_up_at(&self, address: &str, now_ns: u64) -> Result<(), Refusal> {
        let address = address_key(address);
        let mut limits = self.limits();
        let Some(sign_ups) = &mut limits.sign_ups else { return Ok(()) };
        let wait_ns = sign_ups.wait_ns(&address, now_ns);
        if wait_ns > 0 {
            let message =
                "too many new accounts from this address; come back after the time in `Retry-After`";
            return Err(limited("sign_ups_limited", message, wait_ns));
        }
        sign_ups.take(address, now_ns);
        Ok(())
    }

    /// Lets an attempt begin.
    ///
    /// # Errors
    /// 429 with the time after which the next one may.
    pub fn begin(&self, handle: &str, address: &str) -> Result<LogInAttempt<'_>, Refusal> {
        self.begin_at(handle, address, clock::now_ns())
    }

    fn begin_at(&self, handle: &str, address: &str, now_ns: u64) -> Result<LogInAttempt<'_>, Refusal> {
        let (account, address) = (fnv1a64(handle.as_bytes()), address_key(address));
        let keys = Keys { pair: fnv1a64_with(&address.to_le_bytes(), account), address, account };
        let mut limits = self.limits();
        let addresses = limits.addresses.as_ref().map_or(0, |limit| limit.wait_ns(&address, now_ns));
        let wait_ns = limits
            .pairs
            .wait_ns(&keys.pair, now_ns)
            .max(limits.accounts.wait_ns(&account, now_ns))
            .max(addresses);
        if wait_ns > 0 {
            let message = "too many wrong passwords; come back after the time in `Retry-After`";
            return Err(limited("log_ins_limited", message, wait_ns));
        }
        limits.pairs.take(keys.pair, now_ns);
        limits.accounts.take(account, now_ns);
        if let Some(addresses) = &mut limits.addresses {
            addresses.take(address, now_ns);
        }
        drop(limits);
        Ok(LogInAttempt { limit: self, keys })
    }

    fn limits(&self) -> std::sync::MutexGuard<'_, Limits> {
        self.0.lock().expect("no panic while held")
    }
}

/// Who is counted at an address.
fn address_key(address: &str) -> u64 {
    match address.parse::<IpAddr>() {
        Ok(parsed) => fnv1a64(client_network(parsed).to_string().as_bytes()),
        // None came with the request.
        Err(_) => fnv1a64(address.as_bytes()),
    }
}

fn limited(code: &'static str, message: &'static str, wait_ns: u64) -> Refusal {
    let mut refusal = Refusal::new(RefusalKind::TooMany, code, message);
    refusal.retry_after = Some(Duration::from_nanos(wait_ns));
    refusal
}

impl LogInAttempt<'_> {
    /// It was no wrong password: it went well, or its client learned nothing.
    pub fn take_back(self) {
        let Keys { pair, address, account } = self.keys;
        let mut limits = self.limit.limits();
        limits.pairs.give_back(&pair);
        limits.accounts.give_back(&account);
        if let Some(addresses) = &mut limits.addresses {
            addresses.give_back(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When all of it happens, unless a test moves the clock.
    const NOW_NS: u64 = 1_000 * SECOND_NS;

    fn wrong(limit: &LogInLimit, handle: &str, address: &str) -> bool {
        wrong_at(limit, handle, address, NOW_NS)
    }

    fn wrong_at(limit: &LogInLimit, handle: &str, address: &str, now_ns: u64) -> bool {
        limit.begin_at(handle, address, now_ns).is_ok()
    }

    fn opens(limit: &LogInLimit, address: &str) -> bool {
        limit.sign_up_at(address, NOW_NS).is_ok()
    }

    #[test]
    fn guesses_of_one_address_end_and_no_user_is_locked_out() {
        let limit = LogInLimit::new(true);
        assert!((0..10).all(|_| wrong(&limit, "ada", "10.0.0.1")));
        let refusal = limit.begin_at("ada", "10.0.0.1", NOW_NS).err().expect("ten wrong ones");
        assert_eq!((refusal.kind, refusal.code.as_ref()), (RefusalKind::TooMany, "log_ins_limited"));
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(6)));
        assert!(wrong(&limit, "ada", "10.0.0.2"), "from where she is");
        assert!(wrong(&limit, "bob", "10.0.0.1"));
        // One more each six seconds.
        let later_ns = NOW_NS + PAIR.interval_ns;
        assert!(!wrong_at(&limit, "ada", "10.0.0.1", later_ns - 1));
        assert!(wrong_at(&limit, "ada", "10.0.0.1", later_ns));
        assert!(!wrong_at(&limit, "ada", "10.0.0.1", later_ns));
    }

    #[test]
    fn the_present_is_the_clocks() {
        let limit = LogInLimit::new(true);
        limit.begin("ada", "10.0.0.1").expect("the first one");
        limit.sign_up("10.0.0.1").expect("the first one");
    }

    #[test]
    fn an_address_that_tries_many_accounts_is_limited_unless_all_share_it() {
        for (per_address, most) in [(true, 50), (false, 200)] {
            let limit = LogInLimit::new(per_address);
            let tried = (0..200).filter(|n| wrong(&limit, &format!("user{n}"), "10.0.0.1")).count();
            assert_eq!(tried, most, "{per_address}");
        }
    }

    #[test]
    fn an_address_opens_so_many_accounts_unless_all_share_it() {
        for (per_address, most) in [(true, 20), (false, 40)] {
            let limit = LogInLimit::new(per_address);
            assert_eq!((0..40).filter(|_| opens(&limit, "10.0.0.1")).count(), most, "{per_address}");
            assert!(opens(&limit, "10.0.0.2"), "another address");
            assert!(wrong(&limit, "ada", "10.0.0.1"), "log-ins are another matter");
        }
    }

    #[test]
    fn a_client_has_no_more_attempts_for_choosing_its_own_ipv6_addresses() {
        let limit = LogInLimit::new(true);
        let tried = (0..200).filter(|n| wrong(&limit, "ada", &format!("2001:db8::{n:x}"))).count();
        assert_eq!(tried, 10, "as of one address");
        assert!(wrong(&limit, "ada", "2001:db8:0:1::1"), "from where she is");
        let opened = (0..200).filter(|n| opens(&limit, &format!("2001:db8::{n:x}"))).count();
        assert_eq!(opened, 20);
    }

    #[test]
    fn what_went_well_does_not_count() {
        let limit = LogInLimit::new(true);
        for _ in 0..200 {
            limit.begin_at("ada", "10.0.0.1", NOW_NS).expect("no wrong one").take_back();
        }
    }

    #[test]
    fn many_addresses_together_are_limited_for_one_account() {
        let limit = LogInLimit::new(true);
        let tried = (0..200).filter(|n| wrong(&limit, "ada", &format!("10.0.0.{n}"))).count();
        assert_eq!(tried, 100);
    }
}
