//! The queue of reviewers.

use axum::Json;
use axum::extract::State;
use partner_listing::repository::QueuedReview;
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::{Caller, Scope};
use crate::error::Result;
use crate::extract::Query;
use crate::paging::{PageQuery, Position, cursor};
use crate::state::ApiState;

/// A page of the queue.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReviewPage {
    /// What waits, the oldest first.
    reviews: Vec<QueuedReview>,
    /// Where the next page begins; absent after the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List the listings that wait for a decision, the oldest first.
#[utoipa::path(
    get, path = "/api/v1/reviews", tag = "reviews", params(PageQuery),
    responses((status = 200, description = "A page of them", body = ReviewPage)),
)]
pub(crate) async fn list(
    State(api): State<ApiState>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<ReviewPage>> {
    caller.require(Scope::Review)?;
    let limit = page.limit()? as usize;
    let after = page.position()?;
    let after = after.as_ref().map(|after| (after.at, after.id.as_str()));
    // One more than wanted tells whether there are more.
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut reviews = api.within(api.reviews.queue(after, most)).await?;
    let has_more = reviews.len() > limit;
    reviews.truncate(limit);
    let last = reviews.last().filter(|_| has_more);
    let next_cursor = last.map(|last| {
        cursor(&Position {
            at: last.submitted_at,
            id: last.listing_id.clone(),
        })
    });
    Ok(Json(ReviewPage {
        next_cursor: next_cursor.transpose()?,
        reviews,
    }))
}
