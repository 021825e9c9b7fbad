//! `sendEmail`: hands a mail to the relay, once per message id and recipient.

mod attachments;

use std::sync::Arc;

use partner_core::contact::EmailAddress;
use partner_core::contracts::email::{SendEmail, SendEmailInput, SendEmailResult};
use partner_core::error::activity_error;
use partner_core::heartbeat::with_heartbeat;
use partner_core::ports::mailer::{Mail, Mailer};
use partner_core::ports::object_store::ObjectStore;
use partner_core::wire::Wire;
use temporalio_sdk::activities::{ActivityContext, ActivityError, ActivityInfo, activities};

use self::attachments::Attachments;
use crate::channels::email::{NAME, message_id};
use crate::error::UserError;
use crate::ledger::{Delivered, Message, SendLedger};
use crate::notification::{LONGEST_KEY, check_line};
use crate::repository::DeliveryKey;

/// The width of the text part that is made from HTML, in columns.
const TEXT_WIDTH: usize = 78;

/// The activity's dependencies.
#[derive(Clone)]
pub struct EmailActivities {
    /// The send ledger.
    pub ledger: SendLedger,
    /// The relay.
    pub mailer: Arc<dyn Mailer>,
    /// Where attachments are kept that are not sent along.
    pub objects: Option<Arc<dyn ObjectStore>>,
    /// The most that the attachments of one mail may have together, in bytes.
    pub max_attachment_bytes: u64,
}

#[activities]
impl EmailActivities {
    /// Sends a mail, once per message id and recipient.
    #[activity(definition = SendEmail)]
    pub async fn send_email(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<SendEmailInput>,
    ) -> Result<SendEmailResult, ActivityError> {
        let key = key_of_activity(ctx.info());
        with_heartbeat(&ctx, self.send(input, &key)).await
    }
}

impl EmailActivities {
    /// `sendEmail` without a worker around it. The activity's key stands in for a missing one.
    pub async fn send(
        &self,
        input: Wire<SendEmailInput>,
        activity_key: &str,
    ) -> Result<SendEmailResult, ActivityError> {
        let input = input.into_activity_input()?;
        self.deliver(&input, activity_key)
            .await
            .map_err(activity_error)?;
        // A mail that was possibly delivered is done too: the ledger says which it was.
        Ok(SendEmailResult {
            success: true,
            to: input.to,
            subject: input.subject,
        })
    }

    async fn deliver(
        &self,
        input: &SendEmailInput,
        activity_key: &str,
    ) -> Result<Delivered, UserError> {
        let key = input.message_id.as_deref().unwrap_or(activity_key);
        let mut mail = mail(input, key)?;
        let attachments = Attachments::read(
            &input.attachments,
            self.objects.is_some(),
            self.max_attachment_bytes,
        )?;
        let message = Message {
            key: DeliveryKey {
                notification_id: key.to_owned(),
                recipient: mail.to.to_string(),
                channel: NAME,
            },
            subject: Some(mail.subject.clone()),
            // What is refused for good fails without a retry: a repeat is somebody else's wish.
            retried: false,
        };
        let send = async |gate| {
            mail.attachments = attachments.load(self.objects.as_deref()).await?;
            Ok(self.mailer.send(&mail, &gate).await?)
        };
        self.ledger.deliver(message, send).await
    }
}

/// The key of what its caller gave none: stable over retries, new for every run.
pub(super) fn key_of_activity(info: &ActivityInfo) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    format!(
        "{}/{}/{}",
        part(&info.workflow_id),
        part(&info.workflow_run_id),
        info.activity_id
    )
}

/// The mail, but for its attachments.
fn mail(input: &SendEmailInput, key: &str) -> Result<Mail, UserError> {
    if let Some(given) = &input.message_id {
        check_line("messageId", given, LONGEST_KEY)?;
    }
    let to = EmailAddress::parse(&input.to)
        .map_err(|error| UserError::Invalid(format!("to: {error}")))?;
    if input.subject.contains(char::is_control) {
        return Err(UserError::Invalid(
            "subject: must be one line without control characters".to_owned(),
        ));
    }
    Ok(Mail {
        message_id: message_id(key),
        to,
        subject: input.subject.clone(),
        text: match &input.text {
            Some(text) => text.clone(),
            None => text_of(&input.body)?,
        },
        html: input.body.clone(),
        attachments: Vec::new(),
    })
}

fn text_of(html: &str) -> Result<String, UserError> {
    html2text::from_read(html.as_bytes(), TEXT_WIDTH)
        .map_err(|error| UserError::Invalid(format!("body: cannot be read as HTML: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> SendEmailInput {
        SendEmailInput {
            to: "ana@example.com".to_owned(),
            subject: "Hello".to_owned(),
            body: "<h1>Hello</h1><p>A <b>bold</b> word.</p>".to_owned(),
            text: None,
            attachments: Vec::new(),
            message_id: None,
        }
    }

    #[test]
    fn makes_the_text_part_from_the_html() {
        let mail = mail(&input(), "key").unwrap();
        assert!(mail.text.contains("Hello"), "{}", mail.text);
        assert!(!mail.text.contains('<'), "{}", mail.text);
    }

    #[test]
    fn refuses_what_could_carry_a_second_header() {
        for (field, bad) in [
            (
                "to",
                SendEmailInput {
                    to: "a@x.com\r\nBcc: b@x.com".to_owned(),
                    ..input()
                },
            ),
            (
                "subject",
                SendEmailInput {
                    subject: "a\r\nBcc: b@x.com".to_owned(),
                    ..input()
                },
            ),
            (
                "messageId",
                SendEmailInput {
                    message_id: Some("a\r\nBcc: b@x.com".to_owned()),
                    ..input()
                },
            ),
        ] {
            let error = mail(&bad, "key").unwrap_err().to_string();
            assert!(error.starts_with(field), "{field}: {error}");
        }
    }
}
