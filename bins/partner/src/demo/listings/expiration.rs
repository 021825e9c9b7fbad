//! `listingExpirationWorkflow`: how long a listing is found, and what its owner was told.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::try_join_all;
use partner_core::client::Process;
use partner_core::error::ErrorCode;
use partner_local::time_skipping::skip_time;
use serde_json::{Value, json};

use super::approval::or_dash;
use super::seen::{Listing, Seen, property};
use crate::demo::stage::{Row, Stage, Start};
use crate::output;

const WORKFLOW: &str = "listingExpirationWorkflow";
const TITLE: &str = "Flat by the lake";

/// What happens before a listing expires.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Story {
    /// Nothing.
    #[default]
    Waited,
    /// The owner renews it by the signal.
    Renewed,
    /// The listing service lets it be shown for ever.
    ForEver,
    /// Nobody knows such a listing.
    Unknown,
}

/// One expiration and what must come of it.
#[derive(Debug, Clone, Default)]
struct Scenario {
    name: &'static str,
    story: Story,
    outcome: &'static str,
    seen: Seen,
}

fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "reminded 7 days and 1 day before",
            outcome: "expired",
            seen: expired(),
            ..Scenario::default()
        },
        Scenario {
            name: "renewed for 30 more days",
            story: Story::Renewed,
            outcome: "expired",
            seen: expired(),
        },
        Scenario {
            name: "shown for ever since",
            story: Story::ForEver,
            outcome: "renewed",
            seen: Seen {
                status: Some("approved".to_owned()),
                found: Some(TITLE.to_owned()),
                ..approved()
            },
        },
        Scenario {
            name: "a listing that nobody knows",
            story: Story::Unknown,
            outcome: ErrorCode::ValidationError.as_str(),
            seen: Seen::default(),
        },
    ]
}

/// What was told with the approval.
fn approved() -> Seen {
    Seen {
        decisions: vec!["1 approve human".to_owned()],
        in_app: vec!["listing_approved".to_owned()],
        mails: 1,
        ..Seen::default()
    }
}

fn expired() -> Seen {
    let told = [
        "listing_approved",
        "listing_expiring",
        "listing_expiring",
        "listing_expired",
    ];
    Seen {
        status: Some("expired".to_owned()),
        in_app: told.map(str::to_owned).to_vec(),
        mails: told.len(),
        ..approved()
    }
}

/// Lets every listing expire.
pub(crate) async fn all(stage: &Stage<'_>) -> anyhow::Result<Vec<Row<Seen>>> {
    let scenarios = scenarios();
    let rows = scenarios
        .iter()
        .enumerate()
        .map(|(index, scenario)| play(stage, scenario, index + 1));
    try_join_all(rows).await
}

async fn play(stage: &Stage<'_>, scenario: &Scenario, number: usize) -> anyhow::Result<Row<Seen>> {
    let listing = Listing::new(stage, format!("expiring-{number:02}")).await?;
    if scenario.story != Story::Unknown {
        approve(stage, &listing).await?;
    }
    if scenario.story == Story::ForEver {
        stage.shop.renew_listing(&listing.id, None).await?;
    }
    let date = stage.shop.now().await? + TimeDelta::days(30);
    let input = json!({ "listingId": listing.id, "userId": listing.owner, "expirationDate": date });
    let id = format!("listing-expiration-{}", listing.id);
    let followed = async {
        let process = stage.start((WORKFLOW, &id), &input, Start::Once).await?;
        follow(stage, &process, scenario.story, date).await?;
        Ok(process)
    };
    let word = |result: &Value| result["status"].as_str().unwrap_or_default().to_owned();
    let (run, _result) = stage.watch((scenario.name, &input), followed, word).await?;
    let seen = listing.seen(stage).await?;
    Ok(Row::compare(run, seen, scenario.outcome, &scenario.seen)?)
}

/// Lets a listing be shown.
pub(crate) async fn approve(stage: &Stage<'_>, listing: &Listing) -> anyhow::Result<()> {
    let id = format!("listing-approval-{}", listing.id);
    let process = stage
        .start(
            ("listingApprovalWorkflow", &id),
            &listing.approval(&property(TITLE)),
            Start::WithSignal("approve"),
        )
        .await?;
    stage.ended(&process).await.map(drop)
}

async fn follow(
    stage: &Stage<'_>,
    process: &Process,
    story: Story,
    date: DateTime<Utc>,
) -> anyhow::Result<()> {
    if story == Story::Unknown {
        return Ok(());
    }
    stage.reached(process, "waiting").await?;
    if story == Story::Renewed {
        let date = json!(date + TimeDelta::days(30));
        process.signal("renew", &date).await?;
        let followed = |details: &Value| details["expirationDate"] == date;
        stage.details(process, followed).await?;
    }
    skip_time(stage.client.temporal(), &process.id).await?;
    Ok(())
}

/// The rows for a person.
pub(crate) fn table(rows: &[Row<Seen>]) -> String {
    let header = [
        "",
        "EXPIRATION",
        "OUTCOME",
        "LISTING IS",
        "FOUND",
        "IN APP",
        "MAILS",
        "MS",
        "EVENTS",
    ];
    let cells = rows.iter().map(|row| {
        let seen = &row.found;
        [
            row.mark(),
            row.run.name.to_owned(),
            row.run.outcome.clone(),
            or_dash(seen.status.clone().unwrap_or_default()),
            or_dash(seen.found.clone().unwrap_or_default()),
            seen.in_app.len().to_string(),
            seen.mails.to_string(),
            row.run.milliseconds.to_string(),
            row.run.events.to_string(),
        ]
    });
    output::table(header, cells)
}
