//! Mail: the only channel that reaches people who have no account.

use std::sync::Arc;

use askama::Template;
use async_trait::async_trait;
use partner_core::contact::EmailAddress;
use partner_core::contracts::notification::NotificationEmail;
use partner_core::ports::mailer::{Mail, Mailer};
use sha2::{Digest, Sha256};

use super::{Channel, Dispatch};
use crate::error::UserError;
use crate::ledger::Delivered;
use crate::notification::Notification;
use crate::repository::Recipient;

/// The channel's name.
pub const NAME: &str = "email";

#[derive(Template)]
#[template(path = "notification/subject.txt", escape = "none")]
struct Subject<'a> {
    title: &'a str,
}

#[derive(Template)]
#[template(path = "notification/body.html")]
struct Html<'a> {
    title: &'a str,
    name: &'a str,
    message: &'a str,
}

#[derive(Template)]
#[template(path = "notification/body.txt", escape = "none")]
struct Text<'a> {
    title: &'a str,
    name: &'a str,
    message: &'a str,
}

/// Sends mail.
pub struct EmailChannel {
    /// The relay.
    pub mailer: Arc<dyn Mailer>,
}

#[async_trait]
impl Channel for EmailChannel {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn send(&self, dispatch: Dispatch<'_>) -> Result<Delivered, UserError> {
        let (to, name) = addressee(dispatch.recipient)?;
        let mail = mail(dispatch.notification, to, name)?;
        let (address, subject) = (mail.to.to_string(), mail.subject.clone());
        let send = async |gate| Ok(self.mailer.send(&mail, &gate).await?);
        dispatch.deliver(NAME, address, Some(subject), send).await
    }
}

/// The `Message-ID`'s local part of what has this key, the same on every attempt.
pub fn message_id(key: &str) -> String {
    hex::encode(&Sha256::digest(key.as_bytes())[..16])
}

fn addressee(recipient: &Recipient) -> Result<(EmailAddress, &str), UserError> {
    match recipient {
        Recipient::Address(address) => Ok((address.clone(), "")),
        Recipient::User(user) => {
            let address = EmailAddress::parse(&user.email)
                .map_err(|error| UserError::Invalid(format!("user {}: {error}", user.id)))?;
            Ok((address, user.name.trim()))
        }
    }
}

fn mail(notification: &Notification, to: EmailAddress, name: &str) -> Result<Mail, UserError> {
    let content = match &notification.email {
        Some(email) => email.clone(),
        None => render(&notification.title, name, &notification.message)?,
    };
    Ok(Mail {
        message_id: message_id(&notification.id),
        to,
        subject: content.subject,
        html: content.body,
        text: content.text,
        attachments: Vec::new(),
    })
}

/// The mail of a notification that brings none of its own.
fn render(title: &str, name: &str, message: &str) -> Result<NotificationEmail, askama::Error> {
    Ok(NotificationEmail {
        subject: Subject { title }.render()?.trim().to_owned(),
        body: Html {
            title,
            name,
            message,
        }
        .render()?,
        text: Text {
            title,
            name,
            message,
        }
        .render()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_users_wrote_where_it_is_html() {
        let mail = render("A & B", "<i>Ana</i>", "<script>alert(1)</script>\nBye").unwrap();
        assert_eq!(mail.subject, "A & B");
        assert!(!mail.body.contains("<script>"), "{}", mail.body);
        assert!(!mail.body.contains("<i>"), "{}", mail.body);
        assert!(mail.body.contains("&#60;script&#62;"), "{}", mail.body);
        assert!(mail.text.contains("Hello <i>Ana</i>,"), "{}", mail.text);
        assert!(mail.text.contains("</script>\nBye"), "{}", mail.text);
    }

    #[test]
    fn greets_nobody_whose_name_is_unknown() {
        let mail = render("Title", "", "Message").unwrap();
        assert!(!mail.body.contains("Hello"), "{}", mail.body);
        assert_eq!(mail.text.trim(), "Title\n\nMessage");
    }

    #[test]
    fn message_id_is_stable_and_one_a_key() {
        assert_eq!(message_id("order/1/paid"), message_id("order/1/paid"));
        assert_ne!(message_id("order/1/paid"), message_id("order/2/paid"));
    }
}
