//! What operators decide about the domain, as the host reads it from the configuration.

use std::time::Duration;

use url::Url;

/// The domain's settings.
#[derive(Debug, Clone)]
pub struct ListingSettings {
    /// How long reviewers have for a decision.
    pub review_window: Duration,
    /// How long before the end of that they are reminded, and the review becomes urgent.
    pub review_reminder: Duration,
    /// How many days before a listing expires its owner is reminded, in any order.
    pub expiration_reminder_days: Vec<u16>,
    /// Where partners see their listings.
    pub portal_url: Url,
    /// Where reviewers see theirs.
    pub review_url: Url,
}
