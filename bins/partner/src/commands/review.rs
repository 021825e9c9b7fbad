//! `partner review`.

use std::process::ExitCode;

use futures::{StreamExt as _, TryStreamExt as _, future, stream};
use partner_core::client::{Filter, ProcessClient, Status};
use partner_core::ids::ListingId;
use partner_core::workflow_id;
use serde_json::{Value, json};

use super::Usage;
use super::client::{connect, find_open};
use super::message::answered;
use crate::cli::{DecisionArgs, ReviewListArgs};
use crate::output;

const WORKFLOW: &str = "listingApprovalWorkflow";

/// How many reviews are asked at once.
const AT_ONCE: usize = 8;

/// Lists the reviews that wait for a person.
pub(crate) async fn list(args: ReviewListArgs) -> anyhow::Result<ExitCode> {
    let client = connect(args.client.config).await?;
    let filter = Filter {
        workflow_type: Some(WORKFLOW.to_owned()),
        status: Some(Status::Running),
        ..Filter::default()
    };
    let runs = client.list(&filter, args.limit as usize).await?;
    let answers = stream::iter(runs).map(|run| details(&client, run.workflow_id));
    let mut reviews: Vec<Value> = answers
        .buffered(AT_ONCE)
        .try_filter_map(future::ok)
        .try_collect()
        .await?;
    // RFC 3339 in one time zone: the order of the text is the order of time.
    reviews.sort_by(|one, other| one["deadline"].as_str().cmp(&other["deadline"].as_str()));
    if args.client.json {
        output::json(&json!({ "reviews": reviews }))?;
    } else {
        let header = [
            "LISTING", "OWNER", "VERSION", "SCORE", "DEADLINE", "URGENT", "ISSUES",
        ];
        output::line(output::table(header, reviews.iter().map(row)));
    }
    Ok(ExitCode::SUCCESS)
}

/// What a review says of itself; nothing if it does not wait for a decision, or has just ended.
async fn details(client: &ProcessClient, id: String) -> anyhow::Result<Option<Value>> {
    match client.process(&id).query("getDetails").await {
        Ok(details) => {
            let waits = details["decision"].is_null() && !details["deadline"].is_null();
            Ok(waits.then_some(details))
        }
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn row(review: &Value) -> [String; 7] {
    let issues = review["issues"].as_array();
    let issues = issues.into_iter().flatten().map(cell);
    [
        cell(&review["listingId"]),
        cell(&review["userId"]),
        cell(&review["version"]),
        cell(&review["score"]),
        cell(&review["deadline"]),
        if review["urgent"] == true { "yes" } else { "" }.to_owned(),
        issues.collect::<Vec<_>>().join("; "),
    ]
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Decides on a listing; a refusal says who was first, or what else is in the way.
pub(crate) async fn decide(decision: &'static str, args: DecisionArgs) -> anyhow::Result<ExitCode> {
    let listing =
        ListingId::parse(args.listing).map_err(|error| Usage(format!("LISTING_ID: {error}")))?;
    let client = connect(args.client.config).await?;
    let id = workflow_id::listing_approval(&listing);
    let (process, _) = find_open(&client, &id).await?;
    let payload = json!({
        "decision": decision,
        "reviewer": args.reviewer,
        "comment": args.comment,
        "listingVersion": args.version,
    });
    let updated = process.update("decide", &payload, None).await?;
    answered(&id, updated, args.client.json, |made| {
        format!(
            "{decision}: {listing}, version {}",
            cell(&made["listingVersion"])
        )
    })
}
