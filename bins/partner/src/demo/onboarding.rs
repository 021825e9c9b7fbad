//! `userOnboardingWorkflow`: who became a partner, and what they were sent.

use futures::future::try_join_all;
use partner_core::error::ErrorCode;
use partner_local::inbox::{MailFault, MailFaultMode};
use serde::Serialize;
use serde_json::json;

use super::stage::{Row, Stage, Start};
use crate::output;

const WORKFLOW: &str = "userOnboardingWorkflow";

/// How a user stands, and what they were sent.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Onboarded {
    /// None if there is no such user.
    user_status: Option<String>,
    /// The subjects of their mails, in the order in which they came.
    mails: Vec<String>,
    /// What they were told in the app.
    in_app: Vec<String>,
}

/// One onboarding and what must come of it.
#[derive(Debug, Clone, Default)]
struct Scenario {
    name: &'static str,
    /// Whether the user is active before.
    active: bool,
    /// The address, if it is none.
    bad_email: Option<&'static str>,
    /// How many mails the relay refuses.
    refused_mails: u32,
    /// Whether an onboarding that failed went before.
    again: bool,
    start: Start,
    /// The failure, if it must fail.
    fails: Option<ErrorCode>,
    onboarded: Onboarded,
}

const ONBOARDED: &str = "onboarded";

fn scenarios() -> Vec<Scenario> {
    let plain = |name, onboarded| Scenario {
        name,
        onboarded,
        ..Scenario::default()
    };
    let nothing_sent = |status: Option<&str>| Onboarded {
        user_status: status.map(str::to_owned),
        ..Onboarded::default()
    };
    let everything_sent_once = || Onboarded {
        user_status: Some("active".to_owned()),
        mails: vec![
            "Welcome, Ana: your first steps as a partner".to_owned(),
            "Your partner account is active".to_owned(),
        ],
        in_app: vec!["onboarding_started".to_owned()],
    };
    vec![
        plain("someone unknown", everything_sent_once()),
        Scenario {
            start: Start::Twice,
            ..plain("started twice", everything_sent_once())
        },
        Scenario {
            refused_mails: 1,
            fails: Some(ErrorCode::ExternalServiceError),
            ..plain(
                "relay refuses the welcome package",
                nothing_sent(Some("onboarding_failed")),
            )
        },
        Scenario {
            refused_mails: 1,
            again: true,
            ..plain(
                "again, after the relay was repaired",
                everything_sent_once(),
            )
        },
        Scenario {
            active: true,
            ..plain("already active", nothing_sent(Some("active")))
        },
        Scenario {
            bad_email: Some("nowhere"),
            fails: Some(ErrorCode::ValidationError),
            ..plain("email address that is none", nothing_sent(None))
        },
    ]
}

/// Onboards everyone.
pub(crate) async fn all(stage: &Stage<'_>) -> anyhow::Result<Vec<Row<Onboarded>>> {
    let scenarios = scenarios();
    let rows = scenarios
        .iter()
        .enumerate()
        .map(|(index, scenario)| play(stage, scenario, index + 1));
    try_join_all(rows).await
}

async fn play(
    stage: &Stage<'_>,
    scenario: &Scenario,
    number: usize,
) -> anyhow::Result<Row<Onboarded>> {
    let user = format!("partner-{number:02}");
    let email = format!("{user}@example.com");
    if scenario.active {
        stage.shop.add_user(&user, &email, "Ana").await?;
    }
    if scenario.refused_mails > 0 {
        let fault = MailFault {
            mode: MailFaultMode::Refuse,
            times: Some(scenario.refused_mails),
        };
        stage.platform.inbox.set_fault(&email, fault);
    }
    let input = json!({
        "userId": user,
        "email": scenario.bad_email.unwrap_or(&email),
        "name": "Ana",
    });
    let id = format!("onboarding-{user}");
    if scenario.again {
        let process = stage.start((WORKFLOW, &id), &input, Start::Once).await?;
        stage.ended(&process).await?;
    }
    let start = stage.start((WORKFLOW, &id), &input, scenario.start);
    let (run, _result) = stage
        .watch((scenario.name, &input), start, |_| ONBOARDED.to_owned())
        .await?;
    let user_status = if stage.shop.has_user(&user).await? {
        Some(stage.shop.user_status(&user).await?.0)
    } else {
        None
    };
    let found = Onboarded {
        user_status,
        mails: stage.subjects(&email),
        in_app: stage.told_in_app(&user).await?,
    };
    let outcome = scenario.fails.map_or(ONBOARDED, ErrorCode::as_str);
    Ok(Row::compare(run, found, outcome, &scenario.onboarded)?)
}

/// The rows for a person.
pub(crate) fn table(rows: &[Row<Onboarded>]) -> String {
    let header = [
        "",
        "ONBOARDING",
        "OUTCOME",
        "USER IS",
        "MAILS",
        "IN APP",
        "MS",
        "EVENTS",
    ];
    let cells = rows.iter().map(|row| {
        let user = &row.found;
        [
            row.mark(),
            row.run.name.to_owned(),
            row.run.outcome.clone(),
            user.user_status.clone().unwrap_or_else(|| "-".to_owned()),
            user.mails.len().to_string(),
            user.in_app.len().to_string(),
            row.run.milliseconds.to_string(),
            row.run.events.to_string(),
        ]
    });
    output::table(header, cells)
}
