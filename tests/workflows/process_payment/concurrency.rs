//! Many buyers at once.

use anyhow::Result;
use futures::future::try_join_all;
use partner_core::client::Ended;
use partner_core::error::ErrorCode;
use partner_tests::books::{Books, NOT_PAID};
use partner_tests::stage::on_stage;

const BUYERS: usize = 50;

#[test]
fn fifty_orders_for_the_last_article_are_paid_once() -> Result<()> {
    on_stage(async |stage| {
        let sku = stage.unique("last-one");
        stage.shop.add_stock(&sku, 1).await?;
        let outcomes = try_join_all((0..BUYERS).map(async |_| {
            let order = stage.order_of("buyer", &sku).await?;
            let process = stage.pay(&order).await?;
            let outcome = match stage.ended(&process).await? {
                Ended::Completed(_) => None,
                Ended::Failed { code, .. } => Some(code),
                other => anyhow::bail!("{}: {other:?}", order.id),
            };
            anyhow::Ok((order, outcome))
        }))
        .await?;
        let mut paid = 0;
        for (order, outcome) in &outcomes {
            let books = match outcome {
                None => Books::paid(),
                Some(code) => {
                    assert_eq!(*code, ErrorCode::InventoryUnavailable, "{}", order.id);
                    Books::not_charged("payment_failed", &[NOT_PAID])
                }
            };
            paid += usize::from(outcome.is_none());
            stage
                .has(
                    order,
                    &Books {
                        on_hand: 0,
                        ..books
                    },
                )
                .await?;
        }
        assert_eq!((paid, outcomes.len()), (1, BUYERS));
        Ok(())
    })
}
