//! `startDueSubscriptions`: the payments of what is due.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use partner_core::client::ProcessClient;
use partner_core::error::{activity_error, chain};
use partner_core::heartbeat::with_heartbeat;
use partner_core::ids::{SubscriptionId, UserId};
use partner_core::sweep::{Begun, PageInput, PageResult, Position, Tally};
use partner_core::wire::Wire;
use partner_core::workflow_id;
use serde_json::json;
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use crate::due::{self, Due};
use crate::error::PaymentError;
use crate::repository::{ChargeRepository, DueSubscription, Subscription, SubscriptionRepository};
use crate::settings::Schedule;
use crate::workflows::subscription_payment::SubscriptionPaymentInput;

/// How many are started at once. The Temporal service answers each within milliseconds.
const AT_ONCE: usize = 16;

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
        let total = match input.after {
            None => Some(self.subscriptions.count_due(input.as_of).await?),
            Some(_) => None,
        };
        let page = self
            .subscriptions
            .due(input.as_of, input.after.as_ref(), input.limit)
            .await?;
        let is_full = page.len() >= usize::try_from(input.limit).unwrap_or(usize::MAX);
        let next = page.last().filter(|_| is_full);
        let next = next.map(|DueSubscription { due_at, id, .. }| Position {
            at: *due_at,
            id: id.clone(),
        });
        let begun = page
            .into_iter()
            .map(|found| self.begin(found, input.as_of, client));
        let tally = stream::iter(begun)
            .buffered(AT_ONCE)
            .try_fold(Tally::default(), async |mut tally, begun| {
                tally.count(begun);
                Ok(tally)
            })
            .await?;
        Ok(PageResult { tally, total, next })
    }

    /// Starts one; what is wrong with it alone is an answer.
    async fn begin(
        &self,
        found: DueSubscription,
        as_of: DateTime<Utc>,
        client: &ProcessClient,
    ) -> Result<Begun, PaymentError> {
        let DueSubscription {
            id, subscription, ..
        } = found;
        let failed = |reason: String| {
            tracing::warn!(subscription.id = id, reason, "cannot start a payment");
            Ok(Begun::Failed(format!("subscription {id}: {reason}")))
        };
        let subscription = match subscription {
            Ok(subscription) => subscription,
            Err(error) => return failed(chain(&error)),
        };
        let due = self.owed(&subscription).await?;
        if !due.is_under_way && due.starts > as_of {
            return Ok(Begun::Left(None));
        }
        match start(&subscription, &due, client).await {
            Ok(Begun::Left(_)) if self.was_made(&subscription, &due).await? => {
                Ok(Begun::Left(None))
            }
            Ok(begun) => Ok(begun),
            Err(PaymentError::Temporal(error)) if !error.is_refused() => {
                Err(PaymentError::Temporal(error))
            }
            Err(error) => failed(chain(&error)),
        }
    }

    /// Whether an attempt was made since it was found to be the next.
    async fn was_made(&self, subscription: &Subscription, due: &Due) -> Result<bool, PaymentError> {
        let now = self.subscriptions.lookup(&subscription.id).await?;
        Ok(match now {
            Some(subscription) => self.owed(&subscription).await? != *due,
            None => true,
        })
    }

    async fn owed(&self, subscription: &Subscription) -> Result<Due, PaymentError> {
        let (calendar, standing) = (&subscription.calendar, &subscription.standing);
        let from = due::earliest_name(calendar, due::first_open(calendar, standing));
        let charges = self.charges.of_periods_from(&subscription.id, &from);
        Ok(due::due(calendar, standing, &charges.await?))
    }
}

/// Starts the payment of an attempt. One that ended is not started again by itself, unless it failed:
/// it may have been called off.
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
    let user = input.user_id.as_str();
    let started = client
        .start_for("subscriptionPaymentWorkflow", &id, &json!(input), user)
        .await?;
    if !started.joined {
        return Ok(Begun::Started);
    }
    Ok(if started.describe().await?.summary.closed_at.is_none() {
        Begun::Running
    } else {
        Begun::Left(Some(format!(
            "subscription {}: {id} ended and the attempt was not made; start it under another id to make it",
            subscription.id
        )))
    })
}
