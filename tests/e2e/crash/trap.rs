//! Where a worker is caught: in a call whose answer the other side holds back, or in a statement that
//! waits for a lock.

use partner_local::fulfillment::{FulfillmentFault, FulfillmentFaultMode};
use partner_local::gateway::{Fault, FaultMode, Operation};
use partner_local::inbox::{MailFault, MailFaultMode};
use partner_local::push::{PushFault, PushFaultMode};
use sqlx::{Postgres, Transaction};

use crate::support::{PATIENCE, Stage, until};

/// A point that the worker does not get past.
///
/// A trap is a row of them. The first is set before the workflow starts; each further one once the
/// worker is in the one before, which then lets it go on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stop {
    /// The gateway has done this, and does not say so.
    Gateway(Operation),
    /// The issuer has declined the charge, and the gateway does not say so.
    Declined,
    /// The goods are on their way, and nobody says so.
    Goods,
    /// The relay does not take the mail yet.
    MailBeforeData,
    /// The relay has taken the mail, and does not say so.
    MailAfterData,
    /// The push service has taken the message, and does not say so.
    Push,
    /// A statement of another session, about the stage's name, whose locks are not released.
    Lock(&'static str),
}

/// A trap that is set.
pub(super) struct Armed<'a> {
    stage: &'a Stage,
    stop: Stop,
    lock: Option<Lock>,
    further: &'static [Stop],
}

/// The locks of a session of ours.
struct Lock {
    transaction: Transaction<'static, Postgres>,
    backend: i32,
}

impl<'a> Armed<'a> {
    pub(super) async fn new(stage: &'a Stage, trap: &'static [Stop]) -> Self {
        let (&stop, further) = trap.split_first().expect("a trap has a stop");
        Self {
            stage,
            stop,
            lock: stop.set(stage).await,
            further,
        }
    }

    /// Waits until the worker is in the last stop.
    pub(super) async fn caught(&mut self) {
        loop {
            self.reached().await;
            let Some((&next, further)) = self.further.split_first() else {
                return;
            };
            let lock = next.set(self.stage).await;
            self.release().await;
            (self.stop, self.lock, self.further) = (next, lock, further);
        }
    }

    /// Lets everyone go on.
    pub(super) async fn open(mut self) {
        self.release().await;
    }

    async fn reached(&self) {
        let (platform, name) = (self.stage.platform(), &self.stage.name);
        let held = match self.stop {
            Stop::Lock(_) => {
                let lock = self.lock.as_ref().expect("the lock is taken");
                lock.wanted(self.stage).await;
                return;
            }
            Stop::Gateway(_) | Stop::Declined => {
                platform.gateway.wait_until_held(name, PATIENCE).await
            }
            Stop::Goods => platform.fulfillment.wait_until_held(name, PATIENCE).await,
            Stop::MailBeforeData | Stop::MailAfterData => {
                let email = self.stage.email();
                platform.inbox.wait_until_held(&email, PATIENCE).await
            }
            Stop::Push => platform.push.wait_until_held(name, PATIENCE).await,
        };
        held.unwrap_or_else(|late| panic!("{name}: the worker gets to {:?}: {late}", self.stop));
    }

    async fn release(&mut self) {
        let (platform, name) = (self.stage.platform(), &self.stage.name);
        match self.stop {
            Stop::Lock(_) => {
                let lock = self.lock.take().expect("the lock is taken");
                lock.transaction
                    .rollback()
                    .await
                    .expect("the rows are free");
            }
            Stop::Gateway(_) | Stop::Declined => drop(platform.gateway.release(name)),
            Stop::Goods => drop(platform.fulfillment.release(name)),
            Stop::MailBeforeData | Stop::MailAfterData => {
                platform.inbox.release(&self.stage.email());
            }
            Stop::Push => drop(platform.push.release(name)),
        }
    }
}

impl Stop {
    async fn set(self, stage: &Stage) -> Option<Lock> {
        let (platform, name) = (stage.platform(), &stage.name);
        let hold = Fault::once(FaultMode::Hold);
        match self {
            Self::Lock(statement) => return Some(Lock::take(stage, statement).await),
            Self::Gateway(operation) => platform.gateway.set_fault(name, hold.on(operation)),
            Self::Declined => {
                let decline = Fault::once(FaultMode::Decline {
                    code: "insufficient_funds".to_owned(),
                });
                platform.gateway.set_faults(name, vec![decline, hold]);
            }
            Self::Goods => platform.fulfillment.set_fault(
                name,
                FulfillmentFault {
                    mode: FulfillmentFaultMode::Hold,
                    times: Some(1),
                    delay_ms: None,
                },
            ),
            Self::MailBeforeData => hold_mail(stage, MailFaultMode::HoldBeforeData),
            Self::MailAfterData => hold_mail(stage, MailFaultMode::HoldAfterData),
            Self::Push => platform.push.set_fault(
                name,
                PushFault {
                    mode: PushFaultMode::Hold,
                    times: Some(1),
                    retry_after_seconds: None,
                },
            ),
        }
        None
    }
}

fn hold_mail(stage: &Stage, mode: MailFaultMode) {
    let times = Some(1);
    let inbox = &stage.platform().inbox;
    inbox.set_fault(&stage.email(), MailFault { mode, times });
}

impl Lock {
    async fn take(stage: &Stage, statement: &'static str) -> Self {
        let mut transaction = stage.shop().pool().begin().await.expect("a transaction");
        let backend = sqlx::query_scalar("SELECT pg_backend_pid()")
            .fetch_one(&mut *transaction)
            .await
            .expect("PostgreSQL's process");
        let done = sqlx::query(statement)
            .bind(&stage.name)
            .execute(&mut *transaction)
            .await
            .expect("the statement");
        assert_eq!(done.rows_affected(), 1, "{}: {statement}", stage.name);
        Self {
            transaction,
            backend,
        }
    }

    /// Waits until somebody waits for it.
    async fn wanted(&self, stage: &Stage) {
        until(&format!("{}: a statement waits", stage.name), async || {
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
