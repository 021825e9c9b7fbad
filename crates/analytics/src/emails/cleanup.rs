//! What the administrator is told by mail about a cleanup.

use askama::Template;
use partner_core::contracts::notification::NotificationEmail;

use super::mail;
use crate::cleanup::CleanupType;

/// What a mail about a cleanup is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CleanupMail<'a> {
    /// What was cleaned up.
    pub(crate) cleanup_type: CleanupType,
    /// How many rows are gone.
    pub(crate) deleted: u64,
    /// How many stayed because they are, or came, under hold.
    pub(crate) held: u64,
    /// How many stayed because they were changed after the backup.
    pub(crate) changed: u64,
    /// Where they can be restored from, if there is a backup.
    pub(crate) backup_url: Option<&'a str>,
    /// The cleanup's own id.
    pub(crate) operation_id: &'a str,
}

#[derive(Template)]
#[template(path = "cleanup_finished/subject.txt", escape = "none")]
struct FinishedSubject<'a> {
    mail: CleanupMail<'a>,
}

#[derive(Template)]
#[template(path = "cleanup_finished/body.html")]
struct FinishedHtml<'a> {
    mail: CleanupMail<'a>,
}

#[derive(Template)]
#[template(path = "cleanup_finished/body.txt", escape = "none")]
struct FinishedText<'a> {
    mail: CleanupMail<'a>,
}

#[derive(Template)]
#[template(path = "cleanup_failed/subject.txt", escape = "none")]
struct FailedSubject<'a> {
    mail: CleanupMail<'a>,
}

#[derive(Template)]
#[template(path = "cleanup_failed/body.html")]
struct FailedHtml<'a> {
    mail: CleanupMail<'a>,
    reason: &'a str,
}

#[derive(Template)]
#[template(path = "cleanup_failed/body.txt", escape = "none")]
struct FailedText<'a> {
    mail: CleanupMail<'a>,
    reason: &'a str,
}

/// What a cleanup did.
pub(crate) fn cleanup_finished(
    cleanup: CleanupMail<'_>,
) -> Result<NotificationEmail, askama::Error> {
    mail(
        &FinishedSubject { mail: cleanup },
        &FinishedHtml { mail: cleanup },
        &FinishedText { mail: cleanup },
    )
}

/// Why a cleanup stopped, and what it did until then.
pub(crate) fn cleanup_failed(
    cleanup: CleanupMail<'_>,
    reason: &str,
) -> Result<NotificationEmail, askama::Error> {
    mail(
        &FailedSubject { mail: cleanup },
        &FailedHtml {
            mail: cleanup,
            reason,
        },
        &FailedText {
            mail: cleanup,
            reason,
        },
    )
}
