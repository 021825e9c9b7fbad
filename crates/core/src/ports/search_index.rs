//! The search index: where the public finds what is for sale.
//!
//! It is a copy and owns nothing, so every write carries a *version* that the owner of the listings
//! counted up in its own database before the write. The index keeps the highest version that it has
//! seen of a listing, also of a removed one, and refuses what is older: writes that overtake each
//! other, or that are repeated, end in the state of the last one.

use std::time::Duration;

use async_trait::async_trait;
use rust_decimal::Decimal;

use crate::database::DatabaseError;
use crate::error::{ErrorCode, Failure};

/// The longest id in bytes that every index can address: what Elasticsearch's `_id` holds.
const MAX_ID: usize = 512;

/// How much of what somebody typed is searched for, in characters. A search engine limits the terms
/// of a query in all the fields it is looked for in (Elasticsearch's
/// `indices.query.bool.max_clause_count`, by default 1024), and more than this is no question.
const MAX_TEXT: usize = 256;

/// How much of the name of a place counts when two are compared, in characters.
const MAX_PLACE: usize = 100;

/// A listing as it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchDocument {
    /// The listing.
    pub listing_id: String,
    /// The version of the write that brings it; not negative.
    pub version: i64,
    /// One line.
    pub title: String,
    /// The text, as plain text.
    pub description: String,
    /// The price in major units; listings have no currency on the wire.
    pub price: Decimal,
    /// The city.
    pub city: String,
    /// The state, canton or province.
    pub state: String,
    /// Street and number.
    pub address: String,
    /// The postal code.
    pub zip_code: Option<String>,
    /// How many bedrooms; 0 is a studio.
    pub bedrooms: Option<Decimal>,
    /// How many bathrooms; halves have no bath.
    pub bathrooms: Option<Decimal>,
    /// How large it is, in the unit of its country.
    pub area: Option<Decimal>,
    /// The addresses of its pictures.
    pub images: Vec<String>,
}

/// What is searched for. Every part that is given must fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    /// What somebody typed. Every word must be there, in the title, the place or the description;
    /// `"a phrase"` in this order, `-word` not at all, and of `one OR other` one of the two.
    /// Anything may be typed: what means nothing is ignored, and a text without a single word
    /// finds nothing.
    pub text: Option<String>,
    /// The lowest price, included.
    pub min_price: Option<Decimal>,
    /// The highest price, included.
    pub max_price: Option<Decimal>,
    /// The city, in any case.
    pub city: Option<String>,
    /// The state, canton or province, in any case.
    pub state: Option<String>,
    /// The fewest bedrooms, included; a listing that does not say how many it has is left out.
    pub min_bedrooms: Option<Decimal>,
    /// How many hits a page has: 1 to [`SearchQuery::MAX_LIMIT`], and what is outside counts as the
    /// nearest of the two.
    pub limit: u16,
    /// Where the page before ended.
    pub after: Option<SearchCursor>,
}

impl SearchQuery {
    /// The most hits that a page has.
    pub const MAX_LIMIT: u16 = 100;

    /// The typed text as an index takes it: without control characters, and not longer than what
    /// every index can search for. `None` if nothing was typed.
    pub fn typed(&self) -> Option<String> {
        let text: String = self
            .text
            .as_deref()?
            .trim()
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(MAX_TEXT)
            .collect();
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// What the [`place_key`] of a hit's city must be, if a city was asked for.
    pub fn city_key(&self) -> Option<String> {
        wanted_key(self.city.as_deref())
    }

    /// What the [`place_key`] of a hit's state must be, if a state was asked for.
    pub fn state_key(&self) -> Option<String> {
        wanted_key(self.state.as_deref())
    }

    /// How many hits the page has at most.
    pub fn page_size(&self) -> usize {
        usize::from(self.limit.clamp(1, Self::MAX_LIMIT))
    }
}

impl Default for SearchQuery {
    /// Everything, twenty at a time.
    fn default() -> Self {
        Self {
            text: None,
            min_price: None,
            max_price: None,
            city: None,
            state: None,
            min_bedrooms: None,
            limit: 20,
            after: None,
        }
    }
}

/// Where a page ended. Only the index that made it can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchCursor(String);

impl SearchCursor {
    /// The cursor of this text, as an earlier page gave it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, which goes into a URL as it is.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Some of the hits: by relevance, and by id where that is equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchPage {
    /// The listings.
    pub hits: Vec<SearchDocument>,
    /// Where the next page begins, if there is one.
    pub next: Option<SearchCursor>,
}

/// Makes listings findable.
///
/// Ids have 1 to 512 bytes without control characters and are neither `.` nor `..`, because an
/// index may address a listing by a path; versions are not negative.
#[async_trait]
pub trait SearchIndex: Send + Sync {
    /// Makes a listing findable, or replaces how it is found. After `Ok`, searches find it.
    ///
    /// The same write again changes nothing and is `Ok`;
    /// [`Superseded`](SearchIndexError::Superseded) says that a newer one is there.
    async fn publish(&self, document: &SearchDocument) -> Result<(), SearchIndexError>;

    /// Makes sure that a listing is not found, unless a newer write publishes it; one that was never
    /// published is fine. `version` is this write's own. After `Ok`, no search finds it.
    async fn remove(&self, listing_id: &str, version: i64) -> Result<(), SearchIndexError>;

    /// One page of what fits.
    async fn search(&self, query: &SearchQuery) -> Result<SearchPage, SearchIndexError>;

    /// What is published of one listing, as of the last write that was answered.
    async fn lookup(&self, listing_id: &str) -> Result<Option<SearchDocument>, SearchIndexError>;
}

/// Why a call to the search index failed.
#[derive(Debug, thiserror::Error)]
pub enum SearchIndexError {
    /// A newer write is there: this one is out of date, and nothing was done. To whoever writes this
    /// is an answer: the index is where it should be.
    #[error("search index has a newer write of listing {listing_id:?} than version {version}")]
    Superseded {
        /// The listing.
        listing_id: String,
        /// The version that came too late.
        version: i64,
    },
    /// No index can take this: an id, a version or a cursor that is none.
    #[error("{0}")]
    Invalid(String),
    /// It refused for good (4xx): nothing was done.
    #[error("search index refused the call with status {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// It is busy or failed (429, 5xx): whether a write took effect is not known.
    #[error("search index failed with status {status}: {message}")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// Its words.
        message: String,
        /// How long it asks us to wait.
        retry_after: Option<Duration>,
    },
    /// No whole answer, or none that an index gives: whether a write took effect is not known.
    #[error("search index gave no answer: {0}")]
    NoAnswer(String),
    /// The index is in a database, and that could not be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl SearchIndexError {
    /// Whether a newer write is there, so that this one has nothing left to do.
    pub const fn is_superseded(&self) -> bool {
        matches!(self, Self::Superseded { .. })
    }
}

impl Failure for SearchIndexError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(_) => ErrorCode::ValidationError,
            Self::Superseded { .. }
            | Self::Refused { .. }
            | Self::Unavailable { .. }
            | Self::NoAnswer(_) => ErrorCode::ExternalServiceError,
            Self::Database(error) => error.code(),
        }
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::NoAnswer(_) => true,
            Self::Superseded { .. } | Self::Invalid(_) | Self::Refused { .. } => false,
            Self::Database(error) => error.is_retryable(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// What two names of a place are compared by: lower case, single spaces, the first 100 characters.
///
/// It is made here and kept in every index, because databases and search engines disagree about the
/// case of letters beyond ASCII.
pub fn place_key(name: &str) -> String {
    let words: Vec<_> = name.split_whitespace().collect();
    words
        .join(" ")
        .to_lowercase()
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_PLACE)
        .collect()
}

fn wanted_key(name: Option<&str>) -> Option<String> {
    name.map(place_key).filter(|key| !key.is_empty())
}

/// Checks what every index asks of an id.
///
/// # Errors
/// [`SearchIndexError::Invalid`] says which rule it breaks.
pub fn check_listing_id(listing_id: &str) -> Result<(), SearchIndexError> {
    let problem = match listing_id {
        "" => "must not be empty",
        "." | ".." => "must not be a relative path",
        id if id.len() > MAX_ID => "must be at most 512 bytes long",
        id if id.contains(char::is_control) => "must not contain control characters",
        _ => return Ok(()),
    };
    Err(SearchIndexError::Invalid(format!("listing id {problem}")))
}

/// Checks what every index asks of a write.
///
/// # Errors
/// [`SearchIndexError::Invalid`] says which rule it breaks.
pub fn check_write(listing_id: &str, version: i64) -> Result<(), SearchIndexError> {
    check_listing_id(listing_id)?;
    if version < 0 {
        return Err(SearchIndexError::Invalid(format!(
            "version of listing {listing_id:?} must not be negative, got {version}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Option<String> {
        let query = SearchQuery {
            text: Some(text.to_owned()),
            ..SearchQuery::default()
        };
        query.typed()
    }

    #[test]
    fn what_was_typed_is_cleaned_and_cut() {
        assert_eq!(typed(" lake\0side\n ").as_deref(), Some("lake side"));
        assert_eq!(typed("\0 \t"), None);
        assert_eq!(SearchQuery::default().typed(), None);
        assert_eq!(typed(&"ü".repeat(10_000)), Some("ü".repeat(MAX_TEXT)));
    }

    #[test]
    fn places_are_compared_in_any_case_and_spacing() {
        assert_eq!(place_key(" ZÜRICH "), place_key("zürich"));
        assert_eq!(place_key("New \t York"), "new york");
        assert_ne!(place_key("Zug"), place_key("Zürich"));
        assert_eq!(place_key(&"Ü".repeat(10_000)).chars().count(), MAX_PLACE);
        let blank = SearchQuery {
            city: Some(" ".to_owned()),
            ..SearchQuery::default()
        };
        assert_eq!(blank.city_key(), None);
    }

    #[test]
    fn a_page_has_a_size_that_every_index_gives() {
        for (limit, size) in [(0, 1), (1, 1), (100, 100), (u16::MAX, 100)] {
            let query = SearchQuery {
                limit,
                ..SearchQuery::default()
            };
            assert_eq!(query.page_size(), size);
        }
    }

    #[test]
    fn an_id_that_no_path_carries_is_refused() {
        for id in ["", ".", "..", "a\nb", "a\0", &"x".repeat(513)] {
            let error = check_write(id, 1).unwrap_err();
            assert_eq!(error.code(), ErrorCode::ValidationError, "{id:?}");
            assert!(!error.is_retryable());
        }
        for id in ["listing-1", "a/b?c#d", "...", "ü", &"x".repeat(512)] {
            check_write(id, 0).unwrap();
        }
        assert!(check_write("listing-1", -1).is_err());
    }

    #[test]
    fn only_what_may_mend_itself_is_tried_again() {
        let wait = Some(Duration::from_secs(7));
        let busy = SearchIndexError::Unavailable {
            status: 429,
            message: String::new(),
            retry_after: wait,
        };
        assert!(busy.is_retryable());
        assert_eq!(busy.retry_after(), wait);
        assert!(SearchIndexError::NoAnswer(String::new()).is_retryable());
        let late = SearchIndexError::Superseded {
            listing_id: "listing-1".to_owned(),
            version: 1,
        };
        assert!(late.is_superseded() && !late.is_retryable());
        for (error, retryable) in [
            (sqlx::Error::PoolTimedOut, true),
            (sqlx::Error::RowNotFound, false),
        ] {
            let error = SearchIndexError::from(DatabaseError::from(error));
            assert_eq!(error.code(), ErrorCode::DatabaseError);
            assert_eq!(error.is_retryable(), retryable);
        }
    }
}
