//! The gateway's objects as its API spells them.

use serde_json::{Value, json};

use super::ledger::Event;
use super::payment::{Charge, ChargeStatus, Decline, Intent, IntentStatus, Refund};

/// A payment intent; its latest charge is an object when the caller asks for it, else an id.
pub(super) fn intent(intent: &Intent, expand_charge: bool) -> Value {
    let latest_charge = intent.latest_charge().map(|latest| {
        if expand_charge {
            charge(intent, latest)
        } else {
            json!(latest.id)
        }
    });
    let capture_method = if intent.manual_capture {
        "manual"
    } else {
        "automatic"
    };
    json!({
        "id": intent.id,
        "object": "payment_intent",
        "amount": intent.amount,
        "amount_capturable": intent.held(),
        "amount_details": { "tip": {} },
        "amount_received": intent.received(),
        "application": null,
        "application_fee_amount": null,
        "automatic_payment_methods": null,
        "canceled_at": intent.canceled_at,
        "cancellation_reason": intent.cancellation_reason,
        "capture_method": capture_method,
        "client_secret": format!("{}_secret_simulated", intent.id),
        "confirmation_method": "automatic",
        "created": intent.created,
        "currency": intent.currency,
        "customer": null,
        "description": intent.description,
        "last_payment_error": last_error(intent),
        "latest_charge": latest_charge,
        "livemode": false,
        "metadata": intent.metadata,
        "next_action": null,
        "on_behalf_of": null,
        "payment_method": intent.payment_method,
        "payment_method_options": {},
        "payment_method_types": intent.payment_method_types,
        "processing": processing(intent),
        "receipt_email": null,
        "review": null,
        "setup_future_usage": null,
        "shipping": null,
        "statement_descriptor": null,
        "statement_descriptor_suffix": null,
        "status": intent.status.as_str(),
        "transfer_data": null,
        "transfer_group": null,
    })
}

fn processing(intent: &Intent) -> Value {
    if intent.status == IntentStatus::Processing {
        json!({ "type": "card", "card": {} })
    } else {
        Value::Null
    }
}

fn last_error(intent: &Intent) -> Value {
    let Some(decline) = &intent.last_error else {
        return Value::Null;
    };
    json!({
        "charge": intent.latest_charge().map(|charge| &charge.id),
        "code": decline.code,
        "decline_code": decline.reason,
        "message": decline.message,
        "payment_method": declined_method(decline),
        "type": "card_error",
    })
}

fn declined_method(decline: &Decline) -> Value {
    let method = decline.payment_method.as_ref();
    method.map_or(
        Value::Null,
        |id| json!({ "id": id, "object": "payment_method", "type": "card" }),
    )
}

/// A charge of an intent.
fn charge(intent: &Intent, charge: &Charge) -> Value {
    let succeeded = charge.status == ChargeStatus::Succeeded;
    let failure = charge.failure.as_ref();
    json!({
        "id": charge.id,
        "object": "charge",
        "amount": charge.amount,
        "amount_captured": charge.captured,
        "amount_refunded": charge.refunded,
        "captured": charge.captured > 0,
        "created": charge.created,
        "currency": intent.currency,
        "failure_code": failure.map(|decline| &decline.code),
        "failure_message": failure.map(|decline| &decline.message),
        "livemode": false,
        "metadata": intent.metadata,
        "outcome": {
            "network_status": if failure.is_some() { "declined_by_network" } else { "approved_by_network" },
            "reason": failure.map(|decline| &decline.reason),
            "type": if failure.is_some() { "issuer_declined" } else { "authorized" },
        },
        "paid": succeeded,
        "payment_intent": intent.id,
        "payment_method": intent.payment_method,
        // As the gateway documents it: whether all of it went back.
        "refunded": charge.captured > 0 && charge.refunded == charge.captured,
        "status": charge.status,
    })
}

/// A refund.
pub(super) fn refund(refund: &Refund) -> Value {
    json!({
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "balance_transaction": null,
        "charge": refund.charge,
        "created": refund.created,
        "currency": refund.currency,
        "metadata": refund.metadata,
        "payment_intent": refund.intent,
        "reason": refund.reason,
        "receipt_number": null,
        "source_transfer_reversal": null,
        "status": "succeeded",
        "transfer_reversal": null,
    })
}

/// A page of a list.
pub(super) fn list(url: &str, data: Vec<Value>, has_more: bool) -> Value {
    json!({ "object": "list", "url": url, "has_more": has_more, "data": data })
}

/// A page of search results.
pub(super) fn search_result(url: &str, data: Vec<Value>, has_more: bool) -> Value {
    json!({
        "object": "search_result",
        "url": url,
        "has_more": has_more,
        "next_page": null,
        "data": data,
    })
}

/// An event as it is posted to a webhook.
pub(super) fn event(id: &str, created: i64, event: &Event) -> Value {
    let (kind, object) = match event {
        Event::Succeeded(paid) => ("payment_intent.succeeded", intent(paid, false)),
        Event::Failed(failed) => ("payment_intent.payment_failed", intent(failed, false)),
        Event::Refunded(refunded) => {
            let charged = refunded.good_charge();
            let object = charged.map_or(Value::Null, |latest| charge(refunded, latest));
            ("charge.refunded", object)
        }
    };
    json!({
        "id": id,
        "object": "event",
        "api_version": "2025-03-31.basil",
        "created": created,
        "data": { "object": object },
        "livemode": false,
        "pending_webhooks": 1,
        "request": { "id": null, "idempotency_key": null },
        "type": kind,
    })
}
