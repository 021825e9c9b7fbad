//! The times that the charge ledger keeps, whoever moves its rows.

use anyhow::Result;
use chrono::{DateTime, Utc};

use crate::support::{World, at};

type Times = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

impl World {
    /// Moves the one charge of the ledger, as the payment process does.
    async fn move_charge(&self, state: &str, time: &str) -> Result<Times> {
        let times = sqlx::query_as(
            "UPDATE charges SET state = $1, updated_at = $2, gateway_id = 'pi_1'
             RETURNING concluded_at, refunded_at",
        )
        .bind(state)
        .bind(at(time)?)
        .fetch_one(&self.pool)
        .await?;
        Ok(times)
    }

    async fn begin_charge(&self) -> Result<()> {
        self.run(
            "INSERT INTO charges (subject_kind, subject_id, purpose, parameters_hash, user_id,
                                  amount_minor, currency, payment_method)
             VALUES ('order', 'order-1', 'payment/1', '', 'ana', 100, 'EUR', 'card')",
        )
        .await
    }
}

#[tokio::test]
async fn a_charge_keeps_when_it_was_taken_and_when_it_went_back() -> Result<()> {
    let world = World::start().await?;
    world.begin_charge().await?;
    let taken = Some(at("2026-12-01T10:00:02Z")?);
    let returned = Some(at("2026-12-03T10:00:01Z")?);
    for (state, time, expected) in [
        ("submitted", "2026-12-01T10:00:01Z", (None, None)),
        ("succeeded", "2026-12-01T10:00:02Z", (taken, None)),
        ("refunding", "2026-12-03T10:00:00Z", (taken, None)),
        ("refunding", "2026-12-03T10:00:00Z", (taken, None)),
        ("refunded", "2026-12-03T10:00:01Z", (taken, returned)),
        // The activity ran twice.
        ("refunded", "2026-12-03T10:00:09Z", (taken, returned)),
    ] {
        assert_eq!(world.move_charge(state, time).await?, expected, "{state}");
    }
    Ok(())
}

#[tokio::test]
async fn a_charge_keeps_when_it_was_declined() -> Result<()> {
    let world = World::start().await?;
    world.begin_charge().await?;
    let declined = world
        .move_charge("declined", "2026-12-01T10:00:02Z")
        .await?;
    assert_eq!(declined, (Some(at("2026-12-01T10:00:02Z")?), None));
    Ok(())
}

#[tokio::test]
async fn a_charge_that_was_never_made_has_no_time() -> Result<()> {
    let world = World::start().await?;
    world.begin_charge().await?;
    let abandoned = world
        .move_charge("abandoned", "2026-12-01T10:00:02Z")
        .await?;
    assert_eq!(abandoned, (None, None));
    Ok(())
}
