//! Every step that fails, and every undo step that fails at first.

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use partner_core::error::ErrorCode;
use partner_tests::books::{Books, NOT_PAID, PAID};
use partner_tests::faults::ActivityFault;
use partner_tests::stage::{Stage, on_stage};

/// A step that fails for good, and what must come of it.
struct Case {
    activity: &'static str,
    fault: ActivityFault,
    code: ErrorCode,
    books: Books,
}

fn case(activity: &'static str, code: ErrorCode, books: Books) -> Case {
    Case {
        activity,
        fault: ActivityFault::for_good(code),
        code,
        books,
    }
}

/// Every step, refused for good and failing for as long as it is tried.
fn cases() -> Vec<Case> {
    let not_charged = || Books::not_charged("payment_failed", &[NOT_PAID]);
    let given_back = |mails| Books::given_back("payment_failed", mails);
    let exhausted = |case: Case| Case {
        fault: ActivityFault::times(case.code, 5),
        ..case
    };
    vec![
        case(
            "validatePayment",
            ErrorCode::DatabaseError,
            Books::untouched(),
        ),
        exhausted(case(
            "validatePayment",
            ErrorCode::DatabaseError,
            Books::untouched(),
        )),
        case("reserveInventory", ErrorCode::DatabaseError, not_charged()),
        exhausted(case(
            "reserveInventory",
            ErrorCode::DatabaseError,
            not_charged(),
        )),
        case(
            "processPaymentGateway",
            ErrorCode::PaymentFailed,
            not_charged(),
        ),
        case(
            "processPaymentGateway",
            ErrorCode::GatewayError,
            not_charged(),
        ),
        exhausted(case(
            "processPaymentGateway",
            ErrorCode::GatewayError,
            not_charged(),
        )),
        case(
            "updateOrderStatus",
            ErrorCode::DatabaseError,
            given_back(&[NOT_PAID]),
        ),
        case(
            "triggerFulfillment",
            ErrorCode::ExternalServiceError,
            given_back(&[NOT_PAID, PAID]),
        ),
        exhausted(case(
            "triggerFulfillment",
            ErrorCode::ExternalServiceError,
            given_back(&[NOT_PAID, PAID]),
        )),
    ]
}

#[test]
fn compensates_whichever_step_fails() -> Result<()> {
    on_stage(async |stage| {
        try_join_all(cases().iter().map(|case| fails(stage, case))).await?;
        Ok(())
    })
}

async fn fails(stage: &Stage, case: &Case) -> Result<()> {
    let order = stage.order("order").await?;
    stage
        .faults
        .set(&order.workflow_id(), case.activity, case.fault);
    let process = stage.pay(&order).await?;
    stage
        .fails(&order, &process, case.code, &case.books)
        .await
        .with_context(|| format!("{} {:?}", case.activity, case.fault))?;
    let status = process.query("getStatus").await?;
    ensure!(
        status["status"] == "failed" && status["error"] == "injected fault",
        "{}: {status}",
        case.activity
    );
    Ok(())
}

#[test]
fn a_failed_confirmation_mail_is_only_a_warning() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let fault = ActivityFault::for_good(ErrorCode::ExternalServiceError);
        stage.faults.set(&order.workflow_id(), "sendEmail", fault);
        let process = stage.pay(&order).await?;
        let books = Books {
            mails: Vec::new(),
            ..Books::paid()
        };
        let result = stage.completes(&order, &process, &books).await?;
        let message = "Payment processed successfully; the confirmation mail could not be sent: injected fault";
        assert_eq!(result["message"], message);
        Ok(())
    })
}

/// The undo steps, after a hand-over that fails: how often each is called before, how often it fails.
const UNDO_STEPS: [(&str, u32, u32); 5] = [
    ("releaseInventory", 0, 7),
    ("refundPayment", 0, 7),
    ("cancelFulfillment", 0, 7),
    ("updateOrderStatus", 1, 7),
    // The mail is not tried for ever: telling the buyer late helps nobody.
    ("sendEmail", 1, 2),
];

#[test]
fn undo_steps_are_tried_until_they_succeed() -> Result<()> {
    on_stage(async |stage| {
        try_join_all(UNDO_STEPS.iter().map(|step| undoes_in_the_end(stage, step))).await?;
        Ok(())
    })
}

async fn undoes_in_the_end(
    stage: &Stage,
    &(activity, spared, times): &(&'static str, u32, u32),
) -> Result<()> {
    let order = stage.order("order").await?;
    let id = order.workflow_id();
    stage.faults.set(
        &id,
        "triggerFulfillment",
        ActivityFault::for_good(ErrorCode::ExternalServiceError),
    );
    stage.faults.set(
        &id,
        activity,
        ActivityFault::times(ErrorCode::Unknown, times).after(spared),
    );
    let process = stage.pay(&order).await?;
    let books = Books::given_back("payment_failed", &[NOT_PAID, PAID]);
    stage
        .fails(&order, &process, ErrorCode::ExternalServiceError, &books)
        .await
        .context(activity)?;
    let details = process.query("getDetails").await?;
    ensure!(
        details["undoFailures"]
            .as_array()
            .is_some_and(Vec::is_empty),
        "{activity}: {details}"
    );
    Ok(())
}

#[test]
fn undo_steps_that_cannot_be_done_are_reported_and_stop_no_other() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let id = order.workflow_id();
        stage.faults.set(
            &id,
            "triggerFulfillment",
            ActivityFault::for_good(ErrorCode::ExternalServiceError),
        );
        stage.faults.set(
            &id,
            "sendEmail",
            ActivityFault::for_good(ErrorCode::Unknown).after(1),
        );
        let process = stage.pay(&order).await?;
        let books = Books::given_back("payment_failed", &[PAID]);
        let message = stage
            .fails(&order, &process, ErrorCode::ExternalServiceError, &books)
            .await?;
        assert!(
            message.contains("undo step sendEmail failed: injected fault"),
            "{message}"
        );
        let details = process.query("getDetails").await?;
        assert_eq!(
            details["undoFailures"],
            serde_json::json!(["sendEmail: injected fault"])
        );
        Ok(())
    })
}

/// Every activity of a payment that goes well, and of one that is undone.
const ACTIVITIES: [&str; 9] = [
    "validatePayment",
    "reserveInventory",
    "processPaymentGateway",
    "updateOrderStatus",
    "triggerFulfillment",
    "sendEmail",
    "releaseInventory",
    "refundPayment",
    "cancelFulfillment",
];

#[test]
fn repeated_activities_are_idempotent() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        for activity in ACTIVITIES {
            stage
                .faults
                .set(&order.workflow_id(), activity, ActivityFault::answer_lost());
        }
        let process = stage.pay(&order).await?;
        stage.completes(&order, &process, &Books::paid()).await?;
        Ok(())
    })
}

#[test]
fn repeated_undo_steps_are_idempotent() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let id = order.workflow_id();
        for activity in ACTIVITIES {
            stage
                .faults
                .set(&id, activity, ActivityFault::answer_lost());
        }
        stage.faults.set(
            &id,
            "updateOrderStatus",
            ActivityFault::answer_lost().after(1),
        );
        stage.faults.set(
            &id,
            "triggerFulfillment",
            ActivityFault::for_good(ErrorCode::ExternalServiceError),
        );
        let process = stage.pay(&order).await?;
        let books = Books::given_back("payment_failed", &[NOT_PAID, PAID]);
        stage
            .fails(&order, &process, ErrorCode::ExternalServiceError, &books)
            .await?;
        Ok(())
    })
}
