//! What reviewers say, and which of it counts: the first.

use chrono::{DateTime, Utc};
use partner_core::error::ErrorCode;
use partner_core::problem::Problem;
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};

use super::ListingApproval;
use super::state::Step;
use crate::model::{Decision, PropertyData, Provenance};

/// The payload of the update `decide`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecideInput {
    /// What is decided.
    pub decision: Decision,
    /// Who decides.
    pub reviewer: String,
    /// What the owner is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The version that the reviewer saw: a decision about an older one is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listing_version: Option<i32>,
}

/// The longest name of a reviewer, and the longest comment, in characters.
const LONGEST_REVIEWER: usize = 200;
const LONGEST_COMMENT: usize = 5_000;

/// A decision that was made, and is not on record yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ruling {
    pub(super) decision: Decision,
    pub(super) provenance: Provenance,
    pub(super) reviewer: String,
    pub(super) comment: String,
    pub(super) decided_at: DateTime<Utc>,
}

impl ListingApproval {
    /// A person decides by a signal, which cannot be refused: the first counts, also one that comes
    /// before the review begins.
    pub(super) fn signalled(
        &mut self,
        decision: Decision,
        comment: Option<String>,
        decided_at: DateTime<Utc>,
    ) {
        if self.ruling.is_some() {
            self.details.late_decisions = self.details.late_decisions.saturating_add(1);
            return;
        }
        let comment = comment.unwrap_or_default();
        self.ruling = Some(Ruling {
            decision,
            provenance: Provenance::Human,
            reviewer: String::new(),
            comment: comment.chars().take(LONGEST_COMMENT).collect(),
            decided_at,
        });
    }

    /// The listing was edited. Before a decision the new version is reviewed in place of the old
    /// one; after it, in a review of its own.
    pub(super) fn edited(&mut self, edit: Wire<PropertyData>) {
        let property = match edit.into_result() {
            Ok(property) => property,
            Err(invalid) => {
                self.details.ignored_edit = Some(invalid.to_string());
                return;
            }
        };
        let edit = if self.ruling.is_some() {
            &mut self.edit_after_ruling
        } else {
            &mut self.edit
        };
        *edit = Some(property);
    }

    /// Whether this decision can count.
    ///
    /// # Errors
    /// Why it cannot: for whoever decides, to look again or to see who was first.
    pub(super) fn check_decision(&self, input: &Wire<DecideInput>) -> Result<(), Problem> {
        let refused = |message: String| Problem::new(ErrorCode::ValidationError, message);
        let input = input.clone().into_result()?;
        check_text(&input).map_err(refused)?;
        if let Some(decided) = &self.details.decision {
            let version = decided.listing_version;
            return Err(refused(format!("version {version} was {decided} already")));
        }
        if let Some(ruling) = &self.ruling {
            return Err(refused(format!("it was {} already", said(ruling))));
        }
        if self.edit.is_some() {
            return Err(refused(
                "the listing was edited just now: look at the new version".to_owned(),
            ));
        }
        let (Some(version), Step::NotifyingReviewers | Step::Reviewing) =
            (self.details.version, self.course.step())
        else {
            return Err(refused("the listing is not under review yet".to_owned()));
        };
        match input.listing_version {
            Some(seen) if seen != version => Err(refused(format!(
                "listingVersion: the listing has version {version} now, not {seen}: look at it again"
            ))),
            _ => Ok(()),
        }
    }

    /// A person decides by the update: after [`Self::check_decision`], so it counts.
    pub(super) fn decided(
        &mut self,
        input: Wire<DecideInput>,
        decided_at: DateTime<Utc>,
    ) -> Result<(), Problem> {
        let input = input.into_result()?;
        self.ruling = Some(Ruling {
            decision: input.decision,
            provenance: Provenance::Human,
            reviewer: input.reviewer.trim().to_owned(),
            comment: input.comment.unwrap_or_default(),
            decided_at,
        });
        Ok(())
    }
}

fn check_text(input: &DecideInput) -> Result<(), String> {
    let reviewer = input.reviewer.trim();
    if reviewer.is_empty() {
        return Err("reviewer: must say who decides".to_owned());
    }
    if reviewer.chars().count() > LONGEST_REVIEWER || reviewer.contains(char::is_control) {
        return Err(format!(
            "reviewer: must be one line of at most {LONGEST_REVIEWER} characters"
        ));
    }
    let comment = input.comment.as_deref().unwrap_or_default();
    if comment.chars().count() > LONGEST_COMMENT {
        return Err(format!(
            "comment: must have at most {LONGEST_COMMENT} characters"
        ));
    }
    Ok(())
}

/// What was decided, and by whom, before it is on record.
fn said(ruling: &Ruling) -> String {
    let status = ruling.decision.status();
    match (ruling.provenance, ruling.reviewer.as_str()) {
        (Provenance::Human, "") => format!("{status} by a reviewer who was not named"),
        (Provenance::Human, reviewer) => format!("{status} by {reviewer}"),
        (Provenance::Rule | Provenance::Timeout, _) => {
            format!("{status}, because nobody had decided in time")
        }
    }
}
