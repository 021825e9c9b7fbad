//! The branches of `reservationExpiryWorkflow`.

use anyhow::{Result, bail};
use partner_core::client::Process;
use serde_json::json;

use crate::orders::Order;
use crate::stage::Stage;

/// The workflow's type.
pub const WORKFLOW: &str = "reservationExpiryWorkflow";

/// Every branch, as its recorded history is called.
pub const BRANCHES: [&str; 2] = ["completed", "bad_input"];

/// Starts a run that takes this branch.
pub async fn begin(stage: &Stage, branch: &str) -> Result<Process> {
    let input = match branch {
        "completed" => {
            held_too_long(stage, &stage.order("order").await?).await?;
            json!({})
        }
        "bad_input" => json!({ "continued": 1 }),
        other => bail!("unknown branch {other}"),
    };
    stage.start(WORKFLOW, &stage.unique("expiry"), &input).await
}

/// Lets an order that is not paid hold one piece of its article, for longer than it may.
pub async fn held_too_long(stage: &Stage, order: &Order) -> Result<()> {
    let mut transaction = stage.shop.pool().begin().await?;
    sqlx::query("UPDATE inventory SET reserved = reserved + 1 WHERE sku = $1")
        .bind(&order.sku)
        .execute(&mut *transaction)
        .await?;
    sqlx::query(
        "INSERT INTO inventory_reservations (order_id, sku, quantity, state, expires_at)
         VALUES ($1, $2, 1, 'held', now() - interval '1 second')",
    )
    .bind(&order.id)
    .bind(&order.sku)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}
