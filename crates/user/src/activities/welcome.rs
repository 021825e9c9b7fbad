//! `sendWelcomePackage`: what a new partner needs, by mail, once.

use std::sync::Arc;

use partner_core::contact::EmailAddress;
use partner_core::error::activity_error;
use partner_core::heartbeat::with_heartbeat;
use partner_core::ids::UserId;
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use super::email::EmailActivities;
use crate::emails::{self, OnboardingMail};
use crate::error::UserError;
use crate::model::PersonName;
use crate::settings::OnboardingSettings;

/// Whom to welcome.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendWelcomePackageInput {
    /// The user.
    pub user_id: UserId,
    /// Where it goes.
    pub email: EmailAddress,
    /// What they are called.
    pub name: PersonName,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendWelcomePackageResult {
    /// Always true: a package that did not go out is a failure.
    pub success: bool,
    /// The user.
    pub user_id: String,
    /// Where it went.
    pub email: String,
}

/// The activity's dependencies.
pub struct WelcomeActivities {
    /// Sends it, and knows whether it already was.
    pub emails: EmailActivities,
    /// What it points to.
    pub settings: OnboardingSettings,
}

#[activities]
impl WelcomeActivities {
    /// Sends a new partner what they need to begin, once per user and address.
    #[activity(name = "sendWelcomePackage")]
    pub async fn send_welcome_package(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<SendWelcomePackageInput>,
    ) -> Result<SendWelcomePackageResult, ActivityError> {
        with_heartbeat(&ctx, self.send(input)).await
    }
}

impl WelcomeActivities {
    /// `sendWelcomePackage` without a worker around it.
    pub async fn send(
        &self,
        input: Wire<SendWelcomePackageInput>,
    ) -> Result<SendWelcomePackageResult, ActivityError> {
        let input = input.into_activity_input()?;
        let mail = emails::welcome_package(OnboardingMail {
            user_id: &input.user_id,
            email: &input.email,
            name: &input.name,
            settings: &self.settings,
        })
        .map_err(|error| activity_error(UserError::from(error)))?;
        // The mail carries its own key.
        self.emails.send(mail.into(), "").await?;
        Ok(SendWelcomePackageResult {
            success: true,
            user_id: input.user_id.into(),
            email: input.email.into(),
        })
    }
}
