//! `listingApprovalWorkflow`: what was decided, by whom, and what the public finds.

use anyhow::{Context, ensure};
use futures::future::{join, try_join_all};
use partner_core::client::{Process, Updated};
use partner_core::error::ErrorCode;
use partner_local::time_skipping::skip_time;
use serde_json::{Value, json};

use super::seen::{Listing, Seen, poor_property, property};
use crate::demo::stage::{Row, Stage, Start};
use crate::output;

const WORKFLOW: &str = "listingApprovalWorkflow";
const LAKE: &str = "Flat by the lake";
const RIVER: &str = "Flat by the river";

/// What happens while a listing is under review.
#[derive(Debug, Clone, Copy, Default)]
enum Review {
    /// Nothing, because it does not come to a review.
    #[default]
    None,
    /// A reviewer decides.
    Decision(&'static str),
    /// Two decide at the same moment.
    Two,
    /// Nobody decides, and the time passes.
    Nobody,
    /// The owner edits it; a reviewer who saw the old version approves, and then one who saw the new.
    Edit,
}

/// One approval and what must come of it.
#[derive(Debug, Clone, Default)]
struct Scenario {
    name: &'static str,
    property: Value,
    review: Review,
    outcome: &'static str,
    seen: Seen,
}

fn scenarios() -> Vec<Scenario> {
    let mut scenarios = reviewed();
    scenarios.extend(not_reviewed());
    scenarios
}

fn reviewed() -> Vec<Scenario> {
    vec![
        Scenario {
            review: Review::Decision("approve"),
            ..plain(
                "a reviewer approves",
                "approved",
                live(LAKE, "1 approve human ben"),
            )
        },
        Scenario {
            review: Review::Decision("reject"),
            ..plain(
                "a reviewer rejects",
                "rejected",
                rejected("1 reject human ben"),
            )
        },
        Scenario {
            review: Review::Two,
            ..plain(
                "two reviewers at the same moment",
                "approved",
                live(LAKE, "1 approve human ben"),
            )
        },
        Scenario {
            review: Review::Nobody,
            ..plain(
                "nobody decides in 48 h, score 1",
                "approved",
                live(LAKE, "1 approve rule"),
            )
        },
        Scenario {
            property: poor_property(LAKE),
            review: Review::Nobody,
            ..plain(
                "nobody decides in 48 h, score 0.6",
                "rejected",
                rejected("1 reject timeout"),
            )
        },
        Scenario {
            review: Review::Edit,
            ..plain(
                "edited under review",
                "approved",
                live(RIVER, "2 approve human ben"),
            )
        },
    ]
}

fn not_reviewed() -> Vec<Scenario> {
    let mut no_price = property(LAKE);
    no_price["price"] = Value::Null;
    vec![
        Scenario {
            property: property("Short"),
            ..plain(
                "breaks a rule",
                "validation_failed",
                Seen {
                    status: Some("validation_failed".to_owned()),
                    in_app: vec!["listing_validation_failed".to_owned()],
                    mails: 1,
                    ..Seen::default()
                },
            )
        },
        Scenario {
            property: no_price,
            ..plain(
                "without a price",
                ErrorCode::ValidationError.as_str(),
                Seen::default(),
            )
        },
    ]
}

fn plain(name: &'static str, outcome: &'static str, seen: Seen) -> Scenario {
    Scenario {
        name,
        property: property(LAKE),
        outcome,
        seen,
        ..Scenario::default()
    }
}

fn live(title: &str, decision: &str) -> Seen {
    Seen {
        status: Some("approved".to_owned()),
        found: Some(title.to_owned()),
        decisions: vec![decision.to_owned()],
        in_app: vec!["listing_approved".to_owned()],
        mails: 1,
    }
}

fn rejected(decision: &str) -> Seen {
    Seen {
        status: Some("rejected".to_owned()),
        found: None,
        decisions: vec![decision.to_owned()],
        in_app: vec!["listing_rejected".to_owned()],
        mails: 1,
    }
}

/// Has every listing reviewed.
pub(crate) async fn all(stage: &Stage<'_>) -> anyhow::Result<Vec<Row<Seen>>> {
    let scenarios = scenarios();
    let rows = scenarios
        .iter()
        .enumerate()
        .map(|(index, scenario)| play(stage, scenario, index + 1));
    try_join_all(rows).await
}

async fn play(stage: &Stage<'_>, scenario: &Scenario, number: usize) -> anyhow::Result<Row<Seen>> {
    let listing = Listing::new(stage, format!("flat-{number:02}")).await?;
    let input = listing.approval(&scenario.property);
    let id = format!("listing-approval-{}", listing.id);
    let reviewed = async {
        let process = stage.start((WORKFLOW, &id), &input, Start::Once).await?;
        review(stage, &process, scenario.review)
            .await
            .with_context(|| scenario.name)?;
        Ok(process)
    };
    let word = |result: &Value| result["status"].as_str().unwrap_or_default().to_owned();
    let (run, _result) = stage.watch((scenario.name, &input), reviewed, word).await?;
    let seen = listing.seen(stage).await?;
    Ok(Row::compare(run, seen, scenario.outcome, &scenario.seen)?)
}

async fn review(stage: &Stage<'_>, process: &Process, review: Review) -> anyhow::Result<()> {
    if matches!(review, Review::None) {
        return Ok(());
    }
    stage.reached(process, "reviewing").await?;
    match review {
        Review::None => {}
        Review::Decision(decision) => drop(decide(process, decision, 1).await?),
        Review::Two => two(process).await?,
        Review::Nobody => skip_time(stage.client.temporal(), &process.id).await?,
        Review::Edit => {
            process.signal("listingUpdated", &property(RIVER)).await?;
            stage
                .details(process, |details| details["version"] == 2)
                .await?;
            stage.reached(process, "reviewing").await?;
            let old = decide(process, "approve", 1).await?;
            ensure!(matches!(old, Updated::Rejected { .. }), "{old:?}");
            decide(process, "approve", 2).await?;
        }
    }
    Ok(())
}

/// The one who comes second is told who was first.
async fn two(process: &Process) -> anyhow::Result<()> {
    let votes = || decide(process, "approve", 1);
    let (first, second) = join(votes(), votes()).await;
    let answers = [first?, second?];
    let accepted = answers
        .iter()
        .filter(|answer| matches!(answer, Updated::Accepted(_)));
    ensure!(accepted.count() == 1, "{answers:?}");
    let refused = answers.iter().find_map(|answer| match answer {
        Updated::Rejected { message, .. } => Some(message.as_str()),
        Updated::Accepted(_) => None,
    });
    ensure!(
        refused.is_some_and(|message| message.contains("by ben")),
        "{answers:?}"
    );
    Ok(())
}

async fn decide(process: &Process, decision: &str, version: i32) -> anyhow::Result<Updated> {
    let payload = json!({ "decision": decision, "reviewer": "ben", "listingVersion": version });
    Ok(process.update("decide", &payload, None).await?)
}

/// The rows for a person.
pub(crate) fn table(rows: &[Row<Seen>]) -> String {
    let header = [
        "", "LISTING", "OUTCOME", "DECISION", "FOUND", "IN APP", "MAILS", "MS", "EVENTS",
    ];
    let cells = rows.iter().map(|row| {
        let seen = &row.found;
        [
            row.mark(),
            row.run.name.to_owned(),
            row.run.outcome.clone(),
            or_dash(seen.decisions.join(", ")),
            or_dash(seen.found.clone().unwrap_or_default()),
            seen.in_app.len().to_string(),
            seen.mails.to_string(),
            row.run.milliseconds.to_string(),
            row.run.events.to_string(),
        ]
    });
    output::table(header, cells)
}

pub(super) fn or_dash(text: String) -> String {
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}
