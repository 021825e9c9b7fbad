//! Things that were due long before anything else in the tests is: a sweep as of then finds nothing
//! but these.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use partner_core::client::Process;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use crate::listings::Listing;
use crate::stage::Stage;
use crate::subscriptions::Subscription;

static ALONE: Mutex<()> = Mutex::const_new(());

/// When these things were due, as the input of a sweep has it: no other test's are.
pub const AS_OF: &str = "2001-01-02T00:00:00Z";

/// The day before.
pub fn long_ago() -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(978_307_200_000_000_000)
}

/// A task queue that no worker of the tests serves: what is started there only waits.
pub const UNSERVED: &str = partner_core::task_queue::BACKGROUND;

impl Stage {
    /// Lets one test at a time sweep, and begin with nothing that was due long ago.
    pub async fn sweep_alone(&self) -> Result<MutexGuard<'static, ()>> {
        let alone = ALONE.lock().await;
        for forget in [
            "UPDATE subscriptions SET status = 'cancelled' WHERE anchor_date < '2002-01-01'",
            "UPDATE listings SET expires_at = NULL WHERE expires_at < '2002-01-01'",
        ] {
            sqlx::query(forget).execute(self.shop.pool()).await?;
        }
        Ok(alone)
    }

    /// A subscription whose first period has long been due.
    pub async fn due_subscription(&self) -> Result<Subscription> {
        self.subscription_from(long_ago(), None).await
    }

    /// So many of one user.
    pub async fn due_subscriptions(&self, count: u32) -> Result<()> {
        let user = self.person().await?;
        self.shop.add_due_subscriptions(&user.id, count).await?;
        Ok(())
    }

    /// A listing that is shown, although its date has long passed; its owner's other service wrote it.
    pub async fn overdue_listing(&self) -> Result<Listing> {
        let listing = self.listing().await?;
        self.approved(&listing).await?;
        self.shop.date_listing(&listing.id, long_ago()).await?;
        Ok(listing)
    }

    /// Starts a sweep as of long ago, with these fields of its input over that.
    pub async fn start_sweep(&self, workflow: &str, fields: &Value) -> Result<Process> {
        let mut input = json!({ "asOf": AS_OF });
        for (name, value) in fields.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        let id = self.unique("sweep");
        self.start(workflow, &id, &input).await
    }

    /// The same, to its end: what became of what was due.
    pub async fn sweep(&self, workflow: &str, fields: &Value) -> Result<Value> {
        let process = self.start_sweep(workflow, fields).await?;
        let mut result = self.result(&process).await?;
        result
            .get_mut("counts")
            .map(Value::take)
            .context("a sweep counts")
    }
}

/// What a sweep counts, without problems.
pub fn counts(considered: u64, started: u64, running: u64, told: u64, left: u64) -> Value {
    json!({
        "considered": considered,
        "started": started,
        "running": running,
        "told": told,
        "left": left,
        "failed": 0,
        "problems": [],
    })
}
