//! The world around the activities: a database, an inbox, and the activities themselves.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use partner_adapters::{SmtpConfig, SmtpMailer, SmtpTls};
use partner_core::contracts::email::{SendEmailInput, SendEmailResult};
use partner_core::contracts::notification::{
    ChannelOutcome, SendNotificationInput, SendNotificationResult,
};
use partner_core::ports::mailer::Mailer;
use partner_core::ports::object_store::ObjectStore;
use partner_core::ports::push::Pusher;
use partner_local::inbox::{Inbox, InboxOptions, Mail, MailFault, MailFaultMode};
use partner_user::activities::email::EmailActivities;
use partner_user::activities::notification::NotificationActivities;
use partner_user::channels::Channels;
use partner_user::ledger::SendLedger;
use partner_user::repository::{
    DeliveryRepository, NotificationRepository, PreferenceRepository, RecipientRepository,
};
use partner_user::settings::{NotificationSettings, UnknownOutcome};
use serde_json::{Value, json};
use sqlx::PgPool;
use temporalio_sdk::activities::ActivityError;

use crate::database::fresh_database;
use crate::doubles::{Files, PushService};

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How long an attempt that handed over is taken to be alive.
pub(crate) const LEASE: Duration = Duration::from_secs(35);

/// The recipient of every mail that names no other.
pub(crate) const ANA: &str = "ana@example.com";

/// The most that the attachments of a mail may have together.
pub(crate) const MOST_BYTES: usize = 1_000;

/// How an activity ends.
pub(crate) type Answer<T> = Result<T, ActivityError>;

/// The activities, and everything that they reach.
pub(crate) struct World {
    pub(crate) pool: PgPool,
    pub(crate) inbox: Inbox,
    pub(crate) devices: Arc<PushService>,
    pub(crate) files: Arc<Files>,
    pub(crate) emails: EmailActivities,
    pub(crate) notifications: NotificationActivities,
}

impl World {
    pub(crate) async fn start() -> Result<Self> {
        Self::start_with(UnknownOutcome::Record).await
    }

    pub(crate) async fn start_with(unknown_outcome: UnknownOutcome) -> Result<Self> {
        let pool = fresh_database().await?;
        let inbox = Inbox::start(InboxOptions::default()).await?;
        let mailer: Arc<dyn Mailer> = Arc::new(mailer(&inbox)?);
        let devices = Arc::new(PushService::default());
        let files = Arc::new(Files::default());
        let settings = settings(unknown_outcome);
        let ledger = ledger(&pool, &settings);
        Ok(Self {
            emails: EmailActivities {
                ledger: ledger.clone(),
                mailer: Arc::clone(&mailer),
                objects: Some(Arc::clone(&files) as Arc<dyn ObjectStore>),
                max_attachment_bytes: settings.max_attachment_bytes,
            },
            notifications: NotificationActivities {
                recipients: RecipientRepository::new(pool.clone()),
                preferences: PreferenceRepository::new(pool.clone()),
                notifications: NotificationRepository::new(pool.clone()),
                deliveries: DeliveryRepository::new(pool.clone()),
                ledger,
                channels: Channels::new(
                    &pool,
                    mailer,
                    Some(Arc::clone(&devices) as Arc<dyn Pusher>),
                    settings.push_time_to_live,
                ),
                settings,
            },
            pool,
            inbox,
            devices,
            files,
        })
    }

    /// A world with a user `ana` in it, who has one device.
    pub(crate) async fn with_ana() -> Result<Self> {
        let world = Self::start().await?;
        world.add_ana().await?;
        Ok(world)
    }

    pub(crate) async fn add_ana(&self) -> Result<()> {
        self.run(
            "INSERT INTO users (id, email, name, status)
             VALUES ('ana', 'ana@example.com', 'Ana <3', 'active')",
        )
        .await?;
        self.add_device("phone").await
    }

    /// Lets `ana` allow push on another device.
    pub(crate) async fn add_device(&self, name: &str) -> Result<()> {
        sqlx::query(
            "INSERT INTO push_subscriptions (user_id, endpoint, p256dh, auth)
             VALUES ('ana', $1, 'key', 'secret')",
        )
        .bind(name)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Runs a statement that changes the world.
    pub(crate) async fn run(&self, statement: &'static str) -> Result<()> {
        sqlx::query(statement).execute(&self.pool).await?;
        Ok(())
    }

    /// A number that the database counts.
    pub(crate) async fn count(&self, statement: &'static str) -> Result<i64> {
        Ok(sqlx::query_scalar(statement).fetch_one(&self.pool).await?)
    }

    /// Sends a mail as an activity whose own key is `workflow/run/1`.
    pub(crate) async fn send(&self, input: SendEmailInput) -> Answer<SendEmailResult> {
        self.emails.send(input.into(), "workflow/run/1").await
    }

    /// Sends a notification as the first attempt of an activity whose own key is `workflow/run/1`.
    pub(crate) async fn tell(
        &self,
        input: SendNotificationInput,
    ) -> Answer<SendNotificationResult> {
        let notifications = &self.notifications;
        notifications
            .send(input.into(), "workflow/run/1", false)
            .await
    }

    /// The mails of a recipient once there are this many, and surely no more.
    pub(crate) async fn mails(&self, to: &str, count: usize) -> Result<Vec<Arc<Mail>>> {
        if count > 0 {
            self.inbox
                .wait_for_count(count, |mail| mail.is_to(to), PATIENCE)
                .await?;
        }
        let mails = self.inbox.mails_to(to);
        ensure!(
            mails.len() == count,
            "{} mails instead of {count}",
            mails.len()
        );
        Ok(mails)
    }

    /// The state and the number of attempts that the send ledger has for a mail.
    pub(crate) async fn delivery(&self, message_id: &str) -> Result<(String, i32)> {
        self.delivery_on(message_id, "email").await
    }

    /// The state and the number of attempts that the send ledger has for a message on a channel.
    pub(crate) async fn delivery_on(&self, id: &str, channel: &str) -> Result<(String, i32)> {
        Ok(sqlx::query_as(
            "SELECT state, attempts FROM deliveries WHERE notification_id = $1 AND channel = $2",
        )
        .bind(id)
        .bind(channel)
        .fetch_one(&self.pool)
        .await?)
    }

    pub(crate) async fn deliveries(&self) -> Result<i64> {
        self.count("SELECT count(*) FROM deliveries").await
    }

    /// Lets the next mails to ana fail.
    pub(crate) fn fail(&self, mode: MailFaultMode, times: u32) {
        self.inbox.set_fault(
            ANA,
            MailFault {
                mode,
                times: Some(times),
            },
        );
    }
}

fn settings(unknown_outcome: UnknownOutcome) -> NotificationSettings {
    NotificationSettings {
        unknown_outcome,
        critical_types: vec!["security_alert".to_owned()],
        max_attachment_bytes: MOST_BYTES as u64,
        push_time_to_live: Duration::from_hours(24),
        lease: LEASE,
    }
}

pub(crate) fn ledger(pool: &PgPool, settings: &NotificationSettings) -> SendLedger {
    let deliveries = DeliveryRepository::new(pool.clone());
    SendLedger::new(deliveries, settings.unknown_outcome, settings.lease)
}

fn mailer(inbox: &Inbox) -> Result<SmtpMailer> {
    let relay = inbox.smtp_address();
    Ok(SmtpMailer::new(SmtpConfig {
        host: relay.ip().to_string(),
        port: relay.port(),
        tls: SmtpTls::None,
        username: None,
        password: None,
        from: "Partner <noreply@partner.example>".to_owned(),
        timeout: PATIENCE,
        pool_size: 2,
    })?)
}

/// A notification to `ana` of type `info`, with these changes.
pub(crate) fn notification(changes: Value) -> Result<SendNotificationInput> {
    let mut input = json!({
        "userId": "ana",
        "type": "info",
        "message": "Your order is paid.",
        "notificationId": "order/1/paid",
    });
    merge(&mut input, changes)?;
    Ok(serde_json::from_value(input)?)
}

/// An object with these members in place of, or besides, its own.
pub(crate) fn merge(object: &mut Value, changes: Value) -> Result<()> {
    let (Value::Object(members), Value::Object(changes)) = (object, changes) else {
        bail!("not an object");
    };
    members.extend(changes);
    Ok(())
}

/// The channels and how they stand, as text on the wire.
pub(crate) fn stands(channels: &[ChannelOutcome]) -> Result<Value> {
    let stands = channels.iter().map(|outcome| {
        let status = serde_json::to_value(outcome.status)?;
        Ok((outcome.channel.clone(), status))
    });
    Ok(Value::Object(stands.collect::<Result<_>>()?))
}

/// The result of an activity that must succeed.
pub(crate) fn done<T>(answer: Answer<T>) -> Result<T> {
    answer.map_err(|error| anyhow!("the activity failed: {error:?}"))
}

/// How an activity failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) code: String,
    pub(crate) retryable: bool,
    pub(crate) message: String,
    pub(crate) retry_after: Option<Duration>,
}

/// How an activity failed that must.
pub(crate) fn failure<T: Debug>(answer: Answer<T>) -> Result<Failed> {
    match answer {
        Err(ActivityError::Application(failure)) => {
            let code = failure.type_name().context("a failure without a type")?;
            Ok(Failed {
                code: code.to_owned(),
                retryable: !failure.is_non_retryable(),
                message: failure.to_string(),
                retry_after: failure.next_retry_delay(),
            })
        }
        other => Err(anyhow!("not an application failure: {other:?}")),
    }
}

/// The code of an activity that must fail, and whether Temporal tries again.
pub(crate) fn failed<T: Debug>(answer: Answer<T>) -> Result<(String, bool)> {
    let failure = failure(answer)?;
    Ok((failure.code, failure.retryable))
}
