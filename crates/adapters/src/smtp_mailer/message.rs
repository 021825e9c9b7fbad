//! Writes a mail as a MIME message.

use std::fmt::Write;

use lettre::Message;
use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Attachment, Body, Mailbox, MultiPart, SinglePart};
use partner_core::ports::mailer::{Mail, MailAttachment, MailerError};

/// The longest local part of a `Message-ID`: with the domain it must fit into one header line.
const MAX_MESSAGE_ID: usize = 250;

/// The mail as it goes over the wire: text and HTML as alternatives, and attachments beside them.
pub(super) fn build(from: &Mailbox, mail: &Mail) -> Result<Message, MailerError> {
    one_line("subject", &mail.subject)?;
    let to = mail.to.as_str().parse().map_err(|error| {
        MailerError::Invalid(format!("recipient {:?}: {error}", mail.to.as_str()))
    })?;
    let alternatives = MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone());
    let parts = mail
        .attachments
        .iter()
        .map(attachment)
        .collect::<Result<Vec<_>, _>>()?;
    let content = if parts.is_empty() {
        alternatives
    } else {
        let mixed = MultiPart::mixed().multipart(alternatives);
        parts.into_iter().fold(mixed, MultiPart::singlepart)
    };
    Message::builder()
        .message_id(Some(message_id(&mail.message_id, from.email.domain())?))
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(&mail.subject)
        .multipart(content)
        .map_err(|error| MailerError::Invalid(error.to_string()))
}

fn attachment(attachment: &MailAttachment) -> Result<SinglePart, MailerError> {
    let filename = &attachment.filename;
    one_line("file name", filename)?;
    let content_type = ContentType::parse(&attachment.content_type).map_err(|error| {
        let given = &attachment.content_type;
        MailerError::Invalid(format!("content type {given:?} of {filename:?}: {error}"))
    })?;
    // Base64 whatever is in it: text would have its line ends rewritten.
    let content = attachment.content.clone();
    let body = Body::new_with_encoding(content, ContentTransferEncoding::Base64)
        .map_err(|_| MailerError::Invalid(format!("{filename:?} cannot be encoded")))?;
    Ok(Attachment::new(filename.clone()).body(body, content_type))
}

/// The same header for the same mail, always: every character that a `Message-ID` may not have is
/// written as `%` and its hexadecimal, so that different mails stay different.
fn message_id(local_part: &str, domain: &str) -> Result<String, MailerError> {
    let mut id = String::with_capacity(local_part.len());
    for byte in local_part.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&'*+-/=?^_`{|}~".contains(&byte) {
            id.push(char::from(byte));
        } else if byte == b'.' && !id.is_empty() && !id.ends_with('.') {
            id.push('.');
        } else {
            // Writing to a String cannot fail.
            let _ = write!(id, "%{byte:02X}");
        }
    }
    if id.is_empty() || id.ends_with('.') || id.len() > MAX_MESSAGE_ID {
        return Err(MailerError::Invalid(format!("message id {local_part:?}")));
    }
    Ok(format!("<{id}@{domain}>"))
}

/// A second line would be a second header.
fn one_line(what: &str, text: &str) -> Result<(), MailerError> {
    if text.chars().any(char::is_control) {
        return Err(MailerError::Invalid(format!(
            "{what} {text:?} has control characters"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use mail_parser::{Header, MessageParser, MimeHeaders};
    use partner_core::contact::EmailAddress;
    use proptest::prelude::*;

    use super::*;

    fn mail() -> Mail {
        Mail {
            message_id: "welcome-1".to_owned(),
            to: EmailAddress::parse("ana@example.com").unwrap(),
            subject: "Grüße, Ana".to_owned(),
            html: "<p>Grüße</p>\n".to_owned(),
            text: "Grüße\n.\nEnde\n".to_owned(),
            attachments: Vec::new(),
        }
    }

    fn attached(filename: &str, content_type: &str, content: &[u8]) -> Mail {
        let attachment = MailAttachment {
            filename: filename.to_owned(),
            content_type: content_type.to_owned(),
            content: content.to_vec(),
        };
        Mail {
            attachments: vec![attachment],
            ..mail()
        }
    }

    fn built(mail: &Mail) -> Result<Vec<u8>, MailerError> {
        let from = "Partner <hello@partner.example>".parse().unwrap();
        build(&from, mail).map(|message| message.formatted())
    }

    #[test]
    fn text_and_html_are_alternatives() {
        let raw = built(&mail()).unwrap();
        let message = MessageParser::default().parse(&raw).unwrap();
        assert_eq!(message.message_id(), Some("welcome-1@partner.example"));
        assert_eq!(message.subject(), Some("Grüße, Ana"));
        let content_type = message.content_type().unwrap();
        assert_eq!(content_type.subtype(), Some("alternative"));
        assert_eq!(
            message.body_text(0).unwrap().replace("\r\n", "\n"),
            mail().text
        );
        assert_eq!(
            message.body_html(0).unwrap().replace("\r\n", "\n"),
            mail().html
        );
        // So that no relay needs 8BITMIME.
        assert!(raw.is_ascii());
    }

    #[test]
    fn attachments_arrive_byte_for_byte() {
        let content = b"a,b\n1,2\r\n\0\xff";
        let raw = built(&attached(
            "Bericht \"März\".pdf",
            "application/pdf",
            content,
        ))
        .unwrap();
        let message = MessageParser::default().parse(&raw).unwrap();
        assert_eq!(message.content_type().unwrap().subtype(), Some("mixed"));
        let attachment = message.attachment(0).unwrap();
        assert_eq!(attachment.attachment_name(), Some("Bericht \"März\".pdf"));
        assert_eq!(attachment.contents(), content);
        assert_eq!(message.attachment_count(), 1);
        assert!(message.body_html(0).is_some());
    }

    #[test]
    fn what_could_be_a_second_header_is_invalid() {
        for mail in [
            Mail {
                subject: "Hi\r\nBcc: eve@example.com".to_owned(),
                ..mail()
            },
            Mail {
                subject: "Hi\nBcc: eve@example.com".to_owned(),
                ..mail()
            },
            Mail {
                message_id: String::new(),
                ..mail()
            },
            Mail {
                message_id: "x".repeat(251),
                ..mail()
            },
            attached("a\r\nBcc: eve@example.com", "text/csv", b""),
            attached("a.csv", "text/csv\r\nBcc: eve@example.com", b""),
            attached("a.csv", "nonsense", b""),
        ] {
            let error = built(&mail);
            assert!(matches!(error, Err(MailerError::Invalid(_))), "{error:?}");
        }
    }

    #[test]
    fn different_ids_stay_different_and_dots_stand_alone() {
        for (given, expected) in [
            ("welcome-1", "<welcome-1@x.y>"),
            ("a.b", "<a.b@x.y>"),
            (".a..b", "<%2Ea.%2Eb@x.y>"),
            ("ana@x.y", "<ana%40x.y@x.y>"),
            ("ana%40x.y", "<ana%2540x.y@x.y>"),
            ("a>\r\nBcc: b", "<a%3E%0D%0ABcc%3A%20b@x.y>"),
        ] {
            assert_eq!(message_id(given, "x.y").unwrap(), expected);
        }
    }

    proptest! {
        #[test]
        fn no_input_makes_another_header(
            message_id in "\\PC{1,20}",
            subject in "\\PC{0,80}",
            filename in "\\PC{1,40}",
            text in "(?s).{0,200}",
        ) {
            let mail = Mail { message_id, subject, text, ..attached(&filename, "text/csv", b"x") };
            let Ok(raw) = built(&mail) else { return Ok(()) };
            let message = MessageParser::default().parse(&raw).unwrap();
            let mut names: Vec<_> = message.headers().iter().map(Header::name).collect();
            names.sort_unstable();
            let expected = ["Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Subject", "To"];
            prop_assert_eq!(names, expected);
            prop_assert_eq!(message.attachment_count(), 1);
        }
    }
}
