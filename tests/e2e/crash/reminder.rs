//! `reminderWorkflow`: somebody is reminded once, and it is marked once.
//!
//! Validating is no row here: it only reads, takes no lock, and leaves nothing behind.

use std::future::ready;

use futures::future::join_all;
use serde_json::json;

use super::trap::Stop;
use super::{USER, crash, expect_attempts};
use crate::support::{Host, Stage, on_platform};

const WORKFLOW: &str = "reminderWorkflow";

/// One crash.
struct Row {
    /// What the worker is doing.
    at: &'static str,
    trap: &'static [Stop],
    /// In which attempt the sending comes to its end.
    attempts: i32,
    /// How the mail stands then.
    mail: &'static str,
}

/// The reminder's mark, which the worker cannot set while somebody else does.
const MARKED: &str = "INSERT INTO reminders_sent (id, user_id, reminder_type, sent_at)
    SELECT 'reminder-' || $1 || '/2026-01-01T00:00:00+00:00', $1, 'birthday', now()";

const ROWS: [Row; 4] = [
    Row {
        at: "mail-before-data",
        trap: &[Stop::MailBeforeData],
        attempts: 2,
        mail: "sent",
    },
    // The second attempt waits until the first can no longer be alive.
    Row {
        at: "mail-after-data",
        trap: &[Stop::MailAfterData],
        attempts: 2,
        mail: "possibly_delivered",
    },
    Row {
        at: "in-app",
        trap: &[USER],
        attempts: 2,
        mail: "sent",
    },
    Row {
        at: "marking",
        trap: &[Stop::Lock(MARKED)],
        attempts: 1,
        mail: "sent",
    },
];

async fn survives(host: &'static Host, row: &Row) {
    let stage = Stage::new(host, &format!("crash-reminder-{}", row.at)).await;
    let name = &stage.name;
    stage.add_user("active").await;
    let input = json!({
        "userId": name, "reminderType": "birthday", "message": "Congratulate Ana",
        "scheduledTime": "2026-01-01T00:00:00Z",
    });
    let start = stage.start(WORKFLOW, "reminder", &input);
    let process = crash(&stage, row.trap, start, ready(())).await;

    let result = stage.result(&process).await;
    assert_eq!(result["success"], true, "{name}: {result}");
    assert_eq!(stage.mails().len(), 1, "{name}");
    let in_app = stage.shop().inbox_messages(name).await.expect("the inbox");
    assert_eq!(in_app.len(), 1, "{name}: {in_app:?}");
    let deliveries = stage.deliveries().await;
    let mail = deliveries.iter().find(|(channel, _)| channel == "email");
    assert_eq!(
        mail.map(|(_, state)| state.as_str()),
        Some(row.mail),
        "{name}"
    );
    let marked: i64 = sqlx::query_scalar("SELECT count(*) FROM reminders_sent WHERE user_id = $1")
        .bind(name)
        .fetch_one(stage.shop().pool())
        .await
        .expect("the marks");
    assert_eq!(marked, 1, "{name}");
    expect_attempts(&stage, &process, "sendNotification", row.attempts).await;
}

#[test]
fn a_worker_killed_while_it_reminds_someone_leaves_them_reminded_once() {
    on_platform(async |host| {
        join_all(ROWS.iter().map(|row| survives(host, row))).await;
    });
}
