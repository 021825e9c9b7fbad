//! Sending a report to everybody who wants to know, at once.

use partner_core::contact::EmailAddress;
use partner_core::contracts::email::{EmailAttachment, EmailContract, SendEmailInput};
use partner_core::contracts::notification::NotificationEmail;
use partner_core::error::ErrorCode;
use partner_core::problem::Problem;
use partner_core::step::{local, remote};
use temporalio_sdk::workflows::join_all;

use super::state::{FailedRecipient, recipients};
use super::{Context, Order, policies};
use crate::activities::report::GeneratedReport;
use crate::activities::storage::{LinkReportInput, StorageActivities};
use crate::emails::{self, Access};
use crate::report::summary;

/// A stored report and whom it goes to.
pub(super) struct Mailing<'a> {
    pub(super) order: &'a Order,
    pub(super) report: &'a GeneratedReport,
    pub(super) report_url: &'a str,
    /// Up to how many bytes it is attached.
    pub(super) attach_up_to: u64,
}

/// Whom it reached.
pub(super) struct Delivered {
    pub(super) count: u32,
    pub(super) failed: Vec<FailedRecipient>,
}

impl Mailing<'_> {
    /// Sends the report.
    ///
    /// # Errors
    /// Why it reached nobody.
    pub(super) async fn deliver(&self, ctx: &Context) -> Result<Delivered, Problem> {
        let is_attached = self.report.bytes <= self.attach_up_to;
        let link = if is_attached {
            None
        } else {
            self.link(ctx).await?
        };
        let access = match &link {
            _ if is_attached => Access::Attached,
            Some(link) => Access::Linked(link),
            None => Access::Stored(self.report_url),
        };
        let mail = emails::report(&summary(&self.report.data), access);
        let mail =
            mail.map_err(|error| Problem::new(ErrorCode::Unknown, format!("the mail: {error}")))?;
        let attachments = if is_attached {
            vec![self.attachment()]
        } else {
            Vec::new()
        };
        let recipients = self.recipients(ctx);
        let sent = recipients.iter().map(|recipient| {
            let mail = self.to(recipient, mail.clone(), attachments.clone());
            let options = policies(ctx).notification().heartbeating();
            let options = options.detached("send the report");
            remote(ctx, EmailContract::send_email, mail, options)
        });
        let sent = join_all(sent.collect::<Vec<_>>()).await;
        let outcomes = recipients.iter().zip(sent.into_iter().map(Result::err));
        sort_out(ctx, outcomes)
    }

    /// Those that the latest `updateConfig` names, or else the input.
    fn recipients(&self, ctx: &Context) -> Vec<EmailAddress> {
        let changed = ctx.state(|state| state.details.changes.recipients.clone());
        changed
            .and_then(|given| recipients(&given).ok())
            .unwrap_or_else(|| self.order.recipients.clone())
    }

    async fn link(&self, ctx: &Context) -> Result<Option<String>, Problem> {
        let question = LinkReportInput {
            report_url: self.report_url.to_owned(),
        };
        let options = policies(ctx).analytics().local("link to the report");
        let activity = StorageActivities::link_report;
        let answer = local(ctx, activity, question, options).await?;
        Ok(answer.link)
    }

    fn attachment(&self) -> EmailAttachment {
        let name = self.report_url.rsplit('/').next().unwrap_or_default();
        EmailAttachment {
            filename: name.to_owned(),
            url: Some(self.report_url.to_owned()),
            content: None,
        }
    }

    fn to(
        &self,
        recipient: &EmailAddress,
        mail: NotificationEmail,
        attachments: Vec<EmailAttachment>,
    ) -> SendEmailInput {
        SendEmailInput {
            to: recipient.to_string(),
            subject: mail.subject,
            body: mail.body,
            text: Some(mail.text),
            attachments,
            message_id: Some(format!("report/{}", self.order.operation_id)),
        }
    }
}

fn sort_out<'a>(
    ctx: &Context,
    outcomes: impl Iterator<Item = (&'a EmailAddress, Option<Problem>)>,
) -> Result<Delivered, Problem> {
    let (mut delivered, mut failed, mut first) = (Vec::new(), Vec::new(), None);
    for (recipient, problem) in outcomes {
        let Some(problem) = problem else {
            delivered.push(recipient.to_string());
            continue;
        };
        failed.push(FailedRecipient {
            recipient: recipient.to_string(),
            reason: problem.to_string(),
        });
        first.get_or_insert(problem);
    }
    let count = u32::try_from(delivered.len()).unwrap_or(u32::MAX);
    ctx.state_mut(|state| {
        state.details.delivered = delivered;
        state.details.failed.clone_from(&failed);
    });
    match first {
        Some(problem) if count == 0 => Err(Problem::new(
            problem.code,
            format!("the report is stored, and reached nobody: {problem}"),
        )),
        _ => Ok(Delivered { count, failed }),
    }
}
