//! The send ledger: a message goes out once to a recipient on a channel, whoever asks and how often.
//!
//! Every attempt is written down before it speaks to the other side, and passes the gate, which is a
//! row that only the latest attempt may move, right before the message leaves. So of two attempts at
//! the same time one sends, and a crash before the gate sent nothing. After the gate the outcome is
//! unknown until it is written down; mail and push have nothing to look it up by. An attempt that
//! finds such a row waits until the other one cannot be alive any more, and then does what the
//! operators decided: record that the message may have arrived, or send it again. It waits by itself
//! and does not fail meanwhile: an activity has few attempts, and a crash has used one of them up.

use std::time::Duration;

use partner_core::error::{Failure, chain};

use crate::error::UserError;
use crate::repository::{
    BeginRules, Begun, Delivery, DeliveryKey, DeliveryRepository, DeliveryState, Standing,
};
use crate::settings::UnknownOutcome;

/// What is on record about an attempt that never said how it ended.
const NO_ANSWER: &str = "whoever handed it over did not come back with the answer";

/// How often whoever waits for another attempt looks again.
const GLANCE: Duration = Duration::from_millis(500);

/// A message to one recipient on one channel.
#[derive(Debug, Clone)]
pub struct Message {
    /// What it is known by.
    pub key: DeliveryKey,
    /// Its subject, if the channel has one.
    pub subject: Option<String>,
    /// Whether its sender has tried before: what was refused for good then is not tried again.
    pub retried: bool,
}

/// How a message went out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// The other side took it, now or earlier.
    Sent,
    /// It may have arrived, and is not sent again; why that is not known.
    Possibly(String),
}

/// Drives messages through the ledger.
#[derive(Debug, Clone)]
pub struct SendLedger {
    deliveries: DeliveryRepository,
    unknown_outcome: UnknownOutcome,
    lease: Duration,
}

impl SendLedger {
    /// A ledger that treats unknown outcomes like this, after an attempt may have lived so long.
    pub const fn new(
        deliveries: DeliveryRepository,
        unknown_outcome: UnknownOutcome,
        lease: Duration,
    ) -> Self {
        Self {
            deliveries,
            unknown_outcome,
            lease,
        }
    }

    /// Delivers a message by `work`, which passes the gate that it is given; does nothing if it was
    /// delivered before.
    ///
    /// # Errors
    /// The error of `work`, or why there is no attempt to make.
    pub async fn deliver<Work, Working>(
        &self,
        message: Message,
        work: Work,
    ) -> Result<Delivered, UserError>
    where
        Work: FnOnce(Delivery) -> Working,
        Working: Future<Output = Result<(), UserError>>,
    {
        let rules = BeginRules {
            refused: !message.retried,
            unknown: self.resends(),
            lease: self.lease,
        };
        let Message { key, subject, .. } = &message;
        let delivery = loop {
            let begun = self.deliveries.begin(key, subject.as_deref(), rules);
            match begun.await? {
                Begun::Attempt(delivery) => break delivery,
                Begun::Standing(standing) => {
                    let rest = standing.rest_of_lease;
                    if let Some(stands) = self.stand(key, standing).await? {
                        return Ok(stands);
                    }
                    wait(rest.min(GLANCE)).await;
                }
            }
        };
        let sent = work(delivery.clone()).await;
        self.conclude(&delivery, sent).await
    }

    const fn resends(&self) -> bool {
        matches!(self.unknown_outcome, UnknownOutcome::Resend)
    }

    /// What it means that there is no attempt to make; nothing while another one may be alive.
    async fn stand(
        &self,
        key: &DeliveryKey,
        found: Standing,
    ) -> Result<Option<Delivered>, UserError> {
        let reason = found.last_error.unwrap_or_default();
        match found.state {
            DeliveryState::Sent => Ok(Some(Delivered::Sent)),
            DeliveryState::PossiblyDelivered => Ok(Some(Delivered::Possibly(reason))),
            DeliveryState::Refused => Err(UserError::RefusedBefore(reason)),
            DeliveryState::HandedOver
                if found.rest_of_lease.is_zero()
                    && !self.resends()
                    && self.deliveries.give_up(key, self.lease, NO_ANSWER).await? =>
            {
                log(key, "message may have been delivered");
                Ok(Some(Delivered::Possibly(NO_ANSWER.to_owned())))
            }
            // Another attempt may be alive, or ended at this very moment.
            DeliveryState::HandedOver | DeliveryState::Sending => Ok(None),
        }
    }

    /// Writes down how an attempt ended, and says what that means.
    async fn conclude(
        &self,
        delivery: &Delivery,
        sent: Result<(), UserError>,
    ) -> Result<Delivered, UserError> {
        let Err(error) = sent else {
            delivery.finish(DeliveryState::Sent, None).await?;
            log(delivery.key(), "message sent");
            return Ok(Delivered::Sent);
        };
        let reason = chain(&error);
        if error.outcome_is_unknown() && !self.resends() {
            let state = DeliveryState::PossiblyDelivered;
            delivery.finish(state, Some(&reason)).await?;
            log(delivery.key(), "message may have been delivered");
            return Ok(Delivered::Possibly(reason));
        }
        let state = if error.is_retryable() {
            DeliveryState::Sending
        } else {
            DeliveryState::Refused
        };
        delivery.finish(state, Some(&reason)).await?;
        Err(error)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an activity that waits for another process; no workflow runs this"
)]
async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Never the recipient: an address is nobody's business who reads logs.
fn log(key: &DeliveryKey, what: &'static str) {
    tracing::info!(
        notification.id = key.notification_id,
        notification.channel = key.channel,
        "{what}"
    );
}
