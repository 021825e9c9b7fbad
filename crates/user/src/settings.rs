//! What operators decide about the domain, as the host reads it from the configuration.

use std::time::Duration;

use url::Url;

/// The domain's settings.
#[derive(Debug, Clone)]
pub struct UserSettings {
    /// Notifications on every channel.
    pub notifications: NotificationSettings,
    /// What a new partner is told.
    pub onboarding: OnboardingSettings,
}

/// Notifications on every channel.
#[derive(Debug, Clone)]
pub struct NotificationSettings {
    /// What to do about a message that may have arrived.
    pub unknown_outcome: UnknownOutcome,
    /// Types that go out at once, also in quiet hours and to users who muted them.
    pub critical_types: Vec<String>,
    /// The most that the attachments of one mail may have together, in bytes.
    pub max_attachment_bytes: u64,
    /// How long a push service keeps a message for a device that is offline.
    pub push_time_to_live: Duration,
    /// How long an attempt that passed the gate may still be alive: longer than any one call to a
    /// relay or a push service may take.
    pub lease: Duration,
}

impl NotificationSettings {
    /// Whether a notification of this type goes out at once and to everyone.
    pub fn is_critical(&self, kind: &str) -> bool {
        self.critical_types.iter().any(|critical| critical == kind)
    }
}

/// What to do about a message whose handing over was cut off: it may have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownOutcome {
    /// Write it down as possibly delivered, and do not send it again.
    Record,
    /// Send it again under the same message id: rather twice than never.
    Resend,
}

/// What a new partner is told.
#[derive(Debug, Clone)]
pub struct OnboardingSettings {
    /// Where partners work.
    pub portal_url: Url,
    /// Where they read how.
    pub help_url: Url,
    /// Whom they ask.
    pub support_email: String,
}
