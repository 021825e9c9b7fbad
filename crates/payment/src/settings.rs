//! How recurring billing is set up: what the domain takes from the configuration.

use std::time::Duration;

pub use partner_core::config::SubscriptionSchedule as Schedule;

use crate::dunning::DunningPolicy;

/// Recurring billing, as this platform does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BillingSettings {
    /// Who makes the next attempt, and the next period's payment.
    pub schedule: Schedule,
    /// How many days after the first failed attempt the second is made, and after the second the
    /// third.
    pub retry_days: [u16; 2],
    /// How long a durable schedule waits for a suspended subscription to be paid after all.
    pub suspension_window: Duration,
}

impl BillingSettings {
    /// What follows a decline.
    pub const fn dunning(&self) -> DunningPolicy {
        DunningPolicy {
            retry_days: self.retry_days,
        }
    }
}
