//! The figures of an analytics report: who came, what became of them, what they were told.

use serde::{Deserialize, Serialize};

use super::{Compared, Latency, StatusCount};

/// Who came, what became of them, what they were told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnalyticsMetrics {
    /// Users who were created in the period.
    pub new_users: Compared<u64>,
    /// Users with an account who did something in the period: placed an order, or read a message in
    /// the app. To be charged for a subscription is nothing that they do.
    pub active_users: Compared<u64>,
    /// Users whose onboarding, where it came to an end in the period, last ended well.
    pub onboardings_finished: Compared<u64>,
    /// Users whose onboarding, where it came to an end in the period, last failed.
    pub onboardings_failed: Compared<u64>,
    /// Of the new users those who became active before the period ended. The same time is given to
    /// those of the period before.
    pub converted: Compared<u64>,
    /// Messages that were begun in the period, by channel, in alphabetical order.
    pub deliveries: Vec<ChannelDeliveries>,
    /// Listings; none where the platform has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listings: Option<ListingMetrics>,
}

/// What became of the messages on one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelDeliveries {
    /// The channel as the database spells it.
    pub channel: String,
    /// The other side took them.
    pub sent: Compared<u64>,
    /// The other side refused them for good.
    pub failed: Compared<u64>,
    /// The connection was lost after they were handed over.
    pub possibly_delivered: Compared<u64>,
    /// None of that yet.
    pub pending: Compared<u64>,
}

/// Listings, and how long their approval took.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListingMetrics {
    /// Listings that were created in the period, by what they are now; a status without any is absent.
    pub by_status: Vec<StatusCount>,
    /// From submission to approval, of those approved in the period; none if none was.
    pub approval: Compared<Option<Latency>>,
}
