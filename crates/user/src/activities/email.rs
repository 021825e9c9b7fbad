//! `sendEmail`: hands a mail to the relay, once per message id.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use partner_core::contact::EmailAddress;
use partner_core::contracts::email::{EmailAttachment, SendEmail, SendEmailInput, SendEmailResult};
use partner_core::error::activity_error;
use partner_core::ports::mailer::{Mail, MailAttachment, Mailer, MailerError};
use partner_core::wire::Wire;
use sha2::{Digest, Sha256};
use temporalio_sdk::activities::{ActivityContext, ActivityError, ActivityInfo, activities};

use crate::error::UserError;
use crate::repository::{DeliveryRepository, DeliveryState};

/// The width of the text part that is made from HTML, in columns.
const TEXT_WIDTH: usize = 78;

/// The activity's dependencies.
pub struct EmailActivities {
    /// The send ledger.
    pub deliveries: DeliveryRepository,
    /// The relay.
    pub mailer: Arc<dyn Mailer>,
}

#[activities]
impl EmailActivities {
    /// Sends a mail, once per message id.
    #[activity(definition = SendEmail)]
    pub async fn send_email(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<SendEmailInput>,
    ) -> Result<SendEmailResult, ActivityError> {
        self.send(input, &key_of_activity(ctx.info())).await
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
        let key = input
            .message_id
            .clone()
            .unwrap_or_else(|| activity_key.to_owned());
        let mail = mail(&input, &key).map_err(activity_error)?;
        self.deliver(&key, &mail).await.map_err(activity_error)?;
        Ok(SendEmailResult {
            success: true,
            to: input.to,
            subject: input.subject,
        })
    }

    async fn deliver(&self, key: &str, mail: &Mail) -> Result<(), UserError> {
        if !self
            .deliveries
            .begin(key, mail.to.as_str(), &mail.subject)
            .await?
        {
            tracing::info!(mail.key = key, "mail was already sent");
            return Ok(());
        }
        match self.mailer.send(mail).await {
            Ok(()) => {
                self.deliveries
                    .finish(key, DeliveryState::Sent, None)
                    .await?;
                tracing::info!(mail.key = key, "mail sent");
                Ok(())
            }
            Err(error) => {
                if let Some(state) = state_after(&error) {
                    self.deliveries
                        .finish(key, state, Some(&error.to_string()))
                        .await?;
                }
                Err(error.into())
            }
        }
    }
}

/// What a failed attempt says about the mail; nothing if it certainly did not go out and may yet.
const fn state_after(error: &MailerError) -> Option<DeliveryState> {
    match error {
        MailerError::Refused(_) | MailerError::Invalid(_) => Some(DeliveryState::Refused),
        // The next attempt sends it again under the same Message-ID: twice is better than never.
        MailerError::ConnectionLost(_) => Some(DeliveryState::PossiblyDelivered),
        MailerError::Deferred(_) | MailerError::Unreachable(_) => None,
    }
}

/// The key of a mail that its caller gave none: stable over retries, new for every run.
fn key_of_activity(info: &ActivityInfo) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    format!(
        "{}/{}/{}",
        part(&info.workflow_id),
        part(&info.workflow_run_id),
        info.activity_id
    )
}

fn mail(input: &SendEmailInput, key: &str) -> Result<Mail, UserError> {
    let to = EmailAddress::parse(&input.to)
        .map_err(|error| UserError::Invalid(format!("to: {error}")))?;
    if input.subject.contains(char::is_control) {
        return Err(UserError::Invalid(
            "subject: must be one line without control characters".to_owned(),
        ));
    }
    let attachments = input
        .attachments
        .iter()
        .map(attachment)
        .collect::<Result<_, _>>()?;
    Ok(Mail {
        message_id: hex::encode(&Sha256::digest(key.as_bytes())[..16]),
        to,
        subject: input.subject.clone(),
        text: match &input.text {
            Some(text) => text.clone(),
            None => text_of(&input.body)?,
        },
        html: input.body.clone(),
        attachments,
    })
}

fn text_of(html: &str) -> Result<String, UserError> {
    html2text::from_read(html.as_bytes(), TEXT_WIDTH)
        .map_err(|error| UserError::Invalid(format!("body: cannot be read as HTML: {error}")))
}

fn attachment(attachment: &EmailAttachment) -> Result<MailAttachment, UserError> {
    let name = &attachment.filename;
    let invalid = |what: &str| UserError::Invalid(format!("attachments: {name:?}: {what}"));
    if name.is_empty() || name.contains(|c: char| c.is_control() || "/\\".contains(c)) {
        return Err(invalid("filename must be a plain file name"));
    }
    let content = match (&attachment.content, &attachment.url) {
        (Some(content), None) => STANDARD
            .decode(content)
            .map_err(|_| invalid("content must be base64"))?,
        (None, Some(_)) => {
            return Err(invalid(
                "url: this build has no object storage; send the content",
            ));
        }
        _ => return Err(invalid("exactly one of content and url must be given")),
    };
    Ok(MailAttachment {
        content_type: mime_guess::from_path(name)
            .first_or_octet_stream()
            .to_string(),
        filename: name.clone(),
        content,
    })
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
    fn message_id_is_stable_and_one_a_key() {
        let id = |key| mail(&input(), key).unwrap().message_id;
        assert_eq!(id("order/1/paid"), id("order/1/paid"));
        assert_ne!(id("order/1/paid"), id("order/2/paid"));
    }

    #[test]
    fn refuses_what_would_break_the_message() {
        let attached = |attachment| SendEmailInput {
            attachments: vec![attachment],
            ..input()
        };
        let file = |filename: &str, content: Option<&str>, url: Option<&str>| EmailAttachment {
            filename: filename.to_owned(),
            content: content.map(str::to_owned),
            url: url.map(str::to_owned),
        };
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
                "content must be base64",
                attached(file("a.txt", Some("%"), None)),
            ),
            ("exactly one", attached(file("a.txt", None, None))),
            ("plain file name", attached(file("../a", Some(""), None))),
        ] {
            let error = mail(&bad, "key").unwrap_err().to_string();
            assert!(error.contains(field), "{field}: {error}");
        }
    }
}
