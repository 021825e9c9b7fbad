//! Listings: their approval, what is decided about them, and their expiration.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use partner_core::client::{Summary, Updated};
use partner_core::error::ErrorCode;
use partner_core::ids::ListingId;
use partner_core::workflow_id;
use partner_listing::model::{Decision, ReviewDecision};
use partner_listing::workflows::listing_approval::ListingApprovalInput;
use partner_listing::workflows::listing_expiration::ListingExpirationInput;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::show;
use crate::auth::{Caller, Scope};
use crate::error::{ApiError, FieldProblem, Result};
use crate::extract::{Body, Path};
use crate::progress::WorkflowState;
use crate::start::{Start, StartRequest, StartResponses, WaitQuery};
use crate::state::ApiState;

impl Start for ListingApprovalInput {
    const WORKFLOW: &'static str = "listingApprovalWorkflow";

    fn user(&self) -> Option<&str> {
        Some(self.user_id.as_str())
    }
}

impl Start for ListingExpirationInput {
    const WORKFLOW: &'static str = "listingExpirationWorkflow";

    fn user(&self) -> Option<&str> {
        Some(self.user_id.as_str())
    }
}

/// What is decided about a listing.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DecisionBody {
    /// What.
    pub(crate) decision: Decision,
    /// What the owner is told.
    #[serde(default)]
    #[schema(max_length = 5000)]
    pub(crate) comment: Option<String>,
    /// The version that was looked at: a decision about an older one is refused.
    #[serde(default)]
    #[schema(minimum = 1)]
    pub(crate) listing_version: Option<i32>,
    /// Who decides, if a program asks for a person; whoever asks without it.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub(crate) reviewer: Option<String>,
}

/// Submit a listing for approval.
///
/// It is checked by the rules; if they hold, a reviewer decides, or its score when nobody does in time.
/// A listing that breaks rules ends as `validation_failed`, with all of them in the result.
#[utoipa::path(
    post, path = "/api/v1/listings", tag = "listings",
    request_body = ListingApprovalInput, params(WaitQuery),
    responses(StartResponses),
)]
pub(crate) async fn submit(request: StartRequest<ListingApprovalInput>) -> Result<Response> {
    let id = workflow_id::listing_approval(&request.input().listing_id);
    request.start(id).await
}

/// How the approval of a listing stands.
#[utoipa::path(
    get, path = "/api/v1/listings/{listingId}/approval", tag = "listings",
    params(("listingId" = String, Path, description = "The listing")),
    responses((status = 200, description = "How it stands", body = WorkflowState)),
)]
pub(crate) async fn approval(
    State(api): State<ApiState>,
    caller: Caller,
    Path(listing): Path<String>,
) -> Result<Json<WorkflowState>> {
    let id = workflow_id::listing_approval(&listing_id(listing)?);
    // Whoever decides must see what about, whosever it is.
    let caller = match caller.require(Scope::Review) {
        Ok(()) => Caller {
            scopes: BTreeSet::from([Scope::Read]),
            user: None,
            ..caller
        },
        Err(_) => caller,
    };
    show(&api, &caller, &id).await
}

/// Decide about a listing that waits for it.
///
/// The first decision counts, and the answer is what is on record. A second one is refused, and told
/// who was first.
#[utoipa::path(
    post, path = "/api/v1/listings/{listingId}/decision", tag = "reviews",
    params(("listingId" = String, Path, description = "The listing")),
    request_body = DecisionBody,
    responses((status = 200, description = "What is on record", body = ReviewDecision)),
)]
pub(crate) async fn decide(
    State(api): State<ApiState>,
    caller: Caller,
    Path(listing): Path<String>,
    body: Body<DecisionBody>,
) -> Result<Json<Value>> {
    caller.require(Scope::Review)?;
    let id = workflow_id::listing_approval(&listing_id(listing)?);
    let run = api
        .temporal
        .ask(async |client| client.process(&id).describe().await)
        .await?;
    may_decide(&caller, &run.summary)?;
    // A reviewer who asks again because no answer came is answered what they have decided.
    let update_id = hex::encode(Sha256::digest(format!("{}\n{id}\n{}", caller.id, body.raw)));
    let decision = body.value;
    let payload = json!({
        "decision": decision.decision,
        "reviewer": reviewer(&caller, decision.reviewer)?,
        "comment": decision.comment,
        "listingVersion": decision.listing_version,
    });
    let updated = api
        .temporal
        .ask(async |client| {
            client
                .process(&id)
                .update("decide", &payload, Some(update_id))
                .await
        })
        .await?;
    match updated {
        Updated::Accepted(decision) => Ok(Json(decision)),
        Updated::Rejected {
            code: ErrorCode::ValidationError,
            message,
        } => Err(ApiError::Invalid(vec![FieldProblem::new("", message)])),
        Updated::Rejected { message, .. } => Err(ApiError::Conflict(message)),
    }
}

/// Refuses who may not decide about a listing, whosever program asks: its owner.
pub(super) fn may_decide(caller: &Caller, run: &Summary) -> Result<()> {
    caller.require(Scope::Review)?;
    if caller.person.is_some() && caller.person == run.user_id {
        let message = "nobody decides about a listing of their own".to_owned();
        return Err(ApiError::Forbidden(message));
    }
    Ok(())
}

/// A person decides in their own name; a program may say for whom it speaks.
fn reviewer(caller: &Caller, named: Option<String>) -> Result<String> {
    match (named, &caller.person) {
        (Some(named), Some(own)) if named != *own => Err(ApiError::Forbidden(format!(
            "reviewer: these credentials decide as {own:?} only"
        ))),
        (Some(named), _) => Ok(named),
        (None, Some(own)) => Ok(own.clone()),
        (None, None) => Ok(caller.name.clone()),
    }
}

/// Let a listing expire at a date.
#[utoipa::path(
    post, path = "/api/v1/listings/{listingId}/expiration", tag = "listings",
    params(("listingId" = String, Path, description = "The listing, as in the body"), WaitQuery),
    request_body = ListingExpirationInput,
    responses(StartResponses),
)]
pub(crate) async fn schedule_expiration(
    Path(listing): Path<String>,
    request: StartRequest<ListingExpirationInput>,
) -> Result<Response> {
    let listing = listing_id(listing)?;
    if request.input().listing_id != listing {
        let message = format!("expected {:?}, as in the path", listing.as_str());
        return Err(ApiError::field("listingId", message));
    }
    request
        .start(workflow_id::listing_expiration(&listing))
        .await
}

/// How the expiration of a listing stands.
#[utoipa::path(
    get, path = "/api/v1/listings/{listingId}/expiration", tag = "listings",
    params(("listingId" = String, Path, description = "The listing")),
    responses((status = 200, description = "How it stands", body = WorkflowState)),
)]
pub(crate) async fn expiration(
    State(api): State<ApiState>,
    caller: Caller,
    Path(listing): Path<String>,
) -> Result<Json<WorkflowState>> {
    let id = workflow_id::listing_expiration(&listing_id(listing)?);
    show(&api, &caller, &id).await
}

fn listing_id(listing: String) -> Result<ListingId> {
    ListingId::parse(listing).map_err(|error| ApiError::field("listingId", error.to_string()))
}
