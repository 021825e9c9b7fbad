//! Telling the administrator how a cleanup went.

use partner_core::contracts::notification::{NotificationEmail, SendNotificationInput};
use partner_core::problem::Problem;

use crate::emails::{self, CleanupMail};
use crate::workflows::data_cleanup::DataCleanupDetails;

/// Whom it is about, and what is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Notice<'a> {
    /// Who is told.
    pub(crate) admin: &'a str,
    /// How it went.
    pub(crate) details: &'a DataCleanupDetails,
}

impl Notice<'_> {
    /// That it was done.
    pub(crate) fn finished(self) -> Result<SendNotificationInput, askama::Error> {
        let Some(mail) = self.mail() else {
            return Err(askama::Error::custom("the cleanup has not begun"));
        };
        let message = format!(
            "Cleanup of {}: {} rows were deleted.",
            mail.cleanup_type, mail.deleted
        );
        let email = emails::cleanup_finished(mail)?;
        Ok(self.notice("cleanup_finished", "Cleanup finished", message, email))
    }

    /// Why it stopped.
    pub(crate) fn failed(self, problem: &Problem) -> Result<SendNotificationInput, askama::Error> {
        let Some(mail) = self.mail() else {
            return Err(askama::Error::custom("the cleanup has not begun"));
        };
        let reason = format!("{}: {problem}", problem.code);
        let message = format!(
            "Cleanup of {} stopped after {} rows. {reason}",
            mail.cleanup_type, mail.deleted
        );
        let email = emails::cleanup_failed(mail, &reason)?;
        Ok(self.notice("cleanup_failed", "Cleanup stopped", message, email))
    }

    fn mail(&self) -> Option<CleanupMail<'_>> {
        let details = self.details;
        Some(CleanupMail {
            cleanup_type: details.cleanup_type?,
            deleted: details.deleted,
            held: details.held + details.held_since,
            changed: details.changed_since,
            backup_url: details.backup_url.as_deref(),
            operation_id: details.operation_id.as_deref()?,
        })
    }

    fn notice(
        &self,
        kind: &str,
        title: &str,
        message: String,
        email: NotificationEmail,
    ) -> SendNotificationInput {
        let operation_id = self.details.operation_id.as_deref().unwrap_or_default();
        SendNotificationInput {
            user_id: self.admin.to_owned(),
            kind: kind.to_owned(),
            message,
            metadata: None,
            title: Some(title.to_owned()),
            email: Some(email),
            channels: None,
            critical: false,
            notification_id: Some(format!("cleanup/{operation_id}/{kind}")),
        }
    }
}
