//! `sendEmail`: implemented in `partner-user`, called by every domain.
#![expect(
    clippy::unused_async,
    missing_docs,
    reason = "the SDK's macro asks for exactly this body, and writes undocumented markers"
)]

use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::ActivityError;

use crate::wire::Wire;

/// A mail to send.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendEmailInput {
    /// The recipient's address.
    pub to: String,
    /// The subject, one line.
    pub subject: String,
    /// The HTML part.
    pub body: String,
    /// The text part; without it, it is made from the HTML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Files that come along.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<EmailAttachment>,
    /// The business key of this mail: the same key is sent once, whoever asks and how often.
    /// Without it, the key is the calling activity's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
}

/// A file that goes with a mail: its content, or where it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmailAttachment {
    /// The name that the reader sees.
    pub filename: String,
    /// Where it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The content, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendEmailResult {
    /// Always true: a mail that did not go out is a failure.
    pub success: bool,
    /// The recipient's address.
    pub to: String,
    /// The subject.
    pub subject: String,
}

/// The declaration of the activity; see [`SendEmailInput`].
pub struct EmailContract;

#[temporalio_macros::activity_definitions]
impl EmailContract {
    /// Sends a mail, once per message id.
    #[activity(name = "sendEmail")]
    pub async fn send_email(input: Wire<SendEmailInput>) -> Result<SendEmailResult, ActivityError> {
        unimplemented!()
    }
}

pub use email_contract::SendEmail;
