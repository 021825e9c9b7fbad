//! The sweeps over what is due: what they started, and that a second one starts nothing again.

use chrono::{DateTime, Utc};
use futures::try_join;
use partner_local::gateway::{Fault, FaultMode};
use partner_local::shop::{NewOrder, NewSubscription};
use serde::Serialize;
use serde_json::{Value, json};

use super::listings::{Listing, approve};
use super::stage::{Row, Run, Stage, Start};
use crate::output;

/// What every subscription costs, in minor units.
const PRICE: i64 = 999;

/// Everything here was due long before anything else of the demo is: nothing else is swept.
const LONG_AGO: &str = "2001-01-01T00:00:00Z";
const AS_OF: &str = "2001-01-02T00:00:00Z";

/// What a sweep did, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Swept {
    /// How many workflows it started, or how many reservations it took back.
    started: u64,
    /// What became of each thing that was due.
    became: Vec<String>,
    /// What the gateway holds of it, in minor units.
    pub(crate) held_minor: i64,
}

/// Plays every story.
pub(crate) async fn all(stage: &Stage<'_>) -> anyhow::Result<Vec<Row<Swept>>> {
    let (subscriptions, listings, reservations) =
        try_join!(subscriptions(stage), listings(stage), reservations(stage))?;
    Ok([subscriptions, listings, reservations]
        .into_iter()
        .flatten()
        .collect())
}

fn long_ago() -> anyhow::Result<DateTime<Utc>> {
    Ok(LONG_AGO.parse()?)
}

/// One is paid and one is declined; nobody is asked again an hour later.
async fn subscriptions(stage: &Stage<'_>) -> anyhow::Result<Vec<Row<Swept>>> {
    let ids = ["due-1", "due-2"];
    for id in ids {
        let email = format!("{id}@example.com");
        stage.shop.add_user(id, &email, "Ana").await?;
        let subscription = NewSubscription {
            id,
            user_id: id,
            plan: "Pro",
            amount_minor: PRICE,
            currency: "EUR",
            billing_period: "monthly",
            payment_method: "card",
            stored_method: None,
            anchor_date: long_ago()?,
            next_payment_date: None,
        };
        stage.shop.add_subscription(&subscription).await?;
    }
    let code = "insufficient_funds".to_owned();
    let decline = Fault::new(FaultMode::Decline { code });
    stage.platform.gateway.set_fault(ids[1], decline);
    let workflow = "dueSubscriptionsWorkflow";
    let mut rows = Vec::new();
    for (name, started) in [("two subscriptions are due", 2), ("an hour later", 0)] {
        let (run, started_now) = sweep(stage, workflow, name).await?;
        let mut found = Swept {
            started: started_now,
            ..Swept::default()
        };
        let mut expected = Swept {
            started,
            ..Swept::default()
        };
        if started > 0 {
            for id in ids {
                let process = format!("subscription-payment-{id}-2001-01-01");
                stage.ended(&stage.client.process(&process)).await?;
                let row = stage.shop.subscription(id).await?;
                found.became.push(match row.retry_at {
                    None => "paid".to_owned(),
                    Some(_) => "declined".to_owned(),
                });
                let payments = stage.platform.gateway.payments_of(id);
                let held = payments.iter().map(|paid| paid.received - paid.refunded);
                found.held_minor += held.sum::<i64>();
            }
            expected.became = ["paid", "declined"].map(str::to_owned).to_vec();
            expected.held_minor = PRICE;
        }
        rows.push(Row::compare(run, found, "swept", &expected)?);
    }
    Ok(rows)
}

/// Its date was written by another service, and nobody followed it.
async fn listings(stage: &Stage<'_>) -> anyhow::Result<Vec<Row<Swept>>> {
    let listing = Listing::new(stage, "overdue".to_owned()).await?;
    approve(stage, &listing).await?;
    stage.shop.date_listing(&listing.id, long_ago()?).await?;
    let name = "a listing's date has passed";
    let (run, started) = sweep(stage, "expiringListingsWorkflow", name).await?;
    let process = format!("listing-expiration-{}", listing.id);
    stage.ended(&stage.client.process(&process)).await?;
    let seen = listing.seen(stage).await?;
    let found = Swept {
        started,
        became: seen.status.into_iter().collect(),
        held_minor: 0,
    };
    let expected = Swept {
        started: 1,
        became: vec!["expired".to_owned()],
        held_minor: 0,
    };
    Ok(vec![Row::compare(run, found, "swept", &expected)?])
}

/// An order that is not paid holds its article for longer than it may.
async fn reservations(stage: &Stage<'_>) -> anyhow::Result<Vec<Row<Swept>>> {
    let id = "forgotten";
    stage
        .shop
        .add_user(id, "forgotten@example.com", "Ana")
        .await?;
    stage.shop.add_stock(id, 1).await?;
    let order = NewOrder {
        id,
        user_id: id,
        amount_minor: 1_000,
        currency: "EUR",
        sku: id,
        quantity: 1,
    };
    stage.shop.place(&order).await?;
    stage.shop.hold_too_long(id, id).await?;
    let input = json!({});
    let start = stage.start(("reservationExpiryWorkflow", "expiry"), &input, Start::Once);
    let name = "stock is held for too long";
    let (run, result) = stage.watch((name, &input), start, word).await?;
    let stock = stage.shop.stock(id).await?;
    let found = Swept {
        started: result["reservations"].as_u64().unwrap_or_default(),
        became: vec![format!("{} free", stock.on_hand - stock.reserved)],
        held_minor: 0,
    };
    let expected = Swept {
        started: 1,
        became: vec!["1 free".to_owned()],
        held_minor: 0,
    };
    Ok(vec![Row::compare(run, found, "swept", &expected)?])
}

/// Sweeps to the end; how many workflows were started.
async fn sweep(
    stage: &Stage<'_>,
    workflow: &str,
    name: &'static str,
) -> anyhow::Result<(Run, u64)> {
    let input = json!({ "asOf": AS_OF });
    let id = format!("{workflow}: {name}");
    let start = stage.start((workflow, &id), &input, Start::Once);
    let (run, result) = stage.watch((name, &input), start, word).await?;
    let started = result["counts"]["started"].as_u64().unwrap_or_default();
    Ok((run, started))
}

fn word(result: &Value) -> String {
    let swept = result["success"] == true;
    if swept { "swept" } else { "not all" }.to_owned()
}

/// The rows for a person.
pub(crate) fn table(rows: &[Row<Swept>]) -> String {
    let header = ["", "SWEEP", "OUTCOME", "STARTED", "BECAME", "MS", "EVENTS"];
    let cells = rows.iter().map(|row| {
        [
            row.mark(),
            row.run.name.to_owned(),
            row.run.outcome.clone(),
            row.found.started.to_string(),
            row.found.became.join(", "),
            row.run.milliseconds.to_string(),
            row.run.events.to_string(),
        ]
    });
    output::table(header, cells)
}
