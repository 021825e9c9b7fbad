//! When recurring work begins.

use std::time::Duration;

use chrono_tz::Tz;
use serde::Deserialize;

/// Recurring work; `partner schedules apply` brings it to the Temporal service.
#[derive(Debug, Clone, Deserialize)]
pub struct SchedulesConfig {
    /// The clock that the times are told by: an IANA time zone.
    pub time_zone: Tz,
    /// Up to how much later than planned something begins, so that not all begins at once.
    #[serde(with = "humantime_serde")]
    pub jitter: Duration,
    /// How old a time may be that passed while the Temporal service was down, to be made up for.
    #[serde(with = "humantime_serde")]
    pub catch_up: Duration,
    /// Reports.
    pub reports: ScheduledReports,
    /// Cleanups.
    pub cleanups: ScheduledCleanups,
    /// The payments of subscriptions that are due.
    pub due_subscriptions: ScheduledSweep,
    /// The expirations of listings that expire soon.
    pub expiring_listings: ScheduledSweep,
    /// Stock that unpaid orders hold past their time.
    pub reservations: ScheduledSweep,
}

/// Looking for what is due, again and again.
#[derive(Debug, Clone, Deserialize)]
pub struct ScheduledSweep {
    /// When, as minute, hour, day of the month, month, day of the week; never, if empty.
    pub cron: String,
}

/// What a scheduled report is about. The spellings are part of the wire contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduledReport {
    /// Revenue, orders, declines.
    Sales,
    /// Users and listings.
    Analytics,
    /// The workflows themselves.
    Performance,
}

impl ScheduledReport {
    /// The spelling on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sales => "sales",
            Self::Analytics => "analytics",
            Self::Performance => "performance",
        }
    }
}

/// Reports that are made again and again.
#[derive(Debug, Clone, Deserialize)]
pub struct ScheduledReports {
    /// When, as minute, hour, day of the month, month, day of the week.
    pub cron: String,
    /// Which.
    pub types: Vec<ScheduledReport>,
    /// Who gets them: email addresses. Without any, no report is scheduled.
    pub recipients: Vec<String>,
}

/// Cleanups that are made again and again.
#[derive(Debug, Clone, Deserialize)]
pub struct ScheduledCleanups {
    /// When, as minute, hour, day of the month, month, day of the week.
    pub cron: String,
    /// How many days logs are kept; 0: their cleanup is not scheduled.
    pub logs_days: u32,
    /// How many days sessions are kept; 0: their cleanup is not scheduled.
    pub sessions_days: u32,
    /// How many days temporary files are kept; 0: their cleanup is not scheduled.
    pub temp_files_days: u32,
}
