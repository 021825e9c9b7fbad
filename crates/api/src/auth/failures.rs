//! Failed authentications, by the address that they come from: whoever guesses is refused before the
//! database is asked, and before a signature is checked.
//!
//! A failure counts once it is one. Of what comes at once, all is looked at: a caller who begins with many
//! requests at once is no guesser, and nobody guesses 256 bits.
//!
//! Behind one address there may be many callers, of a proxy or of a whole company. So that one who
//! guesses does not lock out the others, credentials that were good not long ago are looked at whatever
//! comes from their address; they are still looked at, because a key may have been revoked meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::error::{ApiError, Result};

/// In this time an address has its whole quota again.
const PERIOD: Duration = Duration::from_mins(1);

/// How long credentials that were good count as such at least, unless there are too many.
const GOOD_FOR: Duration = Duration::from_hours(1);

/// How many addresses are remembered, and twice how many credentials; more than that come from so many
/// places that no address's quota would stop them.
const MANY: usize = 10_000;

/// The failures of every address.
pub(crate) struct Failures {
    /// How long it takes until one failure counts no more.
    each: Duration,
    seen: Mutex<Seen>,
}

struct Seen {
    /// When the last failure of each address counts no more.
    clean_at: BTreeMap<IpAddr, Instant>,
    /// The hashes of credentials that were good: of late, and in the time before.
    good: [BTreeSet<Hash>; 2],
    /// When what was of late became the time before.
    turned_at: Instant,
}

type Hash = [u8; 32];

/// Credentials that are about to be looked at, and where they come from.
pub(super) struct Attempt {
    address: IpAddr,
    hash: Hash,
}

impl Failures {
    /// So many a minute for each address, and as many at once after a quiet time.
    pub(crate) fn new(per_minute: NonZeroU32) -> Self {
        Self {
            each: PERIOD / per_minute.get(),
            seen: Mutex::new(Seen {
                clean_at: BTreeMap::new(),
                good: Default::default(),
                turned_at: Instant::now(),
            }),
        }
    }

    /// Refuses an address that has failed too often, unless these credentials were good not long ago.
    pub(super) fn begin(&self, peer: SocketAddr, credentials: &str) -> Result<Attempt> {
        let attempt = Attempt {
            address: origin(peer.ip()),
            hash: Sha256::digest(credentials).into(),
        };
        let seen = self.seen();
        let left = seen.until_clean(attempt.address, Instant::now());
        // One more must fit into what makes up for itself within the period.
        let wait = (left + self.each).saturating_sub(PERIOD);
        if wait.is_zero() || seen.was_good(&attempt.hash) {
            return Ok(attempt);
        }
        Err(ApiError::TooMany(
            "failed authentications from this address",
            wait,
        ))
    }

    /// These credentials are good.
    pub(super) fn succeeded(&self, attempt: &Attempt) {
        let mut seen = self.seen();
        seen.turn(Instant::now());
        let [of_late, _] = &mut seen.good;
        of_late.insert(attempt.hash);
    }

    /// These credentials are not good, or no longer.
    pub(super) fn failed(&self, attempt: &Attempt) {
        let now = Instant::now();
        let mut seen = self.seen();
        for good in &mut seen.good {
            good.remove(&attempt.hash);
        }
        if seen.clean_at.len() >= MANY {
            seen.clean_at.retain(|_, clean_at| *clean_at > now);
        }
        if seen.clean_at.len() < MANY || seen.clean_at.contains_key(&attempt.address) {
            let left = seen.until_clean(attempt.address, now) + self.each;
            // What was under way at once must not count for longer than the period.
            let clean_at = now + left.min(PERIOD);
            seen.clean_at.insert(attempt.address, clean_at);
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn until_clean(&self, address: IpAddr, now: Instant) -> Duration {
        let clean_at = self.clean_at.get(&address);
        clean_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
    }

    fn was_good(&self, hash: &Hash) -> bool {
        self.good.iter().any(|good| good.contains(hash))
    }

    /// Forgets what was good long ago; who is still there comes again.
    fn turn(&mut self, now: Instant) {
        let [of_late, before] = &mut self.good;
        if of_late.len() >= MANY || now.saturating_duration_since(self.turned_at) > GOOD_FOR {
            *before = mem::take(of_late);
            self.turned_at = now;
        }
    }
}

/// Who has one address of IPv6 has all of its network.
fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            Ipv6Addr::from(network).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_a_minute() -> Failures {
        Failures::new(NonZeroU32::new(3).unwrap())
    }

    fn fail(failures: &Failures, peer: &str, credentials: &str) -> Result<()> {
        let attempt = failures.begin(peer.parse().unwrap(), credentials)?;
        failures.failed(&attempt);
        Ok(())
    }

    #[test]
    fn an_address_that_keeps_failing_is_refused_and_no_other() {
        let failures = three_a_minute();
        for _ in 0..3 {
            fail(&failures, "192.0.2.1:1", "guess").unwrap();
        }
        let refused = fail(&failures, "192.0.2.1:2", "guess").unwrap_err();
        assert!(
            matches!(refused, ApiError::TooMany(_, wait) if wait <= PERIOD / 3),
            "{refused:?}"
        );
        fail(&failures, "192.0.2.2:1", "guess").unwrap();
    }

    #[test]
    fn credentials_that_were_good_are_looked_at_until_they_are_not() {
        let failures = three_a_minute();
        let (peer, good) = ("192.0.2.1:1", "good");
        let attempt = failures.begin(peer.parse().unwrap(), good).unwrap();
        failures.succeeded(&attempt);
        for _ in 0..3 {
            fail(&failures, peer, "guess").unwrap();
        }
        fail(&failures, peer, "another").unwrap_err();
        // Revoked meanwhile.
        fail(&failures, peer, good).unwrap();
        fail(&failures, peer, good).unwrap_err();
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_ipv4_is_itself() {
        let failures = three_a_minute();
        for peer in ["[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1"] {
            fail(&failures, peer, "guess").unwrap();
        }
        fail(&failures, "[2001:db8::4]:1", "guess").unwrap_err();
        fail(&failures, "[2001:db8:0:1::4]:1", "guess").unwrap();
        for peer in ["192.0.2.1:1", "[::ffff:192.0.2.1]:1", "192.0.2.1:2"] {
            fail(&failures, peer, "guess").unwrap();
        }
        fail(&failures, "[::ffff:192.0.2.1]:1", "guess").unwrap_err();
        fail(&failures, "[::ffff:192.0.2.2]:1", "guess").unwrap();
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let failures = three_a_minute();
        let last = u32::try_from(MANY).unwrap() + 10;
        for number in 0..=last {
            let peer = SocketAddr::from((number.to_be_bytes(), 1));
            let attempt = failures.begin(peer, &number.to_string()).unwrap();
            failures.failed(&attempt);
            failures.succeeded(&attempt);
        }
        let seen = failures.seen();
        assert!(seen.clean_at.len() <= MANY);
        assert!(seen.good.iter().all(|good| good.len() <= MANY));
        assert!(seen.was_good(&Sha256::digest(last.to_string()).into()));
    }
}
