//! `reminderWorkflow`: who was reminded, and when it did not hold any more.

use chrono::TimeDelta;
use futures::future::try_join_all;
use partner_core::client::Process;
use partner_core::error::ErrorCode;
use partner_local::time_skipping::skip_time;
use serde::Serialize;
use serde_json::{Value, json};

use super::stage::{Row, Stage, Start};
use crate::output;

const WORKFLOW: &str = "reminderWorkflow";

/// What a user heard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reminded {
    /// What they were told in the app.
    in_app: Vec<String>,
    /// The subjects of their mails.
    mails: Vec<String>,
    /// How many reminders are on record.
    on_record: i64,
}

/// What happens before a reminder's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    /// Nothing.
    Waited,
    /// It is brought forward by the signal.
    Moved,
    /// It is called off by the signal.
    CalledOff,
    /// What it reminds of was never owed.
    Settled,
    /// It does not say of what.
    Incomplete,
}

const STORIES: [(&str, Story, &str); 5] = [
    ("in three years", Story::Waited, "sent"),
    ("brought forward", Story::Moved, "sent"),
    ("called off", Story::CalledOff, "not sent"),
    ("nothing is owed any more", Story::Settled, "not sent"),
    (
        "a payment, without saying which",
        Story::Incomplete,
        ErrorCode::ValidationError.as_str(),
    ),
];

/// Plays every story.
pub(crate) async fn all(stage: &Stage<'_>) -> anyhow::Result<Vec<Row<Reminded>>> {
    let rows = STORIES
        .iter()
        .enumerate()
        .map(|(index, &(name, story, outcome))| play(stage, name, story, outcome, index + 1));
    try_join_all(rows).await
}

async fn play(
    stage: &Stage<'_>,
    name: &'static str,
    story: Story,
    outcome: &'static str,
    number: usize,
) -> anyhow::Result<Row<Reminded>> {
    let user = format!("reminded-{number:02}");
    let email = format!("{user}@example.com");
    stage.shop.add_user(&user, &email, "Ana").await?;
    let input = input(stage, story, &user).await?;
    let id = format!("reminder-{user}");
    let reminded = async {
        let process = stage.start((WORKFLOW, &id), &input, Start::Once).await?;
        go_on(stage, story, &process).await?;
        Ok(process)
    };
    let word = |result: &Value| {
        let sent = result["success"] == true;
        if sent { "sent" } else { "not sent" }.to_owned()
    };
    let (run, _result) = stage.watch((name, &input), reminded, word).await?;
    let seen = Reminded {
        in_app: stage.told_in_app(&user).await?,
        mails: stage.subjects(&email),
        on_record: stage.shop.reminders_sent(&user).await?,
    };
    let expected = if outcome == "sent" {
        Reminded {
            in_app: vec!["viewing".to_owned()],
            mails: vec!["Reminder: viewing".to_owned()],
            on_record: 1,
        }
    } else {
        Reminded::default()
    };
    Ok(Row::compare(run, seen, outcome, &expected)?)
}

async fn input(stage: &Stage<'_>, story: Story, user: &str) -> anyhow::Result<Value> {
    let (kind, metadata) = match story {
        Story::Settled => ("payment_due", json!({ "orderId": "never-placed" })),
        Story::Incomplete => ("payment_due", Value::Null),
        _ => ("viewing", Value::Null),
    };
    Ok(json!({
        "userId": user,
        "reminderType": kind,
        "message": "You meet at the lake.",
        "scheduledTime": stage.shop.now().await? + TimeDelta::days(3 * 365),
        "metadata": metadata,
    }))
}

async fn go_on(stage: &Stage<'_>, story: Story, process: &Process) -> anyhow::Result<()> {
    if story == Story::Incomplete {
        return Ok(());
    }
    stage.reached(process, "waiting").await?;
    match story {
        Story::Moved => {
            let time = json!(stage.shop.now().await? + TimeDelta::hours(1));
            process.signal("reschedule", &time).await?;
            let moved = |details: &Value| details["scheduledTime"] == time;
            stage.details(process, moved).await?;
        }
        Story::CalledOff => {
            process.signal("cancel", &json!("they met already")).await?;
            return Ok(());
        }
        Story::Waited | Story::Settled | Story::Incomplete => {}
    }
    skip_time(stage.client.temporal(), &process.id).await?;
    Ok(())
}

/// The rows for a person.
pub(crate) fn table(rows: &[Row<Reminded>]) -> String {
    let header = ["", "REMINDER", "OUTCOME", "IN APP", "MAILS", "MS", "EVENTS"];
    let cells = rows.iter().map(|row| {
        [
            row.mark(),
            row.run.name.to_owned(),
            row.run.outcome.clone(),
            row.found.in_app.len().to_string(),
            row.found.mails.len().to_string(),
            row.run.milliseconds.to_string(),
            row.run.events.to_string(),
        ]
    });
    output::table(header, cells)
}
