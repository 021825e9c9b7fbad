//! What is not charged.

use anyhow::Result;
use partner_core::error::ErrorCode;
use partner_tests::branches::subscription_payment::{WORKFLOW, bill};
use partner_tests::stage::{on_stage, payload};
use serde_json::json;

#[test]
fn a_subscription_that_is_not_active_is_not_charged() -> Result<()> {
    on_stage(async |stage| {
        for status in ["suspended", "cancelled", "expired"] {
            let subscription = stage.subscription().await?;
            stage.become_(&subscription, status).await?;
            let result = stage
                .result(&bill(stage, &subscription, "1").await?)
                .await?;
            let expected = json!({ "success": false, "message": "Subscription is not active" });
            assert_eq!(result, expected, "{status}");
            assert!(stage.charges(&subscription).await?.is_empty(), "{status}");
        }
        Ok(())
    })
}

#[test]
fn input_that_disagrees_with_the_subscription_is_refused_and_names_the_field() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        for (field, value) in [
            ("amount", json!(10)),
            ("currency", json!("USD")),
            ("billingPeriod", json!("yearly")),
            ("userId", json!("someone-else")),
        ] {
            let mut input = subscription.input();
            input[field] = value;
            let process = stage
                .start_raw(
                    WORKFLOW,
                    &subscription.run(field),
                    vec![payload(&input)],
                    |_| {},
                )
                .await?;
            let message = stage.failure(&process, ErrorCode::ValidationError).await?;
            assert!(message.contains(field), "{field}: {message}");
        }
        assert!(stage.charges(&subscription).await?.is_empty());
        Ok(())
    })
}

#[test]
fn bad_input_fails_at_once_and_names_the_field() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        for (field, value) in [
            ("amount", json!("9.99")),
            ("amount", json!(9.999)),
            ("currency", json!("GBP")),
            ("billingPeriod", json!("daily")),
            ("subscriptionId", json!(7)),
        ] {
            let mut input = subscription.input();
            input[field] = value;
            let process = stage
                .start_raw(
                    WORKFLOW,
                    &subscription.run(field),
                    vec![payload(&input)],
                    |_| {},
                )
                .await?;
            let message = stage.failure(&process, ErrorCode::ValidationError).await?;
            assert!(message.contains(field), "{field}: {message}");
        }
        Ok(())
    })
}

#[test]
fn a_subscription_that_does_not_exist_is_refused() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        let mut input = subscription.input();
        input["subscriptionId"] = json!("no-such-subscription");
        let process = stage
            .start(WORKFLOW, &subscription.run("none"), &input)
            .await?;
        let message = stage.failure(&process, ErrorCode::ValidationError).await?;
        assert!(message.contains("no-such-subscription"), "{message}");
        Ok(())
    })
}

#[test]
fn what_is_paid_already_answers_with_the_charge_that_paid_it() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription_from(stage.now().await?, None).await?;
        let first = stage
            .result(&bill(stage, &subscription, "1").await?)
            .await?;
        let again = stage
            .result(&bill(stage, &subscription, "2").await?)
            .await?;
        assert_eq!(again["success"], true);
        assert_eq!(again["transactionId"], first["transactionId"]);
        assert_eq!(again["nextPaymentDate"], first["nextPaymentDate"]);
        assert_eq!(stage.charges(&subscription).await?.len(), 1);
        assert_eq!(stage.subjects(&subscription.user).len(), 1);
        Ok(())
    })
}
