//! The charge ledger: money moves at most once for each attempt of an order, whatever crashes.
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

use std::sync::Arc;

use partner_core::money::Money;
use partner_core::ports::payment_gateway::{
    GatewayError, GatewayPayment, NewPayment, PaymentGateway, PaymentState,
};
use sha2::{Digest, Sha256};

use crate::error::PaymentError;
use crate::model::{Charge, ChargeOutcome, ChargeRequest, ChargeState};
use crate::repository::ChargeRepository;

/// Charges and refunds, once each.
#[derive(Clone)]
pub struct ChargeLedger {
    charges: ChargeRepository,
    gateway: Arc<dyn PaymentGateway>,
}

/// What was given back, or kept from being charged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reversal {
    /// The amounts that went back to the buyer.
    pub refunded: Vec<Money>,
}

impl ChargeLedger {
    /// A ledger over these rows and this gateway.
    pub fn new(charges: ChargeRepository, gateway: Arc<dyn PaymentGateway>) -> Self {
        Self { charges, gateway }
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
                "order {} was charged {} before",
                request.order_id, charge.amount
            )));
        }
        match charge.state {
            ChargeState::Created => self.submit(request, &charge).await,
            ChargeState::Submitted => self.look_up(request, &charge).await,
            ChargeState::Succeeded => Ok(ChargeOutcome::Succeeded {
                transaction_id: gateway_id(&charge)?.to_owned(),
            }),
            ChargeState::Declined => Ok(declined(&charge)),
            ChargeState::Abandoned | ChargeState::Refunding | ChargeState::Refunded => {
                Err(PaymentError::ChargeClosed {
                    attempt: charge.attempt,
                    state: charge.state,
                })
            }
        }
    }

    /// Finds out how an attempt ended. One that was never charged is cancelled, so that it never
    /// will be: after this the answer does not change any more.
    pub async fn settle(
        &self,
        order_id: &str,
        attempt: u32,
    ) -> Result<ChargeOutcome, PaymentError> {
        let Some(charge) = self.find(order_id, attempt).await? else {
            // A worker that was only thought dead may still be on its way: it finds the door closed.
            let is_closed = self.charges.close(order_id, attempt).await?;
            let is_begun = !is_closed && self.find(order_id, attempt).await?.is_some();
            return if is_begun {
                Err(PaymentError::ConcurrentChange)
            } else {
                Ok(ChargeOutcome::NotCharged)
            };
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
            ChargeState::Submitted => self.settle_submitted(order_id, &charge).await,
            ChargeState::Succeeded => Ok(ChargeOutcome::Succeeded {
                transaction_id: gateway_id(&charge)?.to_owned(),
            }),
            ChargeState::Declined => Ok(declined(&charge)),
            ChargeState::Abandoned | ChargeState::Refunding | ChargeState::Refunded => {
                Ok(ChargeOutcome::NotCharged)
            }
        }
    }

    /// Gives back everything that was taken for an order, and settles everything that is unknown.
    pub async fn reverse(&self, order_id: &str, reason: &str) -> Result<Reversal, PaymentError> {
        let mut reversal = Reversal::default();
        for charge in self.charges.list(order_id).await? {
            let outcome = self.settle(order_id, charge.attempt).await?;
            let is_open = charge.state == ChargeState::Refunding;
            if is_open || matches!(outcome, ChargeOutcome::Succeeded { .. }) {
                self.refund(order_id, charge.attempt, reason).await?;
                reversal.refunded.push(charge.amount);
            } else if charge.state == ChargeState::Refunded {
                reversal.refunded.push(charge.amount);
            }
        }
        Ok(reversal)
    }

    async fn find(&self, order_id: &str, attempt: u32) -> Result<Option<Charge>, PaymentError> {
        let charges = self.charges.list(order_id).await?;
        Ok(charges.into_iter().find(|charge| charge.attempt == attempt))
    }

    async fn submit(
        &self,
        request: &ChargeRequest,
        charge: &Charge,
    ) -> Result<ChargeOutcome, PaymentError> {
        let key = idempotency_key(&request.order_id, charge.attempt);
        let payment = self
            .gateway
            .create_payment(&NewPayment {
                reference: reference(&request.order_id, charge.attempt),
                idempotency_key: format!("{key}-create"),
                amount: request.amount,
                method: request.method,
                user_id: request.user_id.clone(),
                order_id: request.order_id.clone(),
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
        self.confirm(&request.order_id, charge, &payment.id).await
    }

    async fn look_up(
        &self,
        request: &ChargeRequest,
        charge: &Charge,
    ) -> Result<ChargeOutcome, PaymentError> {
        let payment = self.gateway.retrieve_payment(gateway_id(charge)?).await?;
        match payment.state {
            PaymentState::RequiresConfirmation => {
                self.confirm(&request.order_id, charge, &payment.id).await
            }
            _ => self.record(&request.order_id, charge, payment).await,
        }
    }

    async fn confirm(
        &self,
        order_id: &str,
        charge: &Charge,
        gateway_id: &str,
    ) -> Result<ChargeOutcome, PaymentError> {
        let key = idempotency_key(order_id, charge.attempt);
        let payment = match self
            .gateway
            .confirm_payment(gateway_id, &format!("{key}-confirm"))
            .await
        {
            // Someone confirmed or cancelled it at the same moment: its state says which.
            Err(GatewayError::UnexpectedState { .. }) => {
                self.gateway.retrieve_payment(gateway_id).await?
            }
            answer => answer?,
        };
        self.record(order_id, charge, payment).await
    }

    /// Writes down what the gateway says of a confirmed payment.
    async fn record(
        &self,
        order_id: &str,
        charge: &Charge,
        payment: GatewayPayment,
    ) -> Result<ChargeOutcome, PaymentError> {
        match payment.state {
            PaymentState::Succeeded => {
                self.charges
                    .advance(
                        charge.id,
                        ChargeState::Submitted,
                        ChargeState::Succeeded,
                        Some(&payment.id),
                    )
                    .await?;
                Ok(ChargeOutcome::Succeeded {
                    transaction_id: payment.id,
                })
            }
            PaymentState::Declined { code, message } => {
                self.charges.decline(charge.id, &code, &message).await?;
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
                let key = idempotency_key(order_id, charge.attempt);
                self.gateway
                    .capture_payment(&payment.id, None, &format!("{key}-capture"))
                    .await?;
                Err(PaymentError::StillProcessing)
            }
            PaymentState::Processing | PaymentState::RequiresConfirmation => {
                Err(PaymentError::StillProcessing)
            }
        }
    }

    async fn settle_submitted(
        &self,
        order_id: &str,
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
        self.record(order_id, charge, payment).await
    }

    async fn refund(&self, order_id: &str, attempt: u32, reason: &str) -> Result<(), PaymentError> {
        let charge = self
            .find(order_id, attempt)
            .await?
            .ok_or(PaymentError::ConcurrentChange)?;
        if charge.state == ChargeState::Refunded {
            return Ok(());
        }
        self.charges.begin_refund(charge.id, reason).await?;
        let id = gateway_id(&charge)?;
        let refunded = self.gateway.retrieve_payment(id).await?.refunded;
        let owed = charge.amount.minor() - refunded.minor();
        let refund_id = if owed > 0 {
            // What is owed changes if someone gives a part back by hand: that is another refund.
            let key = format!("{}-refund-{owed}", idempotency_key(order_id, attempt));
            let owed = Money::from_minor(owed, charge.amount.currency());
            Some(self.gateway.refund_payment(id, owed, &key).await?.id)
        } else {
            None
        };
        self.charges
            .finish_refund(charge.id, refund_id.as_deref())
            .await
    }
}

/// Our reference for an attempt, stored at the gateway.
pub fn reference(order_id: &str, attempt: u32) -> String {
    format!("order/{order_id}/payment/{attempt}")
}

/// The stem of the gateway's idempotency keys: the same for ever, short, and of plain characters.
fn idempotency_key(order_id: &str, attempt: u32) -> String {
    let digest = Sha256::digest(reference(order_id, attempt).as_bytes());
    format!("partner-{}", hex::encode(&digest[..16]))
}

/// What a charge means: everything that, changed, would make it another charge.
fn parameters_hash(request: &ChargeRequest) -> String {
    let mut hash = Sha256::new();
    for part in [
        request.order_id.as_str(),
        request.user_id.as_str(),
        &request.amount.minor().to_string(),
        request.amount.currency().as_str(),
        request.method.as_str(),
    ] {
        // The length keeps "ab" + "c" apart from "a" + "bc".
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
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
    use partner_core::ports::payment_gateway::PaymentMethod;

    use super::*;

    fn request() -> ChargeRequest {
        ChargeRequest {
            order_id: "order-1".to_owned(),
            user_id: "user-1".to_owned(),
            amount: Money::from_minor(100, Currency::USD),
            method: PaymentMethod::Card,
            attempt: 1,
        }
    }

    #[test]
    fn hash_changes_with_every_parameter() {
        let first = parameters_hash(&request());
        assert_eq!(first, parameters_hash(&request()));
        let others = [
            ChargeRequest {
                order_id: "order-2".to_owned(),
                ..request()
            },
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
        ];
        for other in others {
            assert_ne!(first, parameters_hash(&other), "{other:?}");
        }
    }

    #[test]
    fn keys_are_stable_and_one_an_attempt() {
        // Pinned: a key that changes with a release would charge again what a retry repeats.
        assert_eq!(
            idempotency_key("order-1", 1),
            "partner-de2e90f246ea8c6543edd44341049744"
        );
        assert_ne!(idempotency_key("order-1", 1), idempotency_key("order-1", 2));
    }
}
