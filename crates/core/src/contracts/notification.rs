//! `sendNotification`: implemented in `partner-user`, called by every domain.
#![expect(
    clippy::unused_async,
    missing_docs,
    reason = "the SDK's macro asks for exactly this body, and writes undocumented markers"
)]

use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::ActivityError;

use crate::wire::Wire;

/// A notification to send on every channel that its user wants and has.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendNotificationInput {
    /// Who is told: a user's id, or an email address of someone who has no account.
    pub user_id: String,
    /// What it is about, such as `onboarding_started`: users mute by it.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it says, as plain text.
    pub message: String,
    /// Anything that the reader's program can use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
    /// A headline; without it, one is made from the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The mail, if it is more than the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<NotificationEmail>,
    /// Only these of the channels; all of them if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// Whether it goes out even if the user muted it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub critical: bool,
    /// The business key of this notification: the same key reaches a recipient once on each
    /// channel, whoever asks and how often. Without it, the key is the calling activity's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification_id: Option<String>,
}

/// The mail of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotificationEmail {
    /// The subject, one line.
    pub subject: String,
    /// The HTML part.
    pub body: String,
    /// The text part.
    pub text: String,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendNotificationResult {
    /// Always true: a notification that reached nobody who should have had it is a failure.
    pub success: bool,
    /// Who was told.
    pub user_id: String,
    /// What it was about.
    #[serde(rename = "type")]
    pub kind: String,
    /// What became of it on each channel.
    #[serde(default)]
    pub channels: Vec<ChannelOutcome>,
}

/// What became of a notification on one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelOutcome {
    /// The channel: `email`, `in_app` or `push`.
    pub channel: String,
    /// How it went.
    pub status: ChannelStatus,
    /// Why it did not go out, or may not have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How a notification stands on one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelStatus {
    /// The other side took it.
    Sent,
    /// The connection was lost while it was handed over: it may have arrived, and is not sent again.
    PossiblyDelivered,
    /// It did not go out, and will not.
    Failed,
    /// It did not go out yet.
    Pending,
    /// The user does not want it on this channel.
    Muted,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's `skip_serializing_if` passes a reference"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The declaration of the activity; see [`SendNotificationInput`].
pub struct NotificationContract;

#[temporalio_macros::activity_definitions]
impl NotificationContract {
    /// Sends a notification, once per key, recipient and channel.
    #[activity(name = "sendNotification")]
    pub async fn send_notification(
        input: Wire<SendNotificationInput>,
    ) -> Result<SendNotificationResult, ActivityError> {
        unimplemented!()
    }
}

pub use notification_contract::SendNotification;
