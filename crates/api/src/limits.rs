//! How often a caller may ask.

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use partner_core::config::ApiConfig;

use crate::error::{ApiError, Result};

/// From how many callers on those that were quiet are forgotten.
const MANY: usize = 10_000;

/// The limits of every caller.
pub(crate) struct Limits {
    limiter: DefaultKeyedRateLimiter<String>,
    clock: DefaultClock,
}

impl Limits {
    pub(crate) fn new(config: &ApiConfig) -> Self {
        let quota = Quota::per_second(config.requests_per_second).allow_burst(config.request_burst);
        Self {
            limiter: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
        }
    }

    /// Refuses a caller who asks too often.
    pub(crate) fn check(&self, caller: &str) -> Result<()> {
        if self.limiter.len() > MANY {
            self.limiter.retain_recent();
        }
        self.limiter
            .check_key(&caller.to_owned())
            .map_err(|until| ApiError::TooMany("requests", until.wait_time_from(self.clock.now())))
    }
}
