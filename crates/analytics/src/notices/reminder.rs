//! Reminding somebody.

use partner_core::contracts::notification::SendNotificationInput;
use serde_json::{Map, Value};

use crate::emails;
use crate::reminder::{LISTING_RENEWAL, PAYMENT_DUE};

/// A reminder that goes out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reminder<'a> {
    /// Who is reminded.
    pub(crate) user_id: &'a str,
    /// Of what.
    pub(crate) kind: &'a str,
    /// In the sender's words.
    pub(crate) message: &'a str,
    /// What exactly.
    pub(crate) metadata: Option<&'a Map<String, Value>>,
    /// The reminder's own id.
    pub(crate) id: &'a str,
}

impl Reminder<'_> {
    /// The notification, once per reminder and recipient.
    pub(crate) fn notification(&self) -> Result<SendNotificationInput, askama::Error> {
        let title = title(self.kind);
        Ok(SendNotificationInput {
            user_id: self.user_id.to_owned(),
            kind: self.kind.to_owned(),
            message: self.message.to_owned(),
            metadata: self.metadata.cloned(),
            email: Some(emails::reminder(&title, self.message)?),
            title: Some(title),
            channels: None,
            critical: false,
            notification_id: Some(format!("reminder/{}", self.id)),
        })
    }
}

fn title(reminder_type: &str) -> String {
    match reminder_type {
        PAYMENT_DUE => "A payment is due".to_owned(),
        LISTING_RENEWAL => "Your listing expires soon".to_owned(),
        other => format!("Reminder: {}", other.replace(['_', '-'], " ").trim()),
    }
}
