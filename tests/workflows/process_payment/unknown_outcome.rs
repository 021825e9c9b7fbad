//! A charge whose outcome stays unknown for longer than it is tried.

use anyhow::Result;
use partner_core::error::ErrorCode;
use partner_local::gateway::{Fault, FaultMode, IntentStatus, Operation};
use partner_tests::books::{Books, NOT_PAID};
use partner_tests::branches::process_payment::charged_silently;
use partner_tests::stage::on_stage;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;

#[test]
fn an_unknown_outcome_that_was_charged_is_paid_once() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        stage
            .platform
            .gateway
            .set_faults(&order.id, charged_silently());
        let process = stage.pay(&order).await?;
        stage.completes(&order, &process, &Books::paid()).await?;
        assert!(
            looked_up(&process.history().await?),
            "it was known without looking it up"
        );
        Ok(())
    })
}

#[test]
fn an_unknown_outcome_that_was_not_charged_never_is() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let faults = vec![
            Fault::new(FaultMode::DropBeforeCommit),
            Fault::new(FaultMode::Error)
                .on(Operation::Retrieve)
                .times(6),
        ];
        stage.platform.gateway.set_faults(&order.id, faults);
        let process = stage.pay(&order).await?;
        let books = Books::not_charged("payment_failed", &[NOT_PAID]);
        stage
            .fails(&order, &process, ErrorCode::GatewayError, &books)
            .await?;
        assert!(
            looked_up(&process.history().await?),
            "it was known without looking it up"
        );
        let payments = stage.platform.gateway.payments_of(&order.id);
        assert!(
            payments
                .iter()
                .all(|payment| payment.state == IntentStatus::Canceled),
            "{payments:?}"
        );
        Ok(())
    })
}

#[test]
fn a_lost_answer_is_charged_once() -> Result<()> {
    on_stage(async |stage| {
        for mode in [
            FaultMode::DropAfterCommit,
            FaultMode::ErrorAfterCommit,
            FaultMode::DropBeforeCommit,
            FaultMode::Error,
        ] {
            for operation in [Operation::Create, Operation::Confirm] {
                let order = stage.order("order").await?;
                stage
                    .platform
                    .gateway
                    .set_fault(&order.id, Fault::once(mode.clone()).on(operation));
                let process = stage.pay(&order).await?;
                stage.completes(&order, &process, &Books::paid()).await?;
            }
        }
        Ok(())
    })
}

fn looked_up(events: &[HistoryEvent]) -> bool {
    events.iter().any(|event| match &event.attributes {
        Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) => scheduled
            .activity_type
            .as_ref()
            .is_some_and(|activity| activity.name == "lookupPayment"),
        _ => false,
    })
}
