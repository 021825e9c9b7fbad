//! `sendNotificationWorkflow`: every channel is served at most once, and the one that is a row of our
//! own exactly once.
//!
//! Planning is no row here: it only reads, takes no lock, and leaves nothing behind.

use futures::future::join_all;
use serde_json::json;

use super::trap::Stop;
use super::{USER, crash, expect_attempts};
use crate::support::{Host, Stage, on_platform, until};

const WORKFLOW: &str = "sendNotificationWorkflow";

/// One crash.
struct Row {
    /// What the worker is doing.
    at: &'static str,
    trap: &'static [Stop],
    /// The channel that is cut off.
    channel: Option<&'static str>,
    /// Whether nobody can know what became of it.
    unknown: bool,
    /// In which attempt the sending comes to its end.
    attempts: i32,
}

const ROWS: [Row; 5] = [
    Row {
        at: "mail-before-data",
        trap: &[Stop::MailBeforeData],
        channel: Some("email"),
        unknown: false,
        attempts: 2,
    },
    // The second attempt waits until the first can no longer be alive.
    Row {
        at: "mail-after-data",
        trap: &[Stop::MailAfterData],
        channel: Some("email"),
        unknown: true,
        attempts: 2,
    },
    Row {
        at: "pushed",
        trap: &[Stop::Push],
        channel: Some("push"),
        unknown: true,
        attempts: 2,
    },
    Row {
        at: "in-app",
        trap: &[USER],
        channel: Some("in_app"),
        unknown: false,
        attempts: 2,
    },
    Row {
        at: "recording",
        trap: &[Stop::Lock(
            "INSERT INTO notifications (id, user_id, type, status) VALUES ($1, $1, 'info', 'sent')",
        )],
        channel: None,
        unknown: false,
        attempts: 1,
    },
];

impl Row {
    /// How a channel stands in the end.
    fn state(&self, channel: &str) -> &'static str {
        if self.unknown && self.channel == Some(channel) {
            "possibly_delivered"
        } else {
            "sent"
        }
    }
}

async fn survives(host: &'static Host, row: &Row) {
    let stage = Stage::new(host, &format!("crash-notification-{}", row.at)).await;
    let name = &stage.name;
    stage.add_user("active").await;
    let device = stage.platform().push.device(name);
    let added = stage.shop().add_push_subscription(name, &device).await;
    added.expect("a new device");
    let input = json!({
        "userId": name, "message": "Your report is ready", "type": "info", "notificationId": name,
    });
    let start = stage.start(WORKFLOW, "notification", &input);
    let others = others_are_recorded(&stage, row);
    let process = crash(&stage, row.trap, start, others).await;

    let result = stage.result(&process).await;
    assert_eq!(result["success"], true, "{name}: {result}");
    let email_sent = row.state("email") == "sent";
    assert_eq!(result["emailSent"], email_sent, "{name}: {result}");
    assert_eq!(result["notificationProcessed"], true, "{name}: {result}");
    for channel in result["channels"].as_array().expect("the channels") {
        let expected = row.state(channel["channel"].as_str().expect("its name"));
        assert_eq!(channel["status"], expected, "{name}: {result}");
    }
    expect_told_once(&stage, row).await;
    expect_attempts(&stage, &process, "sendNotification", row.attempts).await;
}

/// Waits until all channels but the one that is cut off are served, and the books say so.
async fn others_are_recorded(stage: &Stage, row: &Row) {
    let what = format!("{}: the other channels are recorded as sent", stage.name);
    until(&what, async || {
        let deliveries = stage.deliveries().await;
        let sent = deliveries
            .iter()
            .filter(|(channel, state)| state == "sent" && row.channel != Some(channel.as_str()));
        let others = if row.channel.is_some() { 2 } else { 3 };
        (sent.count() == others).then_some(())
    })
    .await;
}

/// One mail, one push message, one row in the app; and the books agree.
async fn expect_told_once(stage: &Stage, row: &Row) {
    let name = &stage.name;
    assert_eq!(stage.mails().len(), 1, "{name}");
    let pushed = stage.platform().push.messages_of(name);
    let times: Vec<_> = pushed.iter().map(|message| message.times).collect();
    assert_eq!(times, [1], "{name}");
    let in_app = stage.shop().inbox_messages(name).await.expect("the inbox");
    assert_eq!(in_app.len(), 1, "{name}: {in_app:?}");
    let expected = ["email", "in_app", "push"]
        .map(|channel| (channel.to_owned(), row.state(channel).to_owned()));
    assert_eq!(stage.deliveries().await, expected, "{name}");
    let recorded: String = sqlx::query_scalar("SELECT status FROM notifications WHERE id = $1")
        .bind(name)
        .fetch_one(stage.shop().pool())
        .await
        .expect("the notification is recorded");
    assert_eq!(recorded, "sent", "{name}");
}

#[test]
fn a_worker_killed_while_it_tells_someone_leaves_them_told_once() {
    on_platform(async |host| {
        join_all(ROWS.iter().map(|row| survives(host, row))).await;
    });
}
