//! The mails that arrived, and the faults that await others.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use mail_parser::{Address, ContentType, Message, MessageParser, MimeHeaders};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::faults::{FaultTable, Holds};
use crate::loopback::{DeadlinePassed, lock, now, until};

/// A mail as it arrived, and as a mail program reads it.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Counts up from 1 in the order of arrival.
    pub id: u64,
    /// When it arrived.
    pub received: DateTime<Utc>,
    /// The sender of the envelope; empty for a bounce.
    pub envelope_from: String,
    /// The recipients of the envelope: whom it was delivered to, blind copies included.
    pub envelope_to: Vec<String>,
    /// The bytes as they were sent.
    pub raw: Vec<u8>,
    /// The `From` header, as `Name <address>` or `address`.
    pub from: Option<String>,
    /// The `To` header's recipients, as `Name <address>` or `address`.
    pub to: Vec<String>,
    /// The subject, decoded.
    pub subject: Option<String>,
    /// The `Message-ID` header without its angle brackets.
    pub message_id: Option<String>,
    /// The HTML body, if it has one.
    pub html: Option<String>,
    /// The text body, if it has one.
    pub text: Option<String>,
    /// The attachments, decoded.
    pub attachments: Vec<Attachment>,
}

/// A file that came with a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The name that the sender gave it; `attachment-<n>` if none.
    pub filename: String,
    /// The MIME type that the sender gave it.
    pub content_type: String,
    /// Its bytes, decoded.
    pub content: Vec<u8>,
}

/// A fault that a recipient's mails meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MailFault {
    /// What goes wrong.
    pub mode: MailFaultMode,
    /// How often; without it every time, until the faults are cleared.
    #[serde(default)]
    pub times: Option<u32>,
}

/// What goes wrong with a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailFaultMode {
    /// The recipient is refused for good (550).
    Refuse,
    /// The recipient is refused for now (451).
    Defer,
    /// The mail is kept, but the connection closes before the sender is told.
    DropAfterData,
    /// The recipient is agreed to when the test releases the address; nothing of the mail is there.
    HoldBeforeData,
    /// The mail is kept, and the sender is told when the test releases the address.
    HoldAfterData,
}

/// What the SMTP conversation knows about a mail.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    pub(super) from: String,
    pub(super) to: Vec<String>,
    pub(super) raw: Vec<u8>,
}

/// The mails that are kept.
#[derive(Debug)]
pub(super) struct Store {
    kept: Mutex<Kept>,
    arrived: Notify,
    faults: FaultTable<MailFaultMode>,
    holds: Arc<Holds>,
    most_mails: usize,
    most_bytes: usize,
}

#[derive(Debug, Default)]
struct Kept {
    /// The oldest first.
    mails: VecDeque<Arc<Mail>>,
    bytes: usize,
    last_id: u64,
}

impl Store {
    pub(super) fn new(most_mails: usize, most_bytes: usize) -> Self {
        Self {
            kept: Mutex::default(),
            arrived: Notify::new(),
            faults: FaultTable::default(),
            holds: Arc::new(Holds::default()),
            most_mails,
            most_bytes,
        }
    }

    pub(super) fn add(&self, delivery: Delivery) {
        // Parsed before the lock: a big mail must not hold up the others.
        let mut mail = Mail::read(delivery);
        {
            let mut kept = lock(&self.kept);
            kept.last_id += 1;
            mail.id = kept.last_id;
            kept.bytes += mail.size();
            kept.mails.push_back(Arc::new(mail));
            // The newest always stays, however big it is.
            while kept.mails.len() > 1
                && (kept.mails.len() > self.most_mails || kept.bytes > self.most_bytes)
            {
                if let Some(oldest) = kept.mails.pop_front() {
                    kept.bytes -= oldest.size();
                }
            }
        }
        self.arrived.notify_waiters();
    }

    /// The newest first.
    pub(super) fn matching(&self, wanted: impl Fn(&Mail) -> bool) -> Vec<Arc<Mail>> {
        let kept = lock(&self.kept);
        let newest_first = kept.mails.iter().rev();
        newest_first.filter(|mail| wanted(mail)).cloned().collect()
    }

    pub(super) fn find(&self, id: u64) -> Option<Arc<Mail>> {
        let kept = lock(&self.kept);
        kept.mails.iter().find(|mail| mail.id == id).cloned()
    }

    pub(super) fn clear(&self) {
        let mut kept = lock(&self.kept);
        kept.mails.clear();
        kept.bytes = 0;
    }

    pub(super) async fn wait_for_count(
        &self,
        count: usize,
        wanted: impl Fn(&Mail) -> bool,
        patience: Duration,
    ) -> Result<Vec<Arc<Mail>>, DeadlinePassed> {
        let what = if count == 1 {
            "the awaited mail".to_owned()
        } else {
            format!("the arrival of {count} awaited mails")
        };
        until(&self.arrived, patience, &what, || {
            let mails = self.matching(&wanted);
            (mails.len() >= count.max(1)).then_some(mails)
        })
        .await
    }

    pub(super) fn set_fault(&self, address: &str, fault: MailFault) {
        let key = address.to_lowercase();
        self.faults
            .set(&key, [(fault.mode, fault.times)], |_mode| true);
    }

    pub(super) fn clear_faults(&self) {
        self.faults.clear();
    }

    /// Takes one use of the fault that awaits this recipient, if it is one of `modes`.
    pub(super) fn take_fault(
        &self,
        address: &str,
        modes: &[MailFaultMode],
    ) -> Option<MailFaultMode> {
        let key = address.to_lowercase();
        self.faults.take(&key, |mode| modes.contains(mode))
    }

    /// Waits until this recipient is released.
    pub(super) async fn hold(&self, address: &str) {
        self.holds.wait(&address.to_lowercase()).await;
    }

    pub(super) fn release(&self, address: &str) -> usize {
        self.holds.release(&address.to_lowercase())
    }

    pub(super) async fn wait_until_held(
        &self,
        address: &str,
        patience: Duration,
    ) -> Result<(), DeadlinePassed> {
        let key = address.to_lowercase();
        self.holds.until_held(&key, patience).await
    }
}

impl Mail {
    /// Whether it was delivered to this address, whatever its headers say.
    pub fn is_to(&self, address: &str) -> bool {
        let address = address.to_lowercase();
        self.envelope_to
            .iter()
            .any(|to| to.to_lowercase() == address)
    }

    /// Whether the subject contains this text, in capitals or not.
    pub fn subject_contains(&self, text: &str) -> bool {
        let subject = self.subject.as_deref().unwrap_or_default().to_lowercase();
        subject.contains(&text.to_lowercase())
    }

    fn read(delivery: Delivery) -> Self {
        let mut mail = Self {
            id: 0,
            received: now(),
            envelope_from: delivery.from,
            envelope_to: delivery.to,
            raw: Vec::new(),
            from: None,
            to: Vec::new(),
            subject: None,
            message_id: None,
            html: None,
            text: None,
            attachments: Vec::new(),
        };
        // What cannot be parsed is kept all the same; its bytes can be read.
        if let Some(parsed) = MessageParser::default().parse(&delivery.raw) {
            mail.from = addresses(parsed.from()).into_iter().next();
            mail.to = addresses(parsed.to());
            mail.subject = parsed.subject().map(ToOwned::to_owned);
            mail.message_id = parsed.message_id().map(ToOwned::to_owned);
            mail.html = html_body(&parsed);
            mail.text = text_body(&parsed);
            mail.attachments = attachments(&parsed);
        }
        mail.raw = delivery.raw;
        mail
    }

    /// The memory that it takes, roughly.
    fn size(&self) -> usize {
        let attachments: usize = self.attachments.iter().map(|a| a.content.len()).sum();
        let bodies =
            self.html.as_ref().map_or(0, String::len) + self.text.as_ref().map_or(0, String::len);
        self.raw.len() + bodies + attachments
    }
}

fn addresses(header: Option<&Address<'_>>) -> Vec<String> {
    let listed = header.into_iter().flat_map(Address::iter);
    listed
        .filter_map(|entry| match (entry.name(), entry.address()) {
            (Some(name), Some(address)) => Some(format!("{name} <{address}>")),
            (None, Some(address)) => Some(address.to_owned()),
            (name, None) => name.map(ToOwned::to_owned),
        })
        .collect()
}

/// The HTML part itself; the parser would make one up from the text.
fn html_body(parsed: &Message<'_>) -> Option<String> {
    let part = parsed.html_bodies().find(|part| part.is_text_html())?;
    part.text_contents().map(ToOwned::to_owned)
}

/// The text part itself; the parser would make one up from the HTML.
fn text_body(parsed: &Message<'_>) -> Option<String> {
    let part = parsed
        .text_bodies()
        .find(|part| part.is_text() && !part.is_text_html())?;
    part.text_contents().map(ToOwned::to_owned)
}

fn attachments(parsed: &Message<'_>) -> Vec<Attachment> {
    let parts = parsed.attachments().enumerate();
    parts
        .map(|(index, part)| Attachment {
            filename: part
                .attachment_name()
                .map_or_else(|| format!("attachment-{}", index + 1), ToOwned::to_owned),
            content_type: content_type(part.content_type()),
            content: part.contents().to_vec(),
        })
        .collect()
}

fn content_type(header: Option<&ContentType<'_>>) -> String {
    let unknown = || "application/octet-stream".to_owned();
    header.map_or_else(unknown, |kind| match kind.subtype() {
        Some(subtype) => format!("{}/{subtype}", kind.ctype()),
        None => unknown(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(raw: &str) -> Delivery {
        Delivery {
            from: "a@example.com".into(),
            to: vec!["B@Example.com".into()],
            raw: raw.as_bytes().to_vec(),
        }
    }

    #[test]
    fn keeps_the_newest_mails_only() {
        let store = Store::new(2, usize::MAX);
        for subject in ["one", "two", "three"] {
            store.add(delivery(&format!("Subject: {subject}\r\n\r\nbody\r\n")));
        }
        let mails = store.matching(|_| true);
        let subjects: Vec<_> = mails
            .iter()
            .filter_map(|mail| mail.subject.as_deref())
            .collect();
        assert_eq!(subjects, ["three", "two"]);
        assert!(store.find(1).is_none());
        assert!(store.find(3).is_some());
    }

    #[test]
    fn keeps_the_newest_mail_however_big_it_is() {
        let store = Store::new(10, 1);
        store.add(delivery("Subject: one\r\n\r\nbody\r\n"));
        store.add(delivery("Subject: two\r\n\r\nbody\r\n"));
        assert_eq!(store.matching(|_| true).len(), 1);
    }

    #[test]
    fn a_text_mail_has_no_html() {
        let mail = Mail::read(delivery("Subject: x\r\n\r\n1 < 2\r\n"));
        assert_eq!(mail.html, None);
        assert_eq!(mail.text.as_deref(), Some("1 < 2\r\n"));
        assert!(mail.is_to("b@example.COM"));
    }

    #[test]
    fn bytes_that_are_no_mail_are_kept() {
        let mail = Mail::read(delivery(""));
        assert_eq!(mail.subject, None);
        assert!(mail.attachments.is_empty());
    }
}
