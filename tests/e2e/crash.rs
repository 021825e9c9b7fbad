//! A worker that is killed in the middle of a call to another system.

use std::collections::BTreeSet;

use futures::future::join_all;
use partner_local::fulfillment::{FulfillmentFault, FulfillmentFaultMode};
use partner_local::gateway::{Fault, FaultMode, Operation};
use partner_local::inbox::{MailFault, MailFaultMode};
use sqlx::{Postgres, Transaction};

use crate::support::{Host, PATIENCE, Stage, attempts, in_time, on_platform, until};

/// Where the worker is killed. The other system has done its part, and nobody was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// The database is about to reserve the stock.
    Reserving,
    /// The gateway made the payment; no money moved yet.
    Created,
    /// The gateway took the money.
    Charged,
    /// The money is taken, and the order is about to be marked paid.
    MarkingPaid,
    /// The goods are on their way.
    HandedOver,
    /// The relay took the mail.
    Mailed,
}

/// A row of the database that nobody else can change until this is dropped.
struct RowLock {
    transaction: Transaction<'static, Postgres>,
    backend: i32,
}

impl RowLock {
    async fn take(stage: &Stage, table: &'static str, key: &'static str) -> Self {
        let mut transaction = stage.shop().pool().begin().await.expect("a transaction");
        let statement = format!("SELECT pg_backend_pid() FROM {table} WHERE {key} = $1 FOR UPDATE");
        let backend = sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
            .bind(&stage.name)
            .fetch_one(&mut *transaction)
            .await
            .expect("the row");
        Self {
            transaction,
            backend,
        }
    }

    /// Waits until somebody wants to change the row.
    async fn wanted(&self, stage: &Stage) {
        until("a statement waits for the row", async || {
            let waiting: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))",
            )
            .bind(self.backend)
            .fetch_one(stage.shop().pool())
            .await
            .expect("PostgreSQL's activity");
            (waiting > 0).then_some(())
        })
        .await;
    }
}

impl Moment {
    /// Sets the trap, before the payment starts.
    async fn arm(self, stage: &Stage) -> Option<RowLock> {
        let platform = stage.platform();
        let hold = Fault::once(FaultMode::Hold);
        match self {
            Self::Reserving => return Some(RowLock::take(stage, "inventory", "sku").await),
            Self::Created => platform
                .gateway
                .set_fault(&stage.name, hold.on(Operation::Create)),
            Self::Charged | Self::MarkingPaid => platform.gateway.set_fault(&stage.name, hold),
            Self::HandedOver => platform.fulfillment.set_fault(
                &stage.name,
                FulfillmentFault {
                    mode: FulfillmentFaultMode::Hold,
                    times: Some(1),
                    delay_ms: None,
                },
            ),
            Self::Mailed => platform.inbox.set_fault(
                &stage.email(),
                MailFault {
                    mode: MailFaultMode::DropAfterData,
                    times: Some(1),
                },
            ),
        }
        None
    }

    /// Waits until the worker is in it.
    async fn reached(self, stage: &Stage, lock: Option<RowLock>) -> Option<RowLock> {
        let platform = stage.platform();
        let late = "the worker gets there";
        match self {
            Self::Reserving => {}
            Self::Created | Self::Charged => {
                platform
                    .gateway
                    .wait_until_held(&stage.name, PATIENCE)
                    .await
                    .expect(late);
            }
            Self::MarkingPaid => {
                platform
                    .gateway
                    .wait_until_held(&stage.name, PATIENCE)
                    .await
                    .expect(late);
                let lock = RowLock::take(stage, "orders", "id").await;
                platform.gateway.release(&stage.name);
                lock.wanted(stage).await;
                return Some(lock);
            }
            Self::HandedOver => {
                platform
                    .fulfillment
                    .wait_until_held(&stage.name, PATIENCE)
                    .await
                    .expect(late);
                // The mail goes out at the same time; its crash is another row.
                mail_recorded(stage).await;
            }
            Self::Mailed => {
                let email = stage.email();
                let sent = |mail: &partner_local::inbox::Mail| mail.envelope_to.contains(&email);
                platform.inbox.wait_for(sent, PATIENCE).await.expect(late);
            }
        }
        if let Some(lock) = &lock {
            lock.wanted(stage).await;
        }
        lock
    }

    /// The activity that another worker must do again, where the server counts its attempts.
    const fn repeated(self) -> Option<&'static str> {
        match self {
            Self::Created | Self::Charged => Some("processPaymentGateway"),
            Self::HandedOver => Some("triggerFulfillment"),
            Self::Mailed => Some("sendEmail"),
            Self::Reserving | Self::MarkingPaid => None,
        }
    }
}

/// Waits until the mail is not only with the relay, but also in our books.
async fn mail_recorded(stage: &Stage) {
    until("the mail is recorded as sent", async || {
        let recorded: Option<String> =
            sqlx::query_scalar("SELECT state FROM email_deliveries WHERE recipient = $1")
                .bind(stage.email())
                .fetch_optional(stage.shop().pool())
                .await
                .expect("the send ledger");
        (recorded? == "sent").then_some(())
    })
    .await;
}

/// The whole story of one crash.
async fn survives(host: &'static Host, moment: Moment) {
    // A mail has no heartbeat: without this its crash would be noticed after half a minute.
    let variables = [("PARTNER__ACTIVITIES__TIMEOUTS__SHORT", "5s")];
    let stage = Stage::new(host, &format!("crash-{moment:?}").to_lowercase()).await;
    let lock = moment.arm(&stage).await;
    let mut worker = stage.worker_with(&variables).await;
    let process = stage.pay().await;
    let lock = moment.reached(&stage, lock).await;
    worker.kill();
    let code = in_time("the killed worker ends", worker.wait())
        .await
        .expect("it is watched");
    assert_eq!(
        code,
        Some(128 + 9),
        "{moment:?}: it was killed, and did not end by itself"
    );
    if let Some(lock) = lock {
        lock.transaction.rollback().await.expect("the row is free");
    }
    stage.platform().gateway.release(&stage.name);
    stage.platform().fulfillment.release(&stage.name);

    let next = stage.worker_with(&variables).await;
    stage.expect_paid_once(&process).await;
    if let Some(activity) = moment.repeated() {
        assert_eq!(
            attempts(&process, activity).await,
            [2],
            "{moment:?}: {activity}"
        );
    }
    if moment == Moment::Mailed {
        expect_one_message(&stage);
    } else {
        stage.expect_one_mail();
    }
    next.stop().await.expect("the worker stops");
}

/// Whether the relay took a mail before the crash, nobody can know: it is sent again, as the same
/// message, which mail programs show once.
fn expect_one_message(stage: &Stage) {
    let mails = stage.mails();
    let messages: BTreeSet<_> = mails
        .iter()
        .map(|mail| (&mail.message_id, &mail.subject))
        .collect();
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(mails.len() <= 2, "{mails:?}");
}

#[test]
fn a_worker_killed_right_after_the_gateway_charged_leaves_the_order_paid_and_charged_once() {
    on_platform(async |host| survives(host, Moment::Charged).await);
}

#[test]
fn a_worker_killed_in_any_other_call_leaves_the_order_paid_and_charged_once() {
    let moments = [
        Moment::Reserving,
        Moment::Created,
        Moment::MarkingPaid,
        Moment::HandedOver,
        Moment::Mailed,
    ];
    on_platform(async |host| {
        join_all(moments.map(|moment| survives(host, moment))).await;
    });
}
