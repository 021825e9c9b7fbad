//! `updateUserStatus`: the user's state machine.

use std::sync::Arc;

use partner_core::contact::EmailAddress;
use partner_core::error::activity_error;
use partner_core::ids::UserId;
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use crate::model::{PersonName, UserStatus};
use crate::repository::{Profile, StatusChange, UserRepository};

/// What a user shall become.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateUserStatusInput {
    /// The user.
    pub user_id: UserId,
    /// What they shall become.
    pub status: UserStatus,
    /// Why, where that needs words; without it, the reason of the status before is cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Their address. With it and the name, a user who does not exist is created first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailAddress>,
    /// What they are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<PersonName>,
    /// A user of one of these statuses is left as they are, and the answer says so by its status.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unless: Vec<UserStatus>,
}

/// What they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateUserStatusResult {
    /// Always true: a refused step is a failure.
    pub success: bool,
    /// The user.
    pub user_id: String,
    /// What they are: what was asked for, or what `unless` left.
    pub status: UserStatus,
}

/// The activity's dependencies.
pub struct AccountActivities {
    /// The users.
    pub users: UserRepository,
}

#[activities]
impl AccountActivities {
    /// Moves a user along their state machine.
    #[activity(name = "updateUserStatus")]
    pub async fn update_user_status(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: Wire<UpdateUserStatusInput>,
    ) -> Result<UpdateUserStatusResult, ActivityError> {
        self.update(input).await
    }
}

impl AccountActivities {
    /// `updateUserStatus` without a worker around it.
    pub async fn update(
        &self,
        input: Wire<UpdateUserStatusInput>,
    ) -> Result<UpdateUserStatusResult, ActivityError> {
        let input = input.into_activity_input()?;
        // A reason quotes other systems; PostgreSQL's text holds everything but this character.
        let reason = input.reason.map(|reason| reason.replace('\0', ""));
        let profile = input.email.as_ref().zip(input.name.as_ref());
        let change = StatusChange {
            user_id: &input.user_id,
            status: input.status,
            reason: reason.as_deref(),
            unless: &input.unless,
            profile: profile.map(|(email, name)| Profile { email, name }),
        };
        let status = self
            .users
            .change_status(&change)
            .await
            .map_err(activity_error)?;
        Ok(UpdateUserStatusResult {
            success: true,
            user_id: input.user_id.into(),
            status,
        })
    }
}
