//! The gateway's books: what may become of payments, and what was done with them.
//!
//! No clock, no socket, no fault lives here: time and the issuer's word come from the caller.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::payment::{Charge, ChargeStatus, Decline, Intent, IntentStatus, Refund, Settlement};
use super::problem::Problem;

/// What an intent is created with.
#[derive(Debug)]
pub(super) struct NewIntent {
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) manual_capture: bool,
    pub(super) payment_method: Option<String>,
    pub(super) payment_method_types: Vec<String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) description: Option<String>,
}

/// What a refund is made with.
#[derive(Debug)]
pub(super) struct NewRefund {
    pub(super) intent: String,
    /// Without it, all that is left.
    pub(super) amount: Option<i64>,
    pub(super) reason: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
}

/// What the issuer says about a charge.
#[derive(Debug, Clone)]
pub(super) enum Verdict {
    Approved,
    Declined(Decline),
    /// Not decided yet.
    Pending {
        retrieves: u32,
        decline: Option<Decline>,
    },
}

/// What happened, for the webhooks.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Succeeded(Intent),
    Failed(Intent),
    Refunded(Intent),
}

/// Everything that the gateway knows about money.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Ledger {
    /// Makes the ids of this simulator unlike those of every other.
    seed: String,
    last_number: u64,
    /// The oldest first; none is ever removed.
    intents: Vec<Intent>,
    refunds: Vec<Refund>,
    #[serde(skip)]
    places: BTreeMap<String, usize>,
    #[serde(skip)]
    events: Vec<Event>,
    /// Whether something may have changed since it was last asked.
    #[serde(skip)]
    changed: bool,
}

impl Ledger {
    /// Empty books; `seed` sets their ids apart.
    pub(super) fn new(seed: String) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    /// Finds everything again after the books were read from a file.
    pub(super) fn index(&mut self) {
        let numbered = self.intents.iter().enumerate();
        self.places = numbered
            .map(|(place, intent)| (intent.id.clone(), place))
            .collect();
    }

    /// The oldest first.
    pub(super) fn intents(&self) -> &[Intent] {
        &self.intents
    }

    /// The oldest first.
    pub(super) fn refunds(&self) -> &[Refund] {
        &self.refunds
    }

    pub(super) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    pub(super) fn intent(&self, id: &str) -> Result<&Intent, Problem> {
        let place = self.places.get(id).copied();
        let intent = place.and_then(|place| self.intents.get(place));
        intent.ok_or_else(|| Problem::missing("payment_intent", "intent", id))
    }

    fn intent_mut(&mut self, id: &str) -> Result<&mut Intent, Problem> {
        self.changed = true;
        let place = self.places.get(id).copied();
        let intent = place.and_then(|place| self.intents.get_mut(place));
        intent.ok_or_else(|| Problem::missing("payment_intent", "intent", id))
    }

    fn new_id(&mut self, prefix: &str) -> String {
        self.last_number += 1;
        let digest = Sha256::digest(format!("{}/{}", self.seed, self.last_number));
        let mut text = hex::encode(digest);
        text.truncate(24);
        format!("{prefix}_{text}")
    }

    /// Writes down an intent; no money moves.
    pub(super) fn create(&mut self, new: NewIntent, now: i64) -> String {
        self.changed = true;
        let id = self.new_id("pi");
        let status = if new.payment_method.is_some() {
            IntentStatus::RequiresConfirmation
        } else {
            IntentStatus::RequiresPaymentMethod
        };
        self.places.insert(id.clone(), self.intents.len());
        self.intents.push(Intent {
            id: id.clone(),
            amount: new.amount,
            currency: new.currency,
            manual_capture: new.manual_capture,
            payment_method: new.payment_method,
            payment_method_types: new.payment_method_types,
            metadata: new.metadata,
            description: new.description,
            status,
            created: now,
            canceled_at: None,
            cancellation_reason: None,
            last_error: None,
            charges: Vec::new(),
            settlement: None,
        });
        id
    }

    /// Charges an intent. The issuer is only asked when the intent's status allows the charge.
    pub(super) fn confirm(
        &mut self,
        id: &str,
        payment_method: Option<String>,
        now: i64,
        ask_issuer: impl FnOnce(&Intent) -> Verdict,
    ) -> Result<(), Problem> {
        let charge_id = self.new_id("ch");
        let intent = self.intent_mut(id)?;
        if let Some(refusal) = confirm_refusal(intent, payment_method.as_deref()) {
            return Err(Problem::unexpected_state(intent, &refusal));
        }
        if payment_method.is_some() {
            intent.payment_method = payment_method;
        }
        let verdict = ask_issuer(intent);
        intent.charges.push(Charge {
            id: charge_id,
            amount: intent.amount,
            captured: 0,
            refunded: 0,
            status: ChargeStatus::Pending,
            created: now,
            failure: None,
        });
        let decline = match verdict {
            Verdict::Pending { retrieves, decline } => {
                intent.status = IntentStatus::Processing;
                intent.settlement = Some(Settlement {
                    retrieves_left: retrieves,
                    decline,
                });
                return Ok(());
            }
            Verdict::Approved => None,
            Verdict::Declined(decline) => Some(decline),
        };
        intent.settle(decline.clone());
        let intent = intent.clone();
        self.report_charge(&intent);
        decline.map_or(Ok(()), |decline| Err(Problem::card(&intent, &decline)))
    }

    /// Takes authorised money, all of it or a part; the rest is let go.
    pub(super) fn capture(&mut self, id: &str, amount: Option<i64>) -> Result<(), Problem> {
        let intent = self.intent_mut(id)?;
        if intent.status != IntentStatus::RequiresCapture {
            let message = format!(
                "This PaymentIntent could not be captured because it has a status of {}. Only a \
                 PaymentIntent with one of the following statuses may be captured: \
                 requires_capture.",
                intent.status.as_str()
            );
            return Err(Problem::unexpected_state(intent, &message));
        }
        let amount = amount.unwrap_or(intent.amount);
        if amount > intent.amount {
            let message = "The amount to capture is larger than the amount authorised.";
            return Err(Problem::parameter(
                "amount_too_large",
                "amount_to_capture",
                message,
            ));
        }
        intent.status = IntentStatus::Succeeded;
        if let Some(charge) = intent.charges.last_mut() {
            charge.captured = amount;
        }
        let intent = intent.clone();
        self.report_charge(&intent);
        Ok(())
    }

    /// Makes sure that an intent is never charged, and lets authorised money go.
    pub(super) fn cancel(
        &mut self,
        id: &str,
        reason: Option<String>,
        now: i64,
    ) -> Result<(), Problem> {
        let intent = self.intent_mut(id)?;
        if !matches!(
            intent.status,
            IntentStatus::RequiresPaymentMethod
                | IntentStatus::RequiresConfirmation
                | IntentStatus::RequiresCapture
        ) {
            let message = format!(
                "You cannot cancel this PaymentIntent because it has a status of {}. Only a \
                 PaymentIntent with one of the following statuses may be canceled: \
                 requires_payment_method, requires_capture, requires_confirmation, \
                 requires_action.",
                intent.status.as_str()
            );
            return Err(Problem::unexpected_state(intent, &message));
        }
        intent.status = IntentStatus::Canceled;
        intent.canceled_at = Some(now);
        intent.cancellation_reason = reason;
        Ok(())
    }

    /// Gives money back: never more than was taken and not yet given back.
    pub(super) fn refund(&mut self, new: NewRefund, now: i64) -> Result<Refund, Problem> {
        let refund_id = self.new_id("re");
        let intent = self.intent_mut(&new.intent)?;
        let currency = intent.currency.clone();
        let taken = |charge: &&mut Charge| charge.captured > 0;
        let Some(charge) = intent.charges.iter_mut().find(taken) else {
            return Err(Problem::not_charged(&new.intent));
        };
        let left = charge.captured - charge.refunded;
        if left == 0 {
            return Err(Problem::already_refunded(&charge.id));
        }
        let amount = new.amount.unwrap_or(left);
        if amount > left {
            return Err(Problem::refund_too_large(amount, left, &currency));
        }
        charge.refunded += amount;
        let refund = Refund {
            id: refund_id,
            intent: new.intent,
            charge: charge.id.clone(),
            amount,
            currency,
            created: now,
            reason: new.reason,
            metadata: new.metadata,
        };
        let intent = intent.clone();
        self.events.push(Event::Refunded(intent));
        self.refunds.push(refund.clone());
        Ok(refund)
    }

    /// Brings a charge under way closer to its end.
    pub(super) fn progress(&mut self, id: &str) -> Result<(), Problem> {
        if self.intent(id)?.settlement.is_none() {
            return Ok(());
        }
        let intent = self.intent_mut(id)?;
        match intent.settlement.take() {
            Some(settlement) if settlement.retrieves_left > 0 => {
                intent.settlement = Some(Settlement {
                    retrieves_left: settlement.retrieves_left - 1,
                    ..settlement
                });
            }
            Some(settlement) => {
                intent.settle(settlement.decline);
                let intent = intent.clone();
                self.report_charge(&intent);
            }
            None => {}
        }
        Ok(())
    }

    fn report_charge(&mut self, intent: &Intent) {
        match intent.status {
            IntentStatus::Succeeded => self.events.push(Event::Succeeded(intent.clone())),
            IntentStatus::RequiresPaymentMethod => self.events.push(Event::Failed(intent.clone())),
            _ => {}
        }
    }
}

/// Why an intent cannot be confirmed as it is, if it cannot.
fn confirm_refusal(intent: &Intent, payment_method: Option<&str>) -> Option<String> {
    let method_known = payment_method.is_some() || intent.payment_method.is_some();
    let refusal = match intent.status {
        IntentStatus::RequiresConfirmation | IntentStatus::RequiresPaymentMethod
            if method_known =>
        {
            return None;
        }
        IntentStatus::RequiresConfirmation | IntentStatus::RequiresPaymentMethod => {
            "it's missing a payment method. You can either update the PaymentIntent with a payment \
             method and then confirm it again, or confirm it again directly with a payment method."
        }
        IntentStatus::Succeeded => "it has already succeeded after being previously confirmed.",
        IntentStatus::Canceled => "it has a status of canceled.",
        IntentStatus::Processing => "it has a status of processing.",
        IntentStatus::RequiresCapture => "it has a status of requires_capture.",
    };
    Some(format!(
        "You cannot confirm this PaymentIntent because {refusal}"
    ))
}
