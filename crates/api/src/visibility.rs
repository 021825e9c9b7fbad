//! What a caller may see: one that is bound to a user, what was started through the API for that user.
//! Everything else is not there for them.

use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::state::Api;

/// Refuses a workflow that is not the caller's as if it did not exist.
pub(crate) async fn find(api: &Api, caller: &Caller, id: &str) -> Result<()> {
    if id.contains('\0') {
        return Err(missing(id));
    }
    if caller.user.is_none() {
        return Ok(());
    }
    let owner = api.within(api.workflows.owner(id)).await?;
    match owner {
        Some(owner) if caller.sees(&owner) => Ok(()),
        _ => Err(missing(id)),
    }
}

fn missing(id: &str) -> ApiError {
    ApiError::NotFound(format!("there is no workflow {id:?}"))
}
