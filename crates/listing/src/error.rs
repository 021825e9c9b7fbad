//! What can go wrong with a listing, and whether trying again can help.

use std::time::Duration;

use partner_core::client::ClientError;
use partner_core::database::DatabaseError;
use partner_core::error::{ErrorCode, Failure};
use partner_core::ports::notifier::NotifierError;
use partner_core::ports::search_index::SearchIndexError;

use crate::model::{ListingStatus, ReviewDecision};

/// An error of the listing domain.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    /// The input breaks a rule.
    #[error("{0}")]
    Invalid(String),
    /// No such listing.
    #[error("listing {0} does not exist")]
    NotFound(String),
    /// The listing is someone else's.
    #[error("listing {listing} does not belong to {user}")]
    NotTheOwner {
        /// Which listing.
        listing: String,
        /// Whose it was said to be.
        user: String,
    },
    /// Another workflow reviews it.
    #[error("listing {listing} is under review by workflow {workflow}")]
    UnderReview {
        /// Which listing.
        listing: String,
        /// By which workflow.
        workflow: String,
    },
    /// The listing's state machine has no such step.
    #[error("listing {listing} is {from}, it cannot become {to}; possible: {}", from.next())]
    IllegalTransition {
        /// Which listing.
        listing: String,
        /// What it is.
        from: ListingStatus,
        /// What it should have become.
        to: ListingStatus,
    },
    /// A version is decided once.
    #[error("version {} of listing {listing} was {decided} already", decided.listing_version)]
    AlreadyDecided {
        /// Which listing.
        listing: String,
        /// What was decided, and by whom.
        decided: Box<ReviewDecision>,
    },
    /// The listing was edited since.
    #[error("listing {listing} has version {current} now, not {given}: look at it again")]
    AnotherVersion {
        /// Which listing.
        listing: String,
        /// Its latest version.
        current: i32,
        /// The version that was meant.
        given: i32,
    },
    /// Only what was approved is published.
    #[error("listing {listing} cannot be published: {reason}")]
    NotPublishable {
        /// Which listing.
        listing: String,
        /// Why.
        reason: String,
    },
    /// A later write to the search index has overtaken this one, or the index remembers more than
    /// the database: the next attempt takes a higher number.
    #[error("a later write to the search index has overtaken that of listing {0}")]
    Overtaken(String),
    /// A mail's template could not be filled in.
    #[error("mail cannot be written")]
    Template(#[from] askama::Error),
    /// The search index's error.
    #[error(transparent)]
    Search(#[from] SearchIndexError),
    /// Someone could not be told.
    #[error(transparent)]
    Notifier(#[from] NotifierError),
    /// Temporal could not be used.
    #[error("the expiration could not be started")]
    Temporal(#[from] ClientError),
    /// PostgreSQL's error.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<sqlx::Error> for ListingError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl Failure for ListingError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(_)
            | Self::NotFound(_)
            | Self::NotTheOwner { .. }
            | Self::UnderReview { .. }
            | Self::IllegalTransition { .. }
            | Self::AlreadyDecided { .. }
            | Self::AnotherVersion { .. }
            | Self::NotPublishable { .. } => ErrorCode::ValidationError,
            Self::Template(_) => ErrorCode::Unknown,
            Self::Search(error) => error.code(),
            Self::Notifier(error) => error.code(),
            Self::Overtaken(_) | Self::Temporal(_) => ErrorCode::ExternalServiceError,
            Self::Database(error) => error.code(),
        }
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::Invalid(_)
            | Self::NotFound(_)
            | Self::NotTheOwner { .. }
            | Self::UnderReview { .. }
            | Self::IllegalTransition { .. }
            | Self::AlreadyDecided { .. }
            | Self::AnotherVersion { .. }
            | Self::NotPublishable { .. }
            | Self::Template(_) => false,
            Self::Search(error) => error.is_retryable(),
            Self::Notifier(error) => error.is_retryable(),
            Self::Overtaken(_) | Self::Temporal(_) => true,
            Self::Database(error) => error.is_retryable(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Search(error) => error.retry_after(),
            Self::Notifier(error) => error.retry_after(),
            _ => None,
        }
    }
}
