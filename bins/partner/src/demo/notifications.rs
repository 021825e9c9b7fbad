//! `sendNotificationWorkflow`: who was told what, on which channels.

use futures::future::try_join_all;
use partner_local::inbox::{MailFault, MailFaultMode};
use partner_local::push::{PushFault, PushFaultMode};
use serde::Serialize;
use serde_json::{Value, json};

use super::stage::{Row, Stage, Start};
use crate::output;

const WORKFLOW: &str = "sendNotificationWorkflow";

/// What reached a user.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Told {
    /// Mails in their mailbox.
    mails: usize,
    /// Messages in the app.
    in_app: usize,
    /// Messages on each of their devices.
    pushed: Vec<u32>,
    /// Devices that nothing is sent to any more.
    devices_disabled: usize,
}

/// A device of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Device {
    /// It is there.
    Present,
    /// Its push service says that it is not there any more.
    Gone,
}

/// One notification and what must come of it.
#[derive(Debug, Clone, Default)]
struct Scenario {
    name: &'static str,
    /// Whether it is for someone who has a mailbox and no account.
    stranger: bool,
    devices: &'static [Device],
    muted: bool,
    critical: bool,
    mail_fault: Option<MailFaultMode>,
    start: Start,
    /// What the result says of each channel.
    outcome: &'static str,
    told: Told,
}

const MAIL_AND_APP: &str = "email sent, in_app sent";
const MUTED: &str = "email muted, in_app muted, push muted";
const EVERYWHERE: &str = "email sent, in_app sent, push sent";

fn scenarios() -> Vec<Scenario> {
    let mut scenarios = wanted();
    scenarios.extend(troubled());
    scenarios
}

/// What users want, and what they do not.
fn wanted() -> Vec<Scenario> {
    vec![
        Scenario {
            devices: &[Device::Present],
            ..plain("mail, app and a device", EVERYWHERE, told(1, 1, &[1]))
        },
        Scenario {
            devices: &[Device::Present],
            muted: true,
            critical: true,
            ..plain(
                "critical, to a user who muted all",
                EVERYWHERE,
                told(1, 1, &[1]),
            )
        },
        Scenario {
            devices: &[Device::Present],
            muted: true,
            ..plain("to a user who muted all", MUTED, told(0, 0, &[0]))
        },
        Scenario {
            stranger: true,
            ..plain(
                "to an address without an account",
                "email sent",
                told(1, 0, &[]),
            )
        },
        Scenario {
            start: Start::Twice,
            ..plain("started twice", MAIL_AND_APP, told(1, 1, &[]))
        },
    ]
}

/// What goes wrong on one channel, and does not stop the others.
fn troubled() -> Vec<Scenario> {
    let one_disabled = Told {
        devices_disabled: 1,
        ..told(1, 1, &[1, 0])
    };
    vec![
        Scenario {
            mail_fault: Some(MailFaultMode::Refuse),
            ..plain(
                "relay refuses the mail",
                "email failed, in_app sent",
                told(0, 1, &[]),
            )
        },
        Scenario {
            mail_fault: Some(MailFaultMode::DropAfterData),
            ..plain(
                "connection lost after the mail's data",
                "email possibly_delivered, in_app sent",
                told(1, 1, &[]),
            )
        },
        Scenario {
            devices: &[Device::Present, Device::Gone],
            ..plain("one of two devices is gone", EVERYWHERE, one_disabled)
        },
    ]
}

fn plain(name: &'static str, outcome: &'static str, told: Told) -> Scenario {
    Scenario {
        name,
        outcome,
        told,
        ..Scenario::default()
    }
}

fn told(mails: usize, in_app: usize, pushed: &[u32]) -> Told {
    Told {
        mails,
        in_app,
        pushed: pushed.to_vec(),
        devices_disabled: 0,
    }
}

/// Sends every notification.
pub(crate) async fn all(stage: &Stage<'_>) -> anyhow::Result<Vec<Row<Told>>> {
    let scenarios = scenarios();
    let rows = scenarios
        .iter()
        .enumerate()
        .map(|(index, scenario)| play(stage, scenario, index + 1));
    try_join_all(rows).await
}

async fn play(stage: &Stage<'_>, scenario: &Scenario, number: usize) -> anyhow::Result<Row<Told>> {
    let user = format!("reader-{number:02}");
    let email = format!("{user}@example.com");
    if !scenario.stranger {
        stage.shop.add_user(&user, &email, "Ana").await?;
    }
    if scenario.muted {
        stage.shop.set_preference(&user, "*", "*", false).await?;
    }
    let devices = add_devices(stage, &user, scenario.devices).await?;
    if let Some(mode) = scenario.mail_fault {
        let times = None;
        stage
            .platform
            .inbox
            .set_fault(&email, MailFault { mode, times });
    }
    let input = json!({
        "userId": if scenario.stranger { &email } else { &user },
        "message": "The boiler will be serviced on Monday.",
        "type": "info",
        "critical": scenario.critical,
    });
    let id = format!("notification-{user}-boiler");
    let start = stage.start((WORKFLOW, &id), &input, scenario.start);
    let (run, _result) = stage
        .watch((scenario.name, &input), start, channels)
        .await?;
    let found = Told {
        mails: stage.subjects(&email).len(),
        in_app: stage.shop.inbox_messages(&user).await?.len(),
        pushed: devices.iter().map(|device| pushed(stage, device)).collect(),
        devices_disabled: disabled(stage, &devices).await?,
    };
    Ok(Row::compare(run, found, scenario.outcome, &scenario.told)?)
}

/// Lets the user be pushed to on these devices; gives back their names.
async fn add_devices(
    stage: &Stage<'_>,
    user: &str,
    devices: &[Device],
) -> anyhow::Result<Vec<String>> {
    let push = &stage.platform.push;
    let mut names = Vec::new();
    for (index, device) in devices.iter().enumerate() {
        let name = format!("{user}-device-{}", index + 1);
        stage
            .shop
            .add_push_subscription(user, &push.device(&name))
            .await?;
        if *device == Device::Gone {
            let fault = PushFault {
                mode: PushFaultMode::Gone,
                times: None,
                retry_after_seconds: None,
            };
            push.set_fault(&name, fault);
        }
        names.push(name);
    }
    Ok(names)
}

fn pushed(stage: &Stage<'_>, device: &str) -> u32 {
    let messages = stage.platform.push.messages_of(device);
    messages.iter().map(|message| message.times).sum()
}

async fn disabled(stage: &Stage<'_>, devices: &[String]) -> anyhow::Result<usize> {
    let mut count = 0;
    for device in devices {
        let endpoint = stage.platform.push.device(device).endpoint;
        count += usize::from(stage.shop.push_disabled(&endpoint).await?.is_some());
    }
    Ok(count)
}

/// What the result says of each channel.
fn channels(result: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let channels = result["channels"].as_array().into_iter().flatten();
    let words: Vec<_> = channels
        .map(|outcome| format!("{} {}", text(&outcome["channel"]), text(&outcome["status"])))
        .collect();
    words.join(", ")
}

/// The rows for a person.
pub(crate) fn table(rows: &[Row<Told>]) -> String {
    let header = [
        "",
        "NOTIFICATION",
        "OUTCOME",
        "MAILS",
        "IN APP",
        "PUSHED",
        "MS",
        "EVENTS",
    ];
    let cells = rows.iter().map(|row| {
        let told = &row.found;
        let pushed: Vec<_> = told.pushed.iter().map(u32::to_string).collect();
        [
            row.mark(),
            row.run.name.to_owned(),
            row.run.outcome.clone(),
            told.mails.to_string(),
            told.in_app.to_string(),
            if pushed.is_empty() {
                "-".to_owned()
            } else {
                pushed.join(", ")
            },
            row.run.milliseconds.to_string(),
            row.run.events.to_string(),
        ]
    });
    output::table(header, cells)
}
