//! `userOnboardingWorkflow`: the user is active, and was told everything once.

use std::future::ready;

use futures::future::join_all;
use serde_json::json;

use super::trap::Stop;
use super::{USER, USER_ITSELF, crash, expect_attempts};
use crate::support::{Host, Stage, on_platform};

const WORKFLOW: &str = "userOnboardingWorkflow";

/// The subjects of the two mails, in their order.
const MAILS: [&str; 2] = [
    "Welcome, Ana: your first steps as a partner",
    "Your partner account is active",
];

/// What becomes of a mail.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Nothing happens to it.
    Sent,
    /// The worker dies before the relay has it: the next attempt sends it.
    SentAgain,
    /// The worker dies after the relay took it: the next attempt waits, and records that.
    Unknown,
}

impl Fate {
    const fn state(self) -> &'static str {
        match self {
            Self::Sent | Self::SentAgain => "sent",
            Self::Unknown => "possibly_delivered",
        }
    }

    const fn attempts(self) -> i32 {
        match self {
            Self::Sent => 1,
            Self::SentAgain | Self::Unknown => 2,
        }
    }
}

use Fate::{Sent, SentAgain, Unknown};

/// One crash.
struct Row {
    /// What the worker is doing.
    at: &'static str,
    trap: &'static [Stop],
    /// Whether the user exists before.
    known: bool,
    /// What becomes of the two mails.
    mails: [Fate; 2],
}

const fn row(at: &'static str, trap: &'static [Stop], mails: [Fate; 2]) -> Row {
    Row {
        at,
        trap,
        known: true,
        mails,
    }
}

const ROWS: [Row; 8] = [
    Row {
        known: false,
        ..row(
            "creating",
            &[Stop::Lock(
                "INSERT INTO users (id, email) VALUES ($1, 'other@example.com')",
            )],
            [Sent, Sent],
        )
    },
    row("beginning", &[USER], [Sent, Sent]),
    row(
        "welcome-before-data",
        &[Stop::MailBeforeData],
        [SentAgain, Sent],
    ),
    row(
        "welcome-after-data",
        &[Stop::MailAfterData],
        [Unknown, Sent],
    ),
    row("in-app", &[Stop::MailAfterData, USER], [Sent, Sent]),
    row(
        "activating",
        &[Stop::MailAfterData, USER_ITSELF],
        [Sent, Sent],
    ),
    row(
        "completion-before-data",
        &[Stop::MailAfterData, USER_ITSELF, Stop::MailBeforeData],
        [Sent, SentAgain],
    ),
    row(
        "completion-after-data",
        &[Stop::MailAfterData, USER_ITSELF, Stop::MailAfterData],
        [Sent, Unknown],
    ),
];

async fn survives(host: &'static Host, row: &Row) {
    let stage = Stage::new(host, &format!("crash-onboarding-{}", row.at)).await;
    let name = &stage.name;
    if row.known {
        stage.add_user("pending").await;
    }
    let input = json!({ "userId": name, "email": stage.email(), "name": "Ana" });
    let start = stage.start(WORKFLOW, "onboarding", &input);
    let process = crash(&stage, row.trap, start, ready(())).await;

    let result = stage.result(&process).await;
    assert_eq!(result["success"], true, "{name}: {result}");
    assert_eq!(result["message"], "User onboarded successfully", "{name}");
    let status = stage.shop().user_status(name).await.expect("the user");
    assert_eq!(status, ("active".to_owned(), None), "{name}");
    assert_eq!(stage.subjects(), MAILS, "{name}");
    let in_app = stage.shop().inbox_messages(name).await.expect("the inbox");
    let types: Vec<_> = in_app
        .iter()
        .map(|message| message.r#type.as_str())
        .collect();
    assert_eq!(types, ["onboarding_started"], "{name}");
    // What the relay took without saying so is not sent again, and the books do not claim more.
    let [welcome, completion] = row.mails.map(Fate::state);
    let expected = [
        ("email", welcome),
        ("email", completion),
        ("in_app", "sent"),
    ]
    .map(|(channel, state)| (channel.to_owned(), state.to_owned()));
    assert_eq!(stage.deliveries().await, expected, "{name}");
    for (activity, attempts) in ["sendWelcomePackage", "sendEmail"]
        .into_iter()
        .zip(row.mails.map(Fate::attempts))
    {
        expect_attempts(&stage, &process, activity, attempts).await;
    }
}

#[test]
fn a_worker_killed_in_the_middle_of_an_onboarding_leaves_the_user_active_and_told_once() {
    on_platform(async |host| {
        join_all(ROWS.iter().map(|row| survives(host, row))).await;
    });
}
