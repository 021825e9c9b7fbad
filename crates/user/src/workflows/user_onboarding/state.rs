//! What an onboarding is started with, what it results in, and where it stands.

use partner_core::contact::EmailAddress;
use partner_core::ids::UserId;
use partner_core::progress;
use serde::{Deserialize, Serialize};

use crate::model::{PersonName, UserStatus};

/// Who becomes a partner.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserOnboardingInput {
    /// The user: their id, or their email address. Someone unknown is created under it.
    pub user_id: UserId,
    /// Where their mail goes.
    pub email: EmailAddress,
    /// What they are called.
    pub name: PersonName,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserOnboardingResult {
    /// Always true: an onboarding that failed is a failed workflow.
    pub success: bool,
    /// The user.
    pub user_id: String,
    /// For a person.
    pub message: String,
}

/// The answer of `getDetails`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OnboardingDetails {
    /// The user.
    pub user_id: Option<String>,
    /// Where their mail goes.
    pub email: Option<String>,
    /// What they are called.
    pub name: Option<String>,
    /// How they stand, as the workflow last saw it.
    pub user_status: Option<UserStatus>,
}

/// The steps, for `getStatus` and `getProgress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Beginning,
    SendingWelcomePackage,
    Notifying,
    Activating,
    Confirming,
    MarkingFailed,
    Done,
}

impl progress::Step for Step {
    const TOTAL: u32 = 5;

    fn name(self) -> &'static str {
        match self {
            Self::Beginning => "beginning",
            Self::SendingWelcomePackage => "sending_welcome_package",
            Self::Notifying => "notifying",
            Self::Activating => "activating",
            Self::Confirming => "confirming",
            Self::MarkingFailed => "marking_failed",
            Self::Done => "done",
        }
    }

    fn completed(self) -> u32 {
        match self {
            Self::Beginning => 0,
            // What was done before does not count any more.
            Self::SendingWelcomePackage | Self::MarkingFailed => 1,
            Self::Notifying => 2,
            Self::Activating => 3,
            Self::Confirming => 4,
            Self::Done => Self::TOTAL,
        }
    }
}
