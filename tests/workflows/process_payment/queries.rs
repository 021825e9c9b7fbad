//! What `getStatus`, `getProgress` and `getDetails` answer on the way.

use anyhow::Result;
use partner_core::client::Process;
use partner_local::gateway::{Fault, FaultMode};
use partner_tests::books::Books;
use partner_tests::branches::process_payment::HOLD_FULFILLMENT;
use partner_tests::stage::{PATIENCE, on_stage};
use serde_json::{Value, json};

async fn answers(process: &Process) -> Result<(Value, Value)> {
    Ok((
        process.query("getStatus").await?,
        process.query("getProgress").await?,
    ))
}

fn expected(status: &str, step: &str, completed: u32) -> (Value, Value) {
    let progress =
        json!({ "completed": completed, "total": 5, "percent": completed * 20, "message": step });
    (json!({ "status": status, "step": step }), progress)
}

#[test]
fn queries_tell_how_far_it_is() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let (gateway, fulfillment) = (&stage.platform.gateway, &stage.platform.fulfillment);
        gateway.set_fault(&order.id, Fault::once(FaultMode::Hold));
        fulfillment.set_fault(&order.id, HOLD_FULFILLMENT);
        let process = stage.pay(&order).await?;
        gateway.wait_until_held(&order.id, PATIENCE).await?;
        assert_eq!(
            answers(&process).await?,
            expected("in_progress", "charging", 2)
        );
        let mut details = json!({
            "orderId": order.id,
            "userId": order.user_id,
            "amount": 19.99,
            "currency": "EUR",
            "attempt": 1,
            "transactionId": null,
            "cancelReason": null,
            "undoFailures": [],
        });
        assert_eq!(process.query("getDetails").await?, details);
        gateway.release(&order.id);
        fulfillment.wait_until_held(&order.id, PATIENCE).await?;
        assert_eq!(
            answers(&process).await?,
            expected("in_progress", "handing_over", 4)
        );
        fulfillment.release(&order.id);
        let result = stage.completes(&order, &process, &Books::paid()).await?;
        assert_eq!(answers(&process).await?, expected("completed", "done", 5));
        details["transactionId"] = result["transactionId"].clone();
        assert_eq!(process.query("getDetails").await?, details);
        Ok(())
    })
}
