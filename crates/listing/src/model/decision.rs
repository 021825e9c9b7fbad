//! What was decided about a version of a listing, and by whom.

use std::fmt;

use chrono::{DateTime, Utc};
use partner_core::text_enum;
use serde::{Deserialize, Serialize};

use super::ListingStatus;
use crate::quality::Score;

text_enum! {
    /// What a review comes to.
    Decision {
        /// The listing goes live.
        Approve = "approve",
        /// It does not.
        Reject = "reject",
    }
}

impl Decision {
    /// What the listing becomes by it.
    pub const fn status(self) -> ListingStatus {
        match self {
            Self::Approve => ListingStatus::Approved,
            Self::Reject => ListingStatus::Rejected,
        }
    }
}

text_enum! {
    /// What a decision rests on.
    Provenance {
        /// A person decided.
        Human = "human",
        /// Nobody decided in time, and the score is good enough to approve.
        Rule = "rule",
        /// Nobody decided in time, and it is not.
        Timeout = "timeout",
    }
}

/// A decision about one version of a listing. There is one for each version at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReviewDecision {
    /// What was decided.
    pub decision: Decision,
    /// What it rests on.
    pub provenance: Provenance,
    /// Who decided, as they were named; empty if nobody was.
    pub reviewer: String,
    /// What the partner is told; may be empty.
    pub comment: String,
    /// The version that it is about.
    pub listing_version: i32,
    /// The score that was known then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// When it was taken.
    pub decided_at: DateTime<Utc>,
}

impl ReviewDecision {
    /// Who or what decided, as the end of a sentence.
    fn by(&self) -> String {
        match (self.provenance, self.reviewer.as_str()) {
            (Provenance::Rule, _) => "by its score, when nobody had decided in time".to_owned(),
            (Provenance::Timeout, _) => "because nobody had decided in time".to_owned(),
            (Provenance::Human, "") => "by a reviewer who was not named".to_owned(),
            (Provenance::Human, reviewer) => format!("by {reviewer}"),
        }
    }
}

/// As the end of "version 2 was ...".
impl fmt::Display for ReviewDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.decision.status();
        write!(f, "{status} {}", self.by())
    }
}
