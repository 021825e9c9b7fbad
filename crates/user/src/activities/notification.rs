//! `sendNotification`, `planNotification` and `processNotification`: telling someone something, on
//! every channel that they want and have.

mod outcome;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::future::join_all;
use partner_core::contracts::notification::{
    ChannelOutcome, SendNotification, SendNotificationInput, SendNotificationResult,
};
use partner_core::error::activity_error;
use partner_core::heartbeat::with_heartbeat;
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use self::outcome::{Tried, of_ledger, report};
use super::email::key_of_activity;
use crate::channels::{Channel, Channels, Dispatch};
use crate::error::UserError;
use crate::ledger::SendLedger;
use crate::notification::{Notification, check_kind, check_line, check_user, key};
use crate::repository::{
    DeliveryRepository, NotificationRecord, NotificationRepository, PreferenceRepository,
    Preferences, Recipient, RecipientRepository,
};
use crate::settings::NotificationSettings;

/// The longest status, in characters.
const LONGEST_STATUS: usize = 64;

/// What is to be told, and when.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanNotificationInput {
    /// Who is told: a user's id or an email address.
    pub user_id: String,
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it goes out also in quiet hours.
    #[serde(default)]
    pub critical: bool,
    /// When it would go out.
    pub at: DateTime<Utc>,
}

/// When it may go out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanNotificationResult {
    /// The end of the user's quiet hours; nothing if it may go out when it would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver_at: Option<DateTime<Utc>>,
}

/// What became of a notification.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessNotificationInput {
    /// Who was told: a user's id or an email address.
    pub user_id: String,
    /// What it was about.
    #[serde(rename = "type")]
    pub kind: String,
    /// How it went, in the caller's words.
    pub status: String,
    /// The notification's business key. Without it, the key is the calling activity's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification_id: Option<String>,
}

/// That it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessNotificationResult {
    /// Always true: what could not be written down is a failure.
    pub success: bool,
    /// Who was told.
    pub user_id: String,
    /// What it was about.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the send ledger has of it, one entry a channel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<ChannelOutcome>,
}

/// The activities' dependencies.
#[derive(Clone)]
pub struct NotificationActivities {
    /// Who is told.
    pub recipients: RecipientRepository,
    /// What they want.
    pub preferences: PreferenceRepository,
    /// What they were told.
    pub notifications: NotificationRepository,
    /// How it went out.
    pub deliveries: DeliveryRepository,
    /// The send ledger.
    pub ledger: SendLedger,
    /// The ways to reach them.
    pub channels: Channels,
    /// What operators decide.
    pub settings: NotificationSettings,
}

#[activities]
impl NotificationActivities {
    /// Sends a notification, once per key, recipient and channel.
    #[activity(definition = SendNotification)]
    pub async fn send_notification(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<SendNotificationInput>,
    ) -> Result<SendNotificationResult, ActivityError> {
        let key = key_of_activity(ctx.info());
        let retried = ctx.info().attempt > 1;
        with_heartbeat(&ctx, self.send(input, &key, retried)).await
    }

    /// Says when a notification may go out: not in the user's quiet hours.
    #[activity(name = "planNotification")]
    pub async fn plan_notification(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: Wire<PlanNotificationInput>,
    ) -> Result<PlanNotificationResult, ActivityError> {
        self.plan(input).await
    }

    /// Writes down what became of a notification, and tells how it went out.
    #[activity(name = "processNotification")]
    pub async fn process_notification(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<ProcessNotificationInput>,
    ) -> Result<ProcessNotificationResult, ActivityError> {
        self.process(input, &key_of_activity(ctx.info())).await
    }
}

impl NotificationActivities {
    /// `sendNotification` without a worker around it. The activity's key stands in for a missing
    /// one; `retried` says whether this activity has tried before.
    pub async fn send(
        &self,
        input: Wire<SendNotificationInput>,
        activity_key: &str,
        retried: bool,
    ) -> Result<SendNotificationResult, ActivityError> {
        let input = input.into_activity_input()?;
        self.tell(input, activity_key, retried)
            .await
            .map_err(activity_error)
    }

    /// `planNotification` without a worker around it.
    pub async fn plan(
        &self,
        input: Wire<PlanNotificationInput>,
    ) -> Result<PlanNotificationResult, ActivityError> {
        let input = input.into_activity_input()?;
        let deliver_at = self.deliver_at(&input).await.map_err(activity_error)?;
        Ok(PlanNotificationResult { deliver_at })
    }

    /// `processNotification` without a worker around it. The activity's key stands in for a missing
    /// one.
    pub async fn process(
        &self,
        input: Wire<ProcessNotificationInput>,
        activity_key: &str,
    ) -> Result<ProcessNotificationResult, ActivityError> {
        let input = input.into_activity_input()?;
        let channels = self
            .record(&input, activity_key)
            .await
            .map_err(activity_error)?;
        Ok(ProcessNotificationResult {
            success: true,
            user_id: input.user_id,
            kind: input.kind,
            channels,
        })
    }

    /// Tells someone, and says how that went on each channel.
    pub(crate) async fn tell(
        &self,
        input: SendNotificationInput,
        activity_key: &str,
        retried: bool,
    ) -> Result<SendNotificationResult, UserError> {
        let channels = self.dispatch(&input, activity_key, retried).await?;
        Ok(SendNotificationResult {
            success: true,
            user_id: input.user_id,
            kind: input.kind,
            channels,
        })
    }

    async fn dispatch(
        &self,
        input: &SendNotificationInput,
        activity_key: &str,
        retried: bool,
    ) -> Result<Vec<ChannelOutcome>, UserError> {
        check_user(&input.user_id)?;
        let mut notification = Notification::read(input, activity_key)?;
        notification.critical |= self.settings.is_critical(&notification.kind);
        let channels = self.channels.select(input.channels.as_deref())?;
        let recipient = self.recipients.resolve(&input.user_id).await?;
        let preferences = self.preferences_of(&recipient, &notification).await?;
        let dispatch = Dispatch {
            notification: &notification,
            recipient: &recipient,
            ledger: &self.ledger,
            retried,
        };
        let tried = channels
            .into_iter()
            .map(|channel| try_channel(channel, dispatch, &preferences));
        report(join_all(tried).await, input.channels.is_some())
    }

    async fn preferences_of(
        &self,
        recipient: &Recipient,
        notification: &Notification,
    ) -> Result<Preferences, UserError> {
        match recipient {
            Recipient::User(user) if !notification.critical => {
                self.preferences.lookup(&user.id, &notification.kind).await
            }
            Recipient::User(_) | Recipient::Address(_) => Ok(Preferences::everything()),
        }
    }

    async fn deliver_at(
        &self,
        input: &PlanNotificationInput,
    ) -> Result<Option<DateTime<Utc>>, UserError> {
        check_user(&input.user_id)?;
        check_kind(&input.kind)?;
        if input.critical || self.settings.is_critical(&input.kind) {
            // Whoever cannot be told is refused now, and not after a wait.
            self.recipients.resolve(&input.user_id).await?;
            return Ok(None);
        }
        let quiet_hours = self.recipients.quiet_hours(&input.user_id).await?;
        Ok(quiet_hours.and_then(|quiet| quiet.end_if_quiet(input.at)))
    }

    async fn record(
        &self,
        input: &ProcessNotificationInput,
        activity_key: &str,
    ) -> Result<Vec<ChannelOutcome>, UserError> {
        check_user(&input.user_id)?;
        check_kind(&input.kind)?;
        check_line("status", &input.status, LONGEST_STATUS)?;
        let id = key(input.notification_id.as_deref(), activity_key)?;
        let record = NotificationRecord {
            id: &id,
            user_id: &input.user_id,
            kind: &input.kind,
            status: &input.status,
        };
        if !self.notifications.record(record).await? {
            return Err(UserError::Invalid(format!(
                "notificationId: {id:?} is that of another user's notification, or of another type"
            )));
        }
        Ok(of_ledger(self.deliveries.outcomes(&id).await?))
    }
}

async fn try_channel(
    channel: &dyn Channel,
    dispatch: Dispatch<'_>,
    preferences: &Preferences,
) -> (&'static str, Tried) {
    let name = channel.name();
    if preferences.wants(name) {
        (name, Tried::Sent(channel.send(dispatch).await))
    } else {
        (name, Tried::Muted)
    }
}
