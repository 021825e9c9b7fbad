//! Users' in-app inboxes.
#![expect(
    unused_qualifications,
    reason = "utoipa writes several parameter lists so"
)]

use axum::Json;
use axum::extract::State;
use partner_user::repository::InboxMessage;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::auth::{Caller, Scope};
use crate::error::{ApiError, Result};
use crate::extract::{Path, Query};
use crate::paging::{PageQuery, cursor};
use crate::state::ApiState;

/// A page of an inbox.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InboxPage {
    /// The messages, the latest first.
    messages: Vec<InboxMessage>,
    /// Where the next page begins; absent after the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Which messages.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct InboxQuery {
    /// Whether only those that were not read.
    #[serde(default)]
    unread: bool,
}

/// List the messages in a user's inbox, the latest first.
#[utoipa::path(
    get, path = "/api/v1/users/{userId}/inbox", tag = "notifications",
    params(("userId" = String, Path, description = "The user"), InboxQuery, PageQuery),
    responses((status = 200, description = "A page of them", body = InboxPage)),
)]
pub(crate) async fn inbox(
    State(api): State<ApiState>,
    caller: Caller,
    Path(user): Path<String>,
    Query(which): Query<InboxQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<InboxPage>> {
    caller.require(Scope::Read)?;
    own_inbox(&caller, &user)?;
    let limit = page.limit()? as usize;
    let before: Option<i64> = page.cursor()?;
    // One more than wanted tells whether there are more.
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let messages = api.inboxes.list(&user, before, which.unread, most);
    let mut messages = api.within(messages).await?;
    let has_more = messages.len() > limit;
    messages.truncate(limit);
    let last = messages.last().filter(|_| has_more);
    let next_cursor = last.map(|last| cursor(&last.id)).transpose()?;
    Ok(Json(InboxPage {
        messages,
        next_cursor,
    }))
}

/// Note that a user read a message. Safe to repeat.
#[utoipa::path(
    post, path = "/api/v1/users/{userId}/inbox/{messageId}/read", tag = "notifications",
    params(
        ("userId" = String, Path, description = "The user"),
        ("messageId" = i64, Path, description = "The message"),
    ),
    responses((status = 200, description = "The message", body = InboxMessage)),
)]
pub(crate) async fn mark_read(
    State(api): State<ApiState>,
    caller: Caller,
    Path((user, message)): Path<(String, i64)>,
) -> Result<Json<InboxMessage>> {
    caller.require(Scope::Write)?;
    own_inbox(&caller, &user)?;
    let message = api.within(api.inboxes.mark_read(&user, message)).await?;
    message
        .map(Json)
        .ok_or_else(|| ApiError::NotFound("there is no such message".to_owned()))
}

/// PostgreSQL keeps every character but this one: no user's id has it.
fn own_inbox(caller: &Caller, user: &str) -> Result<()> {
    if user.contains('\0') {
        return Err(ApiError::field(
            "userId",
            "must not contain control characters",
        ));
    }
    caller.act_for(Some(user))
}
