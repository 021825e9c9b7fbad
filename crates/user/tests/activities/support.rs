//! The world around the activities: a database, an inbox, and the activities themselves.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use partner_adapters::{SmtpConfig, SmtpMailer, SmtpTls};
use partner_core::contracts::email::{SendEmailInput, SendEmailResult};
use partner_local::inbox::{Inbox, InboxOptions, Mail, MailFault, MailFaultMode};
use partner_user::activities::email::EmailActivities;
use partner_user::repository::DeliveryRepository;
use sqlx::PgPool;
use temporalio_sdk::activities::ActivityError;

use crate::database::fresh_database;

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The recipient of every mail that names no other.
pub(crate) const ANA: &str = "ana@example.com";

/// How an activity ends.
pub(crate) type Answer = Result<SendEmailResult, ActivityError>;

/// The activities, and everything that they reach.
pub(crate) struct World {
    pub(crate) pool: PgPool,
    pub(crate) inbox: Inbox,
    pub(crate) emails: EmailActivities,
}

impl World {
    pub(crate) async fn start() -> Result<Self> {
        let pool = fresh_database().await?;
        let inbox = Inbox::start(InboxOptions::default()).await?;
        let relay = inbox.smtp_address();
        let mailer = SmtpMailer::new(SmtpConfig {
            host: relay.ip().to_string(),
            port: relay.port(),
            tls: SmtpTls::None,
            username: None,
            password: None,
            from: "Partner <noreply@partner.example>".to_owned(),
            timeout: PATIENCE,
            pool_size: 2,
        })?;
        let emails = EmailActivities {
            deliveries: DeliveryRepository::new(pool.clone()),
            mailer: Arc::new(mailer),
        };
        Ok(Self {
            pool,
            inbox,
            emails,
        })
    }

    /// Sends a mail as an activity whose own key is `workflow/run/1`.
    pub(crate) async fn send(&self, input: SendEmailInput) -> Answer {
        self.emails.send(input.into(), "workflow/run/1").await
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
        Ok(
            sqlx::query_as("SELECT state, attempts FROM email_deliveries WHERE message_id = $1")
                .bind(message_id)
                .fetch_one(&self.pool)
                .await?,
        )
    }

    pub(crate) async fn deliveries(&self) -> Result<i64> {
        Ok(sqlx::query_scalar("SELECT count(*) FROM email_deliveries")
            .fetch_one(&self.pool)
            .await?)
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

/// The result of an activity that must succeed.
pub(crate) fn done(answer: Answer) -> Result<SendEmailResult> {
    answer.map_err(|error| anyhow!("the activity failed: {error:?}"))
}

/// The code of an activity that must fail, and whether Temporal tries again.
pub(crate) fn failed(answer: Answer) -> Result<(String, bool)> {
    match answer {
        Err(ActivityError::Application(failure)) => {
            let code = failure.type_name().context("a failure without a type")?;
            Ok((code.to_owned(), !failure.is_non_retryable()))
        }
        other => Err(anyhow!("not an application failure: {other:?}")),
    }
}
