//! When all goes well.

use anyhow::Result;
use partner_tests::books::Books;
use partner_tests::stage::on_stage;
use serde_json::json;

#[test]
fn completes() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let process = stage.pay(&order).await?;
        let result = stage.completes(&order, &process, &Books::paid()).await?;
        let transaction_id = stage.platform.gateway.payments_of(&order.id)[0].id.clone();
        let expected = json!({
            "success": true,
            "orderId": order.id,
            "transactionId": transaction_id,
            "amount": 19.99,
            "currency": "EUR",
            "message": "Payment processed successfully",
        });
        assert_eq!(result, expected);
        let mail = &stage.platform.inbox.mails_to(&order.email)[0];
        for part in [&mail.html, &mail.text] {
            let part = part.as_deref().unwrap_or_default();
            assert!(
                part.contains("19.99 EUR") && part.contains(&transaction_id),
                "{part}"
            );
        }
        assert_eq!(
            stage.shop.order(&order.id).await?.transaction_id,
            Some(transaction_id)
        );
        Ok(())
    })
}

#[test]
fn costs_at_most_30_events_and_8_billable_actions() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let process = stage.pay(&order).await?;
        stage.completes(&order, &process, &Books::paid()).await?;
        let cost = process.cost().await?;
        assert!(cost.events <= 30 && cost.actions <= 8, "{cost:?}");
        Ok(())
    })
}
