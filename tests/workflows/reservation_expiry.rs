//! `reservationExpiryWorkflow`.

use anyhow::Result;
use partner_tests::branches::reservation_expiry::WORKFLOW;
use partner_tests::orders::STOCK;
use partner_tests::stage::on_stage;
use serde_json::json;

#[test]
fn stock_that_is_held_too_long_is_free_again() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        stage.shop.hold_too_long(&order.id, &order.sku).await?;
        let process = stage
            .start(WORKFLOW, &stage.unique("expiry"), &json!({}))
            .await?;
        let result = stage.result(&process).await?;
        assert_eq!(result["success"], true);
        let stock = stage.shop.stock(&order.sku).await?;
        assert_eq!((stock.on_hand, stock.reserved), (STOCK, 0));
        assert_eq!(process.query("getStatus").await?["status"], "completed");
        assert_eq!(process.query("getProgress").await?["percent"], 100);
        let details = process.query("getDetails").await?;
        assert_eq!(details["reservations"], result["reservations"]);
        let cost = process.cost().await?;
        assert!(cost.events <= 6 && cost.actions <= 2, "{cost:?}");
        Ok(())
    })
}

#[test]
fn an_order_that_is_paid_after_all_takes_its_article_anew() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        stage.shop.hold_too_long(&order.id, &order.sku).await?;
        let process = stage
            .start(WORKFLOW, &stage.unique("expiry"), &json!({}))
            .await?;
        stage.result(&process).await?;
        stage.result(&stage.pay(&order).await?).await?;
        let stock = stage.shop.stock(&order.sku).await?;
        assert_eq!((stock.on_hand, stock.reserved), (STOCK - 1, 0));
        Ok(())
    })
}
