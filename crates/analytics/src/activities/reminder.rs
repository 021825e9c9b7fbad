//! `validateReminder` and `markReminderSent`: whether a reminder still holds, and that it went out.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use partner_core::error::activity_error;
use partner_core::ids::UserId;
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use super::own_id;
use crate::reminder::Claim;
use crate::repository::{ReminderRepository, SentReminder};

/// A reminder that is about to go out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidateReminderInput {
    /// Who is reminded.
    pub user_id: UserId,
    /// Of what.
    pub reminder_type: String,
    /// What exactly: `orderId`, or `subscriptionId` with `dueDate`, of a payment; `listingId` with
    /// `expirationDate` of a listing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

/// A reminder that went out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MarkReminderSentInput {
    /// Who was reminded.
    pub user_id: UserId,
    /// Of what.
    pub reminder_type: String,
    /// When.
    pub sent_at: DateTime<Utc>,
    /// The reminder's own id; without it, that of the workflow's run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminder_id: Option<String>,
}

/// That it is on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MarkReminderSentResult {
    /// Always true: what could not be done is a failure.
    pub success: bool,
    /// When it went out: of several marks of one reminder, what the first said.
    pub sent_at: DateTime<Utc>,
}

/// The activities' dependencies.
pub struct ReminderActivities {
    /// What reminders are about, and those that went out.
    pub reminders: ReminderRepository,
}

#[activities]
impl ReminderActivities {
    /// Whether a reminder still holds.
    #[activity(name = "validateReminder")]
    pub async fn validate_reminder(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: Wire<ValidateReminderInput>,
    ) -> Result<bool, ActivityError> {
        self.validate(input).await
    }

    /// Marks a reminder as sent, once.
    #[activity(name = "markReminderSent")]
    pub async fn mark_reminder_sent(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<MarkReminderSentInput>,
    ) -> Result<MarkReminderSentResult, ActivityError> {
        self.mark(input, &own_id(&ctx)).await
    }
}

impl ReminderActivities {
    /// `validateReminder` without a worker around it.
    pub async fn validate(
        &self,
        input: Wire<ValidateReminderInput>,
    ) -> Result<bool, ActivityError> {
        let input = input.into_activity_input()?;
        let claim = Claim::read(&input.reminder_type, input.metadata.as_ref());
        let claim = claim.map_err(activity_error)?;
        let holds = self.reminders.holds(&input.user_id, &claim).await;
        holds.map_err(activity_error)
    }

    /// `markReminderSent` without a worker around it.
    pub async fn mark(
        &self,
        input: Wire<MarkReminderSentInput>,
        own_id: &str,
    ) -> Result<MarkReminderSentResult, ActivityError> {
        let input = input.into_activity_input()?;
        let sent = SentReminder {
            id: input.reminder_id.as_deref().unwrap_or(own_id),
            user_id: &input.user_id,
            reminder_type: &input.reminder_type,
            sent_at: input.sent_at,
        };
        let sent_at = self.reminders.mark_sent(&sent).await;
        Ok(MarkReminderSentResult {
            success: true,
            sent_at: sent_at.map_err(activity_error)?,
        })
    }
}
