//! The charge ledger: money moves at most once for each attempt of an order, or of a period of a
//! subscription, whatever crashes.
//!
//! A charge is made in steps, and each is written down before the gateway hears of the next:
//!
//! 1. `created`: the row exists, unique for its purpose, with the hash of its parameters.
//! 2. The gateway creates an intent. No money moves, so a lost answer is harmless: the same
//!    idempotency key gives the same intent, and one that the gateway forgot stays unconfirmed.
//! 3. `submitted`: the intent's id is in the row. Only now the confirmation is sent.
//! 4. `succeeded` or `declined`: what the gateway answered.
//!
//! Whoever finds a row `submitted` does not know whether the money moved, and asks the gateway by
//! the id in the row. That works for as long as the gateway keeps its books, long after it has
//! forgotten the idempotency keys (a day, at Stripe) and Temporal the workflow's history. And an
//! intent that is confirmed twice refuses the second time, with any key.
//!
//! Undoing follows the same pattern: `refunding` is written before the refund is asked for, and
//! what the gateway says it has already given back is never given back again.
//!
//! The outcome of a subscription's charge and what follows from it for the subscription (see
//! `crate::dunning`) are one transaction. A subscription that ended while it was charged gets its
//! money back: the same transaction puts such a charge into `refunding`.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use partner_core::money::Money;
use partner_core::ports::payment_gateway::{
    GatewayError, GatewayPayment, NewPayment, PaymentGateway, PaymentState,
};
use sha2::{Digest, Sha256};

use crate::dunning::DunningPolicy;
use crate::error::PaymentError;
use crate::model::{Charge, ChargeOutcome, ChargeRequest, ChargeState, ChargeSubject};
use crate::repository::{ChargeRepository, Conclusion, Verdict};

/// Charges and refunds, once each.
#[derive(Clone)]
pub struct ChargeLedger {
    charges: ChargeRepository,
    gateway: Arc<dyn PaymentGateway>,
    dunning: DunningPolicy,
}

/// An attempt that is being made or settled.
#[derive(Clone, Copy)]
struct Attempt<'a> {
    subject: &'a ChargeSubject,
    number: u32,
    as_of: Option<DateTime<Utc>>,
}

impl<'a> Attempt<'a> {
    const fn of(request: &'a ChargeRequest) -> Self {
        Self {
            subject: &request.subject,
            number: request.attempt,
            as_of: request.as_of,
        }
    }

    /// The stem of the gateway's idempotency keys: the same for ever, short, and of plain characters.
    fn key(self) -> String {
        let reference = self.subject.reference(self.number);
        let digest = Sha256::digest(reference.as_bytes());
        format!("partner-{}", hex::encode(&digest[..16]))
    }
}

/// What was given back, or kept from being charged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reversal {
    /// The amounts that went back to the buyer.
    pub refunded: Vec<Money>,
}

impl ChargeLedger {
    /// A ledger over these rows and this gateway; declines of subscriptions are followed by this.
    pub fn new(
        charges: ChargeRepository,
        gateway: Arc<dyn PaymentGateway>,
        dunning: DunningPolicy,
    ) -> Self {
        Self {
            charges,
            gateway,
            dunning,
        }
    }

    /// Charges once; asked again, tells how it went.
    ///
    /// # Errors
    /// Retryable while the outcome is unknown; for good if the parameters differ from the first
    /// time, if the charge was undone since, or if the gateway refuses the request.
    pub async fn charge(&self, request: &ChargeRequest) -> Result<ChargeOutcome, PaymentError> {
        let hash = parameters_hash(request);
        let charge = self.charges.open(request, &hash).await?;
        // An attempt that was closed before anyone began it has no parameters to compare.
        if charge.parameters_hash != hash && !charge.parameters_hash.is_empty() {
            return Err(PaymentError::ChargeParametersChanged(format!(
                "{} was charged {} before",
                request.subject, charge.amount
            )));
        }
        let attempt = Attempt::of(request);
        match charge.state {
            ChargeState::Created => self.submit(request, &charge).await,
            ChargeState::Submitted => self.look_up(attempt, &charge).await,
            ChargeState::Succeeded => Ok(ChargeOutcome::Succeeded {
                transaction_id: gateway_id(&charge)?.to_owned(),
            }),
            ChargeState::Declined => Ok(declined(&charge)),
            ChargeState::Abandoned | ChargeState::Refunding | ChargeState::Refunded => {
                Err(PaymentError::ChargeClosed {
                    subject: request.subject.to_string(),
                    attempt: charge.attempt,
                    state: charge.state,
                })
            }
        }
    }

    /// Finds out how an attempt ended. One that was never charged is cancelled, so that it never
    /// will be: after this the answer does not change any more.
    ///
    /// What a subscription's charge comes to is dated `as_of`; without it, by the database's clock.
    pub async fn settle(
        &self,
        subject: &ChargeSubject,
        attempt: u32,
        as_of: Option<DateTime<Utc>>,
    ) -> Result<ChargeOutcome, PaymentError> {
        let Some(charge) = self.find(subject, attempt).await? else {
            // A worker that was only thought dead may still be on its way: it finds the door closed.
            let is_closed = self.charges.close(subject, attempt).await?;
            let is_begun = !is_closed && self.find(subject, attempt).await?.is_some();
            return if is_begun {
                Err(PaymentError::ConcurrentChange)
            } else {
                Ok(ChargeOutcome::NotCharged)
            };
        };
        let attempt = Attempt {
            subject,
            number: attempt,
            as_of,
        };
        match charge.state {
            ChargeState::Created => {
                self.charges
                    .advance(
                        charge.id,
                        ChargeState::Created,
                        ChargeState::Abandoned,
                        None,
                    )
                    .await?;
                Ok(ChargeOutcome::NotCharged)
            }
            ChargeState::Submitted => self.settle_submitted(attempt, &charge).await,
            ChargeState::Succeeded => Ok(ChargeOutcome::Succeeded {
                transaction_id: gateway_id(&charge)?.to_owned(),
            }),
            ChargeState::Declined => Ok(declined(&charge)),
            ChargeState::Abandoned => Ok(ChargeOutcome::NotCharged),
            ChargeState::Refunding | ChargeState::Refunded => match subject {
                // Whether money went back is for the order's undo to say.
                ChargeSubject::Order(_) => Ok(ChargeOutcome::NotCharged),
                ChargeSubject::SubscriptionPeriod { .. } => self.give_back(attempt).await,
            },
        }
    }

    /// Gives back everything that was taken, and settles everything that is unknown.
    pub async fn reverse(
        &self,
        subject: &ChargeSubject,
        reason: &str,
    ) -> Result<Reversal, PaymentError> {
        let mut reversal = Reversal::default();
        for charge in self.charges.list(subject).await? {
            let outcome = self.settle(subject, charge.attempt, None).await?;
            let is_open = charge.state == ChargeState::Refunding;
            if is_open || matches!(outcome, ChargeOutcome::Succeeded { .. }) {
                let attempt = Attempt {
                    subject,
                    number: charge.attempt,
                    as_of: None,
                };
                self.refund(attempt, Some(reason)).await?;
                reversal.refunded.push(charge.amount);
            } else if charge.state == ChargeState::Refunded
                || matches!(outcome, ChargeOutcome::GivenBack { .. })
            {
                reversal.refunded.push(charge.amount);
            }
        }
        Ok(reversal)
    }

    async fn find(
        &self,
        subject: &ChargeSubject,
        attempt: u32,
    ) -> Result<Option<Charge>, PaymentError> {
        let charges = self.charges.list(subject).await?;
        Ok(charges.into_iter().find(|charge| charge.attempt == attempt))
    }

    async fn submit(
        &self,
        request: &ChargeRequest,
        charge: &Charge,
    ) -> Result<ChargeOutcome, PaymentError> {
        let attempt = Attempt::of(request);
        let payment = self
            .gateway
            .create_payment(&NewPayment {
                reference: request.subject.reference(request.attempt),
                idempotency_key: format!("{}-create", attempt.key()),
                amount: request.amount,
                method: request.method,
                user_id: request.user_id.clone(),
                stored_method: request.stored_method.clone(),
                subject: request.subject.at_gateway(),
            })
            .await?;
        self.charges
            .advance(
                charge.id,
                ChargeState::Created,
                ChargeState::Submitted,
                Some(&payment.id),
            )
            .await?;
        self.confirm(attempt, charge, &payment.id).await
    }

    async fn look_up(
        &self,
        attempt: Attempt<'_>,
        charge: &Charge,
    ) -> Result<ChargeOutcome, PaymentError> {
        let payment = self.gateway.retrieve_payment(gateway_id(charge)?).await?;
        match payment.state {
            PaymentState::RequiresConfirmation => self.confirm(attempt, charge, &payment.id).await,
            _ => self.record(attempt, charge, payment).await,
        }
    }

    async fn confirm(
        &self,
        attempt: Attempt<'_>,
        charge: &Charge,
        gateway_id: &str,
    ) -> Result<ChargeOutcome, PaymentError> {
        let key = format!("{}-confirm", attempt.key());
        let presence = attempt.subject.presence();
        let payment = match self
            .gateway
            .confirm_payment(gateway_id, presence, &key)
            .await
        {
            // Someone confirmed or cancelled it at the same moment: its state says which.
            Err(GatewayError::UnexpectedState { .. }) => {
                self.gateway.retrieve_payment(gateway_id).await?
            }
            answer => answer?,
        };
        self.record(attempt, charge, payment).await
    }

    /// Writes down what the gateway says of a confirmed payment.
    async fn record(
        &self,
        attempt: Attempt<'_>,
        charge: &Charge,
        payment: GatewayPayment,
    ) -> Result<ChargeOutcome, PaymentError> {
        match payment.state {
            PaymentState::Succeeded => {
                let state = self.conclude(attempt, charge, Verdict::Succeeded).await?;
                if state == ChargeState::Refunding {
                    return self.give_back(attempt).await;
                }
                Ok(ChargeOutcome::Succeeded {
                    transaction_id: payment.id,
                })
            }
            PaymentState::Declined { code, message } => {
                let verdict = Verdict::Declined {
                    code: &code,
                    message: &message,
                };
                self.conclude(attempt, charge, verdict).await?;
                Ok(ChargeOutcome::Declined { code, message })
            }
            PaymentState::Canceled => {
                self.charges
                    .advance(
                        charge.id,
                        ChargeState::Submitted,
                        ChargeState::Abandoned,
                        Some(&payment.id),
                    )
                    .await?;
                Ok(ChargeOutcome::NotCharged)
            }
            PaymentState::RequiresCapture => {
                let key = format!("{}-capture", attempt.key());
                self.gateway
                    .capture_payment(&payment.id, None, &key)
                    .await?;
                Err(PaymentError::StillProcessing)
            }
            PaymentState::Processing | PaymentState::RequiresConfirmation => {
                Err(PaymentError::StillProcessing)
            }
        }
    }

    async fn conclude(
        &self,
        attempt: Attempt<'_>,
        charge: &Charge,
        verdict: Verdict<'_>,
    ) -> Result<ChargeState, PaymentError> {
        self.charges
            .conclude(&Conclusion {
                charge_id: charge.id,
                subject: attempt.subject,
                verdict,
                dunning: self.dunning,
                as_of: attempt.as_of,
            })
            .await
    }

    async fn settle_submitted(
        &self,
        attempt: Attempt<'_>,
        charge: &Charge,
    ) -> Result<ChargeOutcome, PaymentError> {
        let id = gateway_id(charge)?;
        let mut payment = self.gateway.retrieve_payment(id).await?;
        if matches!(
            payment.state,
            PaymentState::RequiresConfirmation | PaymentState::RequiresCapture
        ) {
            payment = match self
                .gateway
                .cancel_payment(id, &format!("{id}-cancel"))
                .await
            {
                // A confirmation overtook us: the next attempt finds out how it went.
                Err(GatewayError::UnexpectedState { .. }) => {
                    return Err(PaymentError::ConcurrentChange);
                }
                answer => answer?,
            };
        }
        self.record(attempt, charge, payment).await
    }

    /// Finishes giving back what a subscription was charged after it had ended.
    async fn give_back(&self, attempt: Attempt<'_>) -> Result<ChargeOutcome, PaymentError> {
        let charge = self.refund(attempt, None).await?;
        Ok(ChargeOutcome::GivenBack {
            transaction_id: gateway_id(&charge)?.to_owned(),
        })
    }

    /// Gives an attempt's money back. The reason that was written down first stays.
    async fn refund(
        &self,
        attempt: Attempt<'_>,
        reason: Option<&str>,
    ) -> Result<Charge, PaymentError> {
        let charge = self
            .find(attempt.subject, attempt.number)
            .await?
            .ok_or(PaymentError::ConcurrentChange)?;
        if charge.state == ChargeState::Refunded {
            return Ok(charge);
        }
        self.charges.begin_refund(charge.id, reason).await?;
        let id = gateway_id(&charge)?;
        let refunded = self.gateway.retrieve_payment(id).await?.refunded;
        let owed = charge.amount.minor() - refunded.minor();
        let refund_id = if owed > 0 {
            // What is owed changes if someone gives a part back by hand: that is another refund.
            let key = format!("{}-refund-{owed}", attempt.key());
            let owed = Money::from_minor(owed, charge.amount.currency());
            Some(self.gateway.refund_payment(id, owed, &key).await?.id)
        } else {
            None
        };
        self.charges
            .finish_refund(charge.id, refund_id.as_deref())
            .await?;
        Ok(charge)
    }
}

/// What a charge means: everything that, changed, would make it another charge.
pub(crate) fn parameters_hash(request: &ChargeRequest) -> String {
    let minor = request.amount.minor().to_string();
    let meaning = [
        request.user_id.as_str(),
        &minor,
        request.amount.currency().as_str(),
        request.method.as_str(),
    ];
    let mut hash = Sha256::new();
    let mut add = |part: &str| {
        // The length keeps "ab" + "c" apart from "a" + "bc".
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    };
    match &request.subject {
        // Never anything else: it would refuse the repetition of every order's charge under way.
        ChargeSubject::Order(order_id) => {
            add(order_id);
            meaning.into_iter().for_each(add);
        }
        ChargeSubject::SubscriptionPeriod {
            subscription_id,
            period,
        } => {
            let stored = request.stored_method.as_ref();
            let customer = stored.and_then(|stored| stored.customer.as_deref());
            let id = stored.map(|stored| stored.id.as_str());
            add("subscription");
            add(subscription_id);
            add(period);
            meaning.into_iter().for_each(&mut add);
            add(customer.unwrap_or_default());
            add(id.unwrap_or_default());
        }
    }
    hex::encode(hash.finalize())
}

fn gateway_id(charge: &Charge) -> Result<&str, PaymentError> {
    charge
        .gateway_id
        .as_deref()
        .ok_or(PaymentError::ConcurrentChange)
}

fn declined(charge: &Charge) -> ChargeOutcome {
    ChargeOutcome::Declined {
        code: charge.decline_code.clone().unwrap_or_default(),
        message: charge.decline_message.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use partner_core::money::Currency;
    use partner_core::ports::payment_gateway::{PaymentMethod, StoredMethod};

    use super::*;

    fn order(id: &str) -> ChargeSubject {
        ChargeSubject::Order(id.to_owned())
    }

    fn period(subscription_id: &str, period: &str) -> ChargeSubject {
        ChargeSubject::SubscriptionPeriod {
            subscription_id: subscription_id.to_owned(),
            period: period.to_owned(),
        }
    }

    fn request(subject: ChargeSubject) -> ChargeRequest {
        ChargeRequest {
            subject,
            user_id: "user-1".to_owned(),
            amount: Money::from_minor(100, Currency::USD),
            method: PaymentMethod::Card,
            stored_method: None,
            attempt: 1,
            as_of: None,
            workflow_id: None,
        }
    }

    fn changed(subject: ChargeSubject) -> [ChargeRequest; 4] {
        let request = || request(subject.clone());
        [
            ChargeRequest {
                user_id: "user-2".to_owned(),
                ..request()
            },
            ChargeRequest {
                amount: Money::from_minor(101, Currency::USD),
                ..request()
            },
            ChargeRequest {
                amount: Money::from_minor(100, Currency::EUR),
                ..request()
            },
            ChargeRequest {
                method: PaymentMethod::Upi,
                ..request()
            },
        ]
    }

    #[test]
    fn hash_changes_with_every_parameter() {
        for (subject, others) in [
            (order("order-1"), vec![order("order-2")]),
            (
                period("sub-1", "2026-01-31"),
                vec![period("sub-2", "2026-01-31"), period("sub-1", "2026-02-28")],
            ),
        ] {
            let first = parameters_hash(&request(subject.clone()));
            assert_eq!(first, parameters_hash(&request(subject.clone())));
            let others = others.into_iter().map(request);
            for other in others.chain(changed(subject)) {
                assert_ne!(first, parameters_hash(&other), "{other:?}");
            }
        }
    }

    #[test]
    fn hash_of_a_subscription_changes_with_what_is_on_file() {
        let with = |stored: &str| {
            parameters_hash(&ChargeRequest {
                stored_method: Some(StoredMethod::parse(stored)),
                ..request(period("sub-1", "2026-01-31"))
            })
        };
        let hashes = [
            with("cus_1/pm_1"),
            with("cus_1/pm_2"),
            with("cus_2/pm_1"),
            with("pm_1"),
        ];
        for (number, hash) in hashes.iter().enumerate() {
            assert!(!hashes[number + 1..].contains(hash), "{hashes:?}");
        }
    }

    #[test]
    fn keys_and_hashes_of_orders_are_pinned() {
        // Pinned: a key that changes with a release would charge again what a retry repeats, and a
        // hash that changes would refuse it.
        let request = request(order("order-1"));
        let attempt = Attempt::of(&request);
        assert_eq!(attempt.key(), "partner-de2e90f246ea8c6543edd44341049744");
        assert_eq!(
            parameters_hash(&request),
            "4543a15137421ccf11108a4fc513e961bf77b86f4315f3fa3d1b492b3f756dc9"
        );
        let second = Attempt {
            number: 2,
            ..attempt
        };
        assert_ne!(attempt.key(), second.key());
    }

    #[test]
    fn subjects_share_no_key() {
        let order = request(order("sub-1"));
        let subscription = request(period("sub-1", "2026-01-31"));
        assert_ne!(Attempt::of(&order).key(), Attempt::of(&subscription).key());
    }
}
