//! What operators decide about the domain, as the host reads it from the configuration.

use std::time::Duration;

use chrono_tz::Tz;

use crate::cleanup::CleanupSettings;
use crate::model::ReportFormat;

/// The domain's settings.
#[derive(Debug, Clone)]
pub struct AnalyticsSettings {
    /// Who is told how reports and cleanups went: a user's id, or an email address.
    pub admin: String,
    /// How reports are made and delivered.
    pub report: ReportSettings,
    /// How cleanups go about it.
    pub cleanup: CleanupSettings,
}

/// How reports are made and delivered.
#[derive(Debug, Clone)]
pub struct ReportSettings {
    /// The clock of those who read them.
    pub time_zone: Tz,
    /// As what they are made if nobody says otherwise.
    pub format: ReportFormat,
    /// How many bytes one may have.
    pub max_bytes: u64,
    /// Up to how many bytes one is attached to its mails; a larger one is linked.
    pub attach_up_to: u64,
    /// How long such a link works.
    pub link_ttl: Duration,
    /// How long one query of a report may take.
    pub statement_timeout: Duration,
}
