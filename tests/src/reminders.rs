//! Reminders, and what became of them.

use anyhow::Result;
use chrono::{DateTime, Utc};
use partner_core::client::Process;
use serde_json::{Value, json};

use crate::stage::Stage;
use crate::users::Person;

/// The workflow.
pub const REMINDER: &str = "reminderWorkflow";

/// A reminder of a type that is not checked.
pub fn input(person: &Person, time: DateTime<Utc>) -> Value {
    json!({
        "userId": person.id,
        "reminderType": "viewing",
        "message": "You meet at the lake.",
        "scheduledTime": time,
    })
}

/// A reminder that is checked before it goes out.
pub fn checked(person: &Person, time: DateTime<Utc>, kind: &str, metadata: &Value) -> Value {
    let mut input = input(person, time);
    input["reminderType"] = json!(kind);
    input["metadata"] = metadata.clone();
    input
}

impl Stage {
    /// Starts a reminder whose time passes whenever it only waits.
    pub async fn remind(&self, input: &Value) -> Result<Process> {
        let id = self.unique("reminder");
        self.start_skipping_time(REMINDER, &id, input).await
    }

    /// Starts a reminder whose time passes as everybody's, and lets it come to its wait.
    pub async fn waiting_reminder(&self, input: &Value) -> Result<Process> {
        let id = self.unique("reminder");
        let process = self.start(REMINDER, &id, input).await?;
        self.reached(&process, "waiting").await?;
        Ok(process)
    }

    /// When the reminders of a person were marked as sent.
    pub async fn reminded(&self, person: &Person) -> Result<Vec<DateTime<Utc>>> {
        Ok(
            sqlx::query_scalar("SELECT sent_at FROM reminders_sent WHERE user_id = $1 ORDER BY 1")
                .bind(&person.id)
                .fetch_all(self.shop.pool())
                .await?,
        )
    }
}
