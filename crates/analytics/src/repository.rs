//! The tables that reports read, and those of the analytics domain itself, one file an aggregate.

pub mod cleanup;
mod metrics;
mod reminders;
mod reports;

pub use metrics::MetricsRepository;
pub use reminders::{ReminderRepository, SentReminder};
pub use reports::{LoggedReport, ReportLogRepository};
