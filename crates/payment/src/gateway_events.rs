//! What the payment gateway tells by itself (webhooks): each event is written down once and handed to
//! the workflow whose charge it is about, in whatever sequence and however often it comes.
//!
//! An event is a reason to look, never a fact: what became of the money is what the gateway answers
//! when it is asked, and what the charge ledger then says. So an event that comes late, twice or
//! before its elder changes nothing that is known, and a forged one could do no more than cost a look.
//!
//! While all goes well, an event costs nothing beyond its row: the workflow knows already. It is told
//! only of a charge that is open. If it was ended before its work was (terminated, or timed out), it
//! is started anew, and finds in the ledger what was charged: money is not kept without an order.

use chrono::{DateTime, Utc};
use partner_core::client::{ClientError, ProcessClient};
use partner_core::text_enum;
use partner_core::workflow_id;
use serde_json::{Value, json};

use crate::error::PaymentError;
use crate::model::{ChargeState, OrderStatus};
use crate::repository::{ChargedPayment, GatewayEventRepository, PaidFor};

/// Something that happened at the gateway, of which it told by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayEvent {
    /// The gateway's id of the event: the same each time that it comes.
    pub id: String,
    /// What happened, in the gateway's words: `payment_intent.succeeded`.
    pub kind: String,
    /// When.
    pub happened_at: DateTime<Utc>,
    /// The gateway's id of the payment, if it is about one.
    pub payment_id: Option<String>,
    /// How the thing stands that it is about, in the gateway's words: `succeeded`, `failed`.
    pub status: Option<String>,
}

text_enum! {
    /// What became of an event. The migration that creates the table explains each.
    EventOutcome {
        /// The workflow that makes the charge was told.
        Told = "told",
        /// It had been ended before its work was, and was started anew.
        Restarted = "restarted",
        /// The books have it already.
        Known = "known",
        /// It concerns no workflow.
        Recorded = "recorded",
        /// It is about no payment of ours.
        Unknown = "unknown",
        /// It says something else than the books: a person has to look.
        Contradicts = "contradicts",
    }
}

/// Takes what the gateway tells.
#[derive(Debug, Clone)]
pub struct GatewayEvents {
    repository: GatewayEventRepository,
}

/// What an event asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// Nothing more: this became of it.
    Settled(EventOutcome),
    /// That a workflow hears of it; see [`Errand::tell`].
    Open(Errand),
}

/// The workflow that shall hear of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errand {
    event_id: String,
    kind: String,
    /// Whether a workflow that runs is told, or only made to run.
    is_told: bool,
    workflow: &'static str,
    workflow_id: String,
    input: Value,
    user_id: String,
}

/// What an event means for the charge that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Its workflow looks at it.
    Tell,
    /// Its workflow has work left to do, and shall run.
    Ensure,
    /// This became of it.
    Nothing(EventOutcome),
}

impl GatewayEvents {
    /// Events that are kept there.
    pub const fn new(repository: GatewayEventRepository) -> Self {
        Self { repository }
    }

    /// Writes an event down, and tells what it asks for.
    ///
    /// # Errors
    /// If the database cannot be used: then the gateway has to send the event again.
    pub async fn receive(&self, event: &GatewayEvent) -> Result<Received, PaymentError> {
        match self.repository.receive(event).await? {
            Some(outcome) => Ok(Received::Settled(outcome)),
            None => self.look(event).await,
        }
    }

    /// What an event that is written down asks for, as the books are now.
    ///
    /// # Errors
    /// As [`GatewayEvents::receive`].
    pub async fn look(&self, event: &GatewayEvent) -> Result<Received, PaymentError> {
        let Some(payment) = &event.payment_id else {
            return self.settled(event, EventOutcome::Recorded).await;
        };
        let charge = match self.repository.charge(payment).await {
            Ok(Some(charge)) => charge,
            Ok(None) => return self.settled(event, EventOutcome::Unknown).await,
            // What it was charged for is not there, or cannot be read.
            Err(PaymentError::Invalid(reason)) => {
                tracing::error!(event.id, payment.id = payment, reason, "unreadable charge");
                return self.settled(event, EventOutcome::Contradicts).await;
            }
            Err(error) => return Err(error),
        };
        match meaning(event, &charge) {
            Meaning::Nothing(outcome) => self.settled(event, outcome).await,
            meaning => Ok(Received::Open(Errand::new(event, meaning, charge))),
        }
    }

    async fn settled(
        &self,
        event: &GatewayEvent,
        outcome: EventOutcome,
    ) -> Result<Received, PaymentError> {
        if outcome == EventOutcome::Contradicts {
            tracing::error!(
                event.id,
                event.kind,
                payment.id = event.payment_id,
                "the gateway says something else than the books: a person has to look"
            );
        }
        self.settle(&event.id, outcome, None).await?;
        Ok(Received::Settled(outcome))
    }

    /// Writes down what became of an errand, so that the next delivery makes none.
    ///
    /// # Errors
    /// If the database cannot be used: then the next delivery makes it again, which does no harm.
    pub async fn done(&self, errand: &Errand, outcome: EventOutcome) -> Result<(), PaymentError> {
        self.settle(&errand.event_id, outcome, Some(&errand.workflow_id))
            .await
    }

    async fn settle(
        &self,
        event_id: &str,
        outcome: EventOutcome,
        workflow_id: Option<&str>,
    ) -> Result<(), PaymentError> {
        tracing::info!(event.id = event_id, %outcome, workflow.id = workflow_id, "gateway event");
        self.repository.settle(event_id, outcome, workflow_id).await
    }
}

impl Errand {
    fn new(event: &GatewayEvent, meaning: Meaning, charge: ChargedPayment) -> Self {
        let (workflow, default_id, input, user_id) = match &charge.paid_for {
            PaidFor::Order(input, _) => (
                "processPaymentWorkflow",
                workflow_id::payment(&input.order_id),
                json!(input),
                &input.user_id,
            ),
            PaidFor::Subscription(input, period) => (
                "subscriptionPaymentWorkflow",
                workflow_id::subscription_payment(&input.subscription_id, period),
                json!(input),
                &input.user_id,
            ),
        };
        Self {
            event_id: event.id.clone(),
            kind: event.kind.clone(),
            is_told: meaning == Meaning::Tell,
            workflow,
            user_id: user_id.to_string(),
            input,
            workflow_id: charge.workflow_id.unwrap_or(default_id),
        }
    }

    /// Tells the workflow, if it runs and has something to look at. Safe to repeat.
    ///
    /// `false` if it does not run: it may have come to its end since the books were read. After another
    /// [`GatewayEvents::look`] it is started anew, if it still has work left.
    ///
    /// # Errors
    /// If the Temporal service cannot be reached: then the gateway has to send the event again.
    pub async fn tell(&self, client: &ProcessClient) -> Result<bool, ClientError> {
        if !self.is_told {
            return Ok(false);
        }
        let process = client.process(&self.workflow_id);
        let kind = Value::String(self.kind.clone());
        match process
            .signal_once("gatewayEvent", &kind, &self.event_id)
            .await
        {
            Ok(()) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Starts the workflow anew, if it was ended before its work was; one that runs, or has ended well,
    /// is left alone. Safe to repeat.
    ///
    /// # Errors
    /// As [`Errand::tell`].
    pub async fn restart(&self, client: &ProcessClient) -> Result<EventOutcome, ClientError> {
        let started = Box::pin(client.start_for(
            self.workflow,
            &self.workflow_id,
            &self.input,
            &self.user_id,
        ))
        .await?;
        Ok(if started.joined {
            EventOutcome::Known
        } else {
            EventOutcome::Restarted
        })
    }
}

/// What an event of this kind means for a charge.
fn meaning(event: &GatewayEvent, charge: &ChargedPayment) -> Meaning {
    use ChargeState::{Abandoned, Created, Declined, Refunded, Refunding, Submitted, Succeeded};
    let is_unpaid = matches!(charge.paid_for, PaidFor::Order(_, OrderStatus::Pending));
    let is_refund = is_refund(&event.kind);
    let has_failed = event.kind == "refund.failed"
        || matches!(event.status.as_deref(), Some("failed" | "canceled"));
    match (event.kind.as_str(), charge.state) {
        // The books have given it back, and it did not arrive.
        (_, Refunding | Refunded) if is_refund && has_failed && event.kind != "charge.refunded" => {
            Meaning::Nothing(EventOutcome::Contradicts)
        }
        // The workflow gives it back: what it asked for is what is told here, if it is still there.
        (_, Refunding) if is_refund => Meaning::Ensure,
        (_, Refunded) if is_refund => Meaning::Nothing(EventOutcome::Known),
        // Somebody gave it back at the gateway, the bank takes it back, or money was taken that the
        // books say was not.
        ("charge.dispute.created" | "charge.dispute.funds_withdrawn", _)
        | ("payment_intent.succeeded", Declined | Abandoned) => {
            Meaning::Nothing(EventOutcome::Contradicts)
        }
        _ if is_refund => Meaning::Nothing(EventOutcome::Contradicts),
        (kind, Created | Submitted | Refunding) if kind.starts_with("payment_intent.") => {
            Meaning::Tell
        }
        ("payment_intent.succeeded", Succeeded) if is_unpaid => Meaning::Ensure,
        (kind, _) if kind.starts_with("payment_intent.") => Meaning::Nothing(EventOutcome::Known),
        _ => Meaning::Nothing(EventOutcome::Recorded),
    }
}

/// Whether an event tells of money that goes back. The gateway has an older and a newer way to say so.
fn is_refund(kind: &str) -> bool {
    matches!(
        kind,
        "charge.refunded"
            | "charge.refund.updated"
            | "refund.created"
            | "refund.updated"
            | "refund.failed"
    )
}

#[cfg(test)]
mod tests {
    use partner_core::ids::{OrderId, SubscriptionId, UserId};
    use partner_core::money::{Currency, Money};
    use partner_core::ports::payment_gateway::PaymentMethod;

    use super::*;
    use crate::billing_calendar::BillingPeriod;
    use crate::workflows::process_payment::ProcessPaymentInput;
    use crate::workflows::subscription_payment::SubscriptionPaymentInput;

    fn charge(state: ChargeState, order: OrderStatus) -> ChargedPayment {
        let input = ProcessPaymentInput {
            order_id: OrderId::parse("order-1").unwrap(),
            user_id: UserId::parse("user-1").unwrap(),
            amount: Money::from_minor(100, Currency::EUR).amount(),
            currency: Currency::EUR,
            payment_method: PaymentMethod::Card,
            attempt: None,
            retry_window_seconds: None,
        };
        ChargedPayment {
            state,
            workflow_id: None,
            paid_for: PaidFor::Order(input, order),
        }
    }

    fn event(kind: &str, status: &str) -> GatewayEvent {
        GatewayEvent {
            id: "evt_1".to_owned(),
            kind: kind.to_owned(),
            happened_at: DateTime::UNIX_EPOCH,
            payment_id: Some("pi_1".to_owned()),
            status: Some(status.to_owned()),
        }
    }

    fn of_paid(kind: &str, state: ChargeState) -> Meaning {
        meaning(&event(kind, "succeeded"), &charge(state, OrderStatus::Paid))
    }

    #[test]
    fn a_refund_that_fails_is_for_a_person_and_one_under_way_for_its_workflow() {
        let contradicts = Meaning::Nothing(EventOutcome::Contradicts);
        for state in [ChargeState::Refunding, ChargeState::Refunded] {
            for kind in ["refund.failed", "refund.updated", "charge.refund.updated"] {
                let failed = meaning(&event(kind, "failed"), &charge(state, OrderStatus::Paid));
                assert_eq!(failed, contradicts, "{kind} {state}");
            }
        }
        let untold = meaning(
            &event("refund.failed", ""),
            &charge(ChargeState::Refunded, OrderStatus::Paid),
        );
        assert_eq!(untold, contradicts);
        for kind in ["charge.refunded", "refund.created", "refund.updated"] {
            assert_eq!(
                of_paid(kind, ChargeState::Refunding),
                Meaning::Ensure,
                "{kind}"
            );
        }
    }

    #[test]
    fn a_subscriptions_charge_is_its_workflows_while_it_is_open() {
        let input = SubscriptionPaymentInput {
            subscription_id: SubscriptionId::parse("sub-1").unwrap(),
            user_id: UserId::parse("user-1").unwrap(),
            amount: Money::from_minor(100, Currency::EUR).amount(),
            currency: Currency::EUR,
            billing_period: BillingPeriod::Monthly,
        };
        let meaning_of = |state| {
            let charge = ChargedPayment {
                state,
                workflow_id: None,
                paid_for: PaidFor::Subscription(input.clone(), "2026-01-31".to_owned()),
            };
            meaning(&event("payment_intent.succeeded", "succeeded"), &charge)
        };
        assert_eq!(meaning_of(ChargeState::Submitted), Meaning::Tell);
        let known = Meaning::Nothing(EventOutcome::Known);
        assert_eq!(meaning_of(ChargeState::Succeeded), known);
    }

    #[test]
    fn a_workflow_hears_only_of_a_charge_that_is_open() {
        for &state in ChargeState::ALL {
            let is_open = matches!(
                state,
                ChargeState::Created | ChargeState::Submitted | ChargeState::Refunding
            );
            for kind in [
                "payment_intent.succeeded",
                "payment_intent.payment_failed",
                "payment_intent.canceled",
                "payment_intent.processing",
            ] {
                let told = of_paid(kind, state) == Meaning::Tell;
                assert_eq!(told, is_open, "{kind} {state}");
            }
        }
    }

    #[test]
    fn an_order_that_is_charged_and_not_paid_has_work_left() {
        let succeeded = "payment_intent.succeeded";
        for &status in OrderStatus::ALL {
            let charge = charge(ChargeState::Succeeded, status);
            let meaning = meaning(&event(succeeded, "succeeded"), &charge);
            let is_pending = status == OrderStatus::Pending;
            assert_eq!(meaning == Meaning::Ensure, is_pending, "{status}");
        }
    }

    #[test]
    fn what_the_books_do_not_have_is_for_a_person() {
        let contradicts = Meaning::Nothing(EventOutcome::Contradicts);
        for (kind, state, is_for_a_person) in [
            ("charge.refunded", ChargeState::Succeeded, true),
            ("refund.created", ChargeState::Succeeded, true),
            ("charge.refunded", ChargeState::Refunding, false),
            ("charge.refunded", ChargeState::Refunded, false),
            ("charge.dispute.created", ChargeState::Succeeded, true),
            ("payment_intent.succeeded", ChargeState::Declined, true),
            ("payment_intent.succeeded", ChargeState::Abandoned, true),
            // It was, before it went back.
            ("payment_intent.succeeded", ChargeState::Refunded, false),
            (
                "payment_intent.payment_failed",
                ChargeState::Declined,
                false,
            ),
        ] {
            let found = of_paid(kind, state) == contradicts;
            assert_eq!(found, is_for_a_person, "{kind} {state}");
        }
    }

    #[test]
    fn what_is_no_news_of_money_is_only_recorded() {
        for kind in [
            "charge.updated",
            "payout.paid",
            "",
            "payment_method.attached",
        ] {
            let recorded = Meaning::Nothing(EventOutcome::Recorded);
            assert_eq!(of_paid(kind, ChargeState::Submitted), recorded, "{kind}");
        }
    }
}
