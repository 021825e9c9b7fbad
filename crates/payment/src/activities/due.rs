//! `startDueSubscriptions`: the payments of what is due.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use partner_core::client::{Ended, ProcessClient};
use partner_core::error::{Failure as _, activity_error, chain};
use partner_core::heartbeat::with_heartbeat;
use partner_core::ids::{SubscriptionId, UserId};
use partner_core::sweep::{Begun, PageInput, PageResult, Position, make_page};
use partner_core::wire::Wire;
use partner_core::workflow_id;
use serde_json::json;
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use crate::due::Due;
use crate::error::PaymentError;
use crate::repository::{ChargeRepository, DueSubscription, Subscription, SubscriptionRepository};
use crate::settings::Schedule;
use crate::workflows::subscription_payment::{CALLED_OFF, SubscriptionPaymentInput};

/// The workflow that collects a payment.
const WORKFLOW: &str = "subscriptionPaymentWorkflow";

/// How far the clocks of Temporal and of the database may be apart.
const CLOCKS: TimeDelta = TimeDelta::minutes(1);

/// The activity's dependencies.
pub struct DueActivities {
    /// The subscriptions.
    pub subscriptions: SubscriptionRepository,
    /// What was charged.
    pub charges: ChargeRepository,
    /// Who makes the next attempt.
    pub schedule: Schedule,
}

#[activities]
impl DueActivities {
    /// Starts the payment of each subscription of a page that is due, one workflow an attempt.
    #[activity(name = "startDueSubscriptions")]
    pub async fn start_due_subscriptions(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<PageInput>,
    ) -> Result<PageResult, ActivityError> {
        let input = input.into_activity_input()?;
        let own = || ctx.info().task_queue.clone();
        let task_queue = input.task_queue.clone().unwrap_or_else(own);
        let client = ProcessClient::new(ctx.client(), task_queue);
        with_heartbeat(&ctx, self.start(&input, &client))
            .await
            .map_err(activity_error)
    }
}

impl DueActivities {
    /// `startDueSubscriptions` without a worker around it.
    ///
    /// # Errors
    /// If the database or the Temporal service cannot be used: the page is then made again.
    pub async fn start(
        &self,
        input: &PageInput,
        client: &ProcessClient,
    ) -> Result<PageResult, PaymentError> {
        if self.schedule == Schedule::Durable {
            return Err(PaymentError::Invalid(
                "subscription.schedule is \"durable\": each subscription's own workflow waits for what is due"
                    .to_owned(),
            ));
        }
        let now = self.subscriptions.now().await?;
        if input.as_of > now + CLOCKS {
            // Their workflows would find nothing due, and could not be started again under their ids.
            return Err(PaymentError::Invalid(format!(
                "asOf: {} has not come yet, it is {now}",
                input.as_of
            )));
        }
        let total = match input.after {
            None => Some(self.subscriptions.count_due(input.as_of).await?),
            Some(_) => None,
        };
        let page = self
            .subscriptions
            .due(input.as_of, input.after.as_ref(), input.limit)
            .await?;
        let position = |found: &DueSubscription| Position {
            at: found.due_at,
            id: found.id.clone(),
        };
        let begin = |found| self.begin(found, input.as_of, client);
        let made = make_page(input, page, position, begin).await?;
        Ok(PageResult { total, ..made })
    }

    /// Starts one; what is wrong with it alone is an answer.
    async fn begin(
        &self,
        found: DueSubscription,
        as_of: DateTime<Utc>,
        client: &ProcessClient,
    ) -> Result<Begun, PaymentError> {
        let id = found.id.clone();
        match self.begin_one(found, as_of, client).await {
            Ok(begun) => Ok(begun),
            Err(PaymentError::Temporal(error)) if error.is_refused() => {
                Ok(failed(&id, &PaymentError::Temporal(error)))
            }
            Err(error) if error.is_retryable() => Err(error),
            Err(error) => Ok(failed(&id, &error)),
        }
    }

    async fn begin_one(
        &self,
        found: DueSubscription,
        as_of: DateTime<Utc>,
        client: &ProcessClient,
    ) -> Result<Begun, PaymentError> {
        let subscription = found.subscription?;
        let due = self.charges.due(&subscription).await?;
        if !due.is_under_way && due.starts > as_of {
            return Ok(Begun::Left(None));
        }
        let begun = start(&subscription, &due, client).await?;
        if matches!(begun, Begun::Left(_)) && self.was_made(&subscription, &due).await? {
            return Ok(Begun::Left(None));
        }
        Ok(begun)
    }

    /// Whether an attempt was made since it was found to be the next.
    async fn was_made(&self, subscription: &Subscription, due: &Due) -> Result<bool, PaymentError> {
        let now = self.subscriptions.lookup(&subscription.id).await?;
        Ok(match now {
            Some(subscription) => self.charges.due(&subscription).await? != *due,
            None => true,
        })
    }
}

fn failed(id: &str, error: &PaymentError) -> Begun {
    let reason = chain(error);
    tracing::warn!(subscription.id = id, reason, "cannot start a payment");
    Begun::Failed(format!("subscription {id}: {reason}"))
}

/// Starts the payment of an attempt, unless it runs or was called off.
async fn start(
    subscription: &Subscription,
    due: &Due,
    client: &ProcessClient,
) -> Result<Begun, PaymentError> {
    let invalid = |error: &dyn std::fmt::Display| PaymentError::Invalid(error.to_string());
    let input = SubscriptionPaymentInput {
        subscription_id: SubscriptionId::parse(&*subscription.id)
            .map_err(|error| invalid(&error))?,
        user_id: UserId::parse(&*subscription.user_id).map_err(|error| invalid(&error))?,
        amount: subscription.price.amount(),
        currency: subscription.price.currency(),
        billing_period: subscription.billing_period,
    };
    let id = workflow_id::subscription_attempt(&input.subscription_id, &due.period, due.attempt);
    let (user, input) = (input.user_id.to_string(), json!(input));
    let started = client.start_for(WORKFLOW, &id, &input, &user).await?;
    if !started.joined {
        return Ok(Begun::Started);
    }
    if started.describe().await?.summary.closed_at.is_none() {
        return Ok(Begun::Running);
    }
    if was_called_off(&started.ended().await?) {
        return Ok(Begun::Left(Some(format!(
            "subscription {}: {id} was called off before its attempt; start it under another id to make it",
            subscription.id
        ))));
    }
    // It found nothing to charge then, such as a subscription that was suspended; now there is.
    let again = client
        .start_anew(WORKFLOW, &id, &input, Some(&user))
        .await?;
    Ok(if again.joined {
        Begun::Running
    } else {
        Begun::Started
    })
}

/// Whether somebody asked a payment to stop before its charge.
fn was_called_off(ended: &Ended) -> bool {
    match ended {
        Ended::Completed(result) => result["message"]
            .as_str()
            .is_some_and(|message| message.starts_with(CALLED_OFF)),
        Ended::Cancelled => true,
        Ended::Failed { .. } | Ended::Terminated | Ended::TimedOut => false,
    }
}
