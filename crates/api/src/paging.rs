//! Lists page by page: an answer has the cursor of the next page, which only we can read.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Datelike as _, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::error::{ApiError, Result};

/// Which part of a list.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// How many, 50 if nobody says.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `nextCursor` of the page before; the first page without it.
    cursor: Option<String>,
}

const DEFAULT: u32 = 50;
const MOST: u32 = 200;

impl PageQuery {
    pub(crate) fn limit(&self) -> Result<u32> {
        let limit = self.limit.unwrap_or(DEFAULT);
        if (1..=MOST).contains(&limit) {
            Ok(limit)
        } else {
            Err(ApiError::field("limit", format!("expected 1 to {MOST}")))
        }
    }

    /// Where the page begins.
    pub(crate) fn cursor<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let Some(text) = &self.cursor else {
            return Ok(None);
        };
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        let cursor = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        cursor.map(Some).ok_or_else(invalid_cursor)
    }
}

/// A place in a list that is in the order of time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) at: DateTime<Utc>,
    pub(crate) id: String,
}

impl PageQuery {
    /// Where a page of such a list begins. A cursor is anyone's claim: what the database cannot
    /// compare with is no place.
    pub(crate) fn position(&self) -> Result<Option<Position>> {
        let position: Option<Position> = self.cursor()?;
        match position {
            Some(position)
                if position.id.contains('\0') || !(1970..10_000).contains(&position.at.year()) =>
            {
                Err(invalid_cursor())
            }
            position => Ok(position),
        }
    }
}

/// A cursor that we did not write.
pub(crate) fn invalid_cursor() -> ApiError {
    ApiError::field("cursor", "expected the nextCursor of another page")
}

/// A cursor as text.
pub(crate) fn cursor(position: &impl Serialize) -> Result<String> {
    let bytes =
        serde_json::to_vec(position).map_err(|error| ApiError::Defect(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
