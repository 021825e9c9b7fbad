//! What a reminder is started with, what it results in, and where it stands.

use chrono::{DateTime, Utc};
use partner_core::ids::UserId;
use partner_core::progress;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::AnalyticsError;
use crate::reminder::Claim;

/// Who is reminded of what, and when.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReminderInput {
    /// Who: a user's id, or an email address.
    pub user_id: UserId,
    /// Of what: `payment_due` and `listing_renewal` are checked before they go out, any other type is
    /// not. Users mute notifications by it.
    #[schema(min_length = 1, max_length = 64)]
    pub reminder_type: String,
    /// In the sender's words.
    #[schema(min_length = 1)]
    pub message: String,
    /// When. A time that has passed reminds at once.
    pub scheduled_time: DateTime<Utc>,
    /// What exactly: `orderId`, or `subscriptionId` with `dueDate`, of a payment; `listingId` with
    /// `expirationDate` of a listing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Map<String, Value>>,
}

impl ReminderInput {
    /// Checks what its types do not say.
    ///
    /// # Errors
    /// [`AnalyticsError::Invalid`] names the field.
    pub(super) fn check(&self) -> Result<(), AnalyticsError> {
        if self.message.trim().is_empty() || self.message.contains('\0') {
            return Err(AnalyticsError::Invalid(
                "message: expected a text that is not empty".to_owned(),
            ));
        }
        // PostgreSQL keeps every character but this one: better refused now than in some years.
        let metadata = self.metadata.clone().map(Value::Object);
        if metadata.is_some_and(|metadata| metadata.to_string().contains("\\u0000")) {
            return Err(AnalyticsError::Invalid(
                "metadata: must not contain the character U+0000".to_owned(),
            ));
        }
        Claim::read(&self.reminder_type, self.metadata.as_ref()).map(drop)
    }
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReminderResult {
    /// Whether the reminder went out.
    pub success: bool,
    /// Who was reminded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Of what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reminder_type: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<DateTime<Utc>>,
    /// Why it did not go out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl ReminderResult {
    pub(super) fn sent(input: &ReminderInput, sent_at: DateTime<Utc>) -> Self {
        Self {
            success: true,
            user_id: Some(input.user_id.to_string()),
            reminder_type: Some(input.reminder_type.clone()),
            sent_at: Some(sent_at),
            message: None,
        }
    }

    pub(super) fn not_sent(message: impl Into<String>) -> Self {
        Self {
            message: Some(message.into()),
            ..Self::default()
        }
    }
}

/// The answer of `getDetails`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReminderDetails {
    /// Who is reminded.
    pub user_id: Option<String>,
    /// Of what.
    pub reminder_type: Option<String>,
    /// When, as it stands now.
    pub scheduled_time: Option<DateTime<Utc>>,
    /// How often it was put off or brought forward in this run.
    pub reschedules: u32,
    /// Why the last `reschedule` that did not count was ignored.
    pub ignored_reschedule: Option<String>,
    /// Why it was called off.
    pub cancel_reason: Option<String>,
    /// When it went out.
    pub sent_at: Option<DateTime<Utc>>,
}

/// The steps, for `getStatus` and `getProgress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Waiting,
    Validating,
    Sending,
    Marking,
    Done,
}

impl progress::Step for Step {
    const TOTAL: u32 = 4;

    fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Validating => "validating",
            Self::Sending => "sending",
            Self::Marking => "marking",
            Self::Done => "done",
        }
    }

    fn completed(self) -> u32 {
        match self {
            Self::Waiting => 0,
            Self::Validating => 1,
            Self::Sending => 2,
            Self::Marking => 3,
            Self::Done => Self::TOTAL,
        }
    }
}
