//! What a notification is started with, what it results in, and where it stands.

use chrono::{DateTime, Utc};
use partner_core::contracts::notification::ChannelOutcome;
use partner_core::ids::UserId;
use partner_core::progress;
use serde::{Deserialize, Serialize};

/// How a notification is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NotificationType {
    /// Good to know.
    Info,
    /// Something needs attention.
    Warning,
    /// Something worked.
    Success,
    /// Something did not work.
    Error,
}

impl NotificationType {
    /// The spelling on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Success => "success",
            Self::Error => "error",
        }
    }
}

/// What to tell whom.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SendNotificationWorkflowInput {
    /// Who is told: a user's id, or an email address of someone who has no account.
    pub user_id: UserId,
    /// What, as plain text.
    #[schema(min_length = 1)]
    pub message: String,
    /// How it is meant.
    #[serde(rename = "type")]
    pub kind: NotificationType,
    /// A headline; without it, one is made from the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Anything that the reader's program can use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
    /// Whether it goes out at once, also in quiet hours and to a user who muted it.
    #[serde(default)]
    pub critical: bool,
    /// The business key under which it is sent once; without it, the workflow's id and what is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification_id: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendNotificationWorkflowResult {
    /// Always true: a notification that could not be sent at all is a failed workflow.
    pub success: bool,
    /// Whether the mail relay took a mail.
    pub email_sent: bool,
    /// Whether what became of it is on record.
    pub notification_processed: bool,
    /// What became of it on each channel.
    #[serde(default)]
    pub channels: Vec<ChannelOutcome>,
}

/// The answer of `getDetails`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotificationDetails {
    /// The key under which it is sent once.
    pub notification_id: Option<String>,
    /// Who is told.
    pub user_id: Option<String>,
    /// How it is meant.
    #[serde(rename = "type")]
    pub kind: Option<NotificationType>,
    /// The end of the quiet hours that it waits for, or waited for.
    pub deliver_at: Option<DateTime<Utc>>,
    /// What became of it on each channel, once that is known.
    pub channels: Vec<ChannelOutcome>,
}

/// The steps, for `getStatus` and `getProgress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Planning,
    WaitingForQuietHours,
    Sending,
    Recording,
    Done,
}

impl progress::Step for Step {
    const TOTAL: u32 = 3;

    fn name(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::WaitingForQuietHours => "waiting_for_quiet_hours",
            Self::Sending => "sending",
            Self::Recording => "recording",
            Self::Done => "done",
        }
    }

    fn completed(self) -> u32 {
        match self {
            Self::Planning => 0,
            Self::WaitingForQuietHours | Self::Sending => 1,
            Self::Recording => 2,
            Self::Done => Self::TOTAL,
        }
    }
}
