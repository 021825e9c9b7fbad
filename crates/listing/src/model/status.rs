//! How a listing stands.

use partner_core::text_enum;

text_enum! {
    /// How a listing stands.
    ListingStatus {
        /// Being written, or withdrawn.
        Draft = "draft",
        /// Waiting for a decision.
        PendingReview = "pending_review",
        /// Approved: it is in the search index, or on its way there.
        Approved = "approved",
        /// Rejected; it can be submitted again.
        Rejected = "rejected",
        /// Its time is over.
        Expired = "expired",
        /// It breaks rules; `listings.status_reason` says which.
        ValidationFailed = "validation_failed",
        /// Something else went wrong; `listings.status_reason` says what.
        Error = "error",
    }
}

impl ListingStatus {
    /// Whether a listing of this status may become `next`.
    ///
    /// The database decides; this says the same beforehand. Becoming what it is is always allowed:
    /// an activity may run twice.
    pub const fn may_become(self, next: Self) -> bool {
        use ListingStatus::{
            Approved, Draft, Error, Expired, PendingReview, Rejected, ValidationFailed,
        };
        match self {
            Draft => matches!(next, Draft | PendingReview | ValidationFailed | Error),
            PendingReview => !matches!(next, Expired),
            Approved => !matches!(next, Rejected),
            Rejected => !matches!(next, Approved | Expired),
            Expired => !matches!(next, Approved | Rejected),
            ValidationFailed => {
                matches!(next, ValidationFailed | Draft | PendingReview | Error)
            }
            Error => !matches!(next, Rejected | Expired),
        }
    }

    /// What a listing of this status may become, other than what it is, as a list for a person.
    pub(crate) fn next(self) -> String {
        let next: Vec<_> = Self::ALL
            .iter()
            .filter(|&&next| next != self && self.may_become(next))
            .map(|next| next.as_str())
            .collect();
        next.join(", ")
    }
}
