//! What is cleaned up, and in which order.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What is cleaned up. The spellings are part of the wire contract.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CleanupType {
    /// What applications had to say about themselves.
    Logs,
    /// Sessions that nobody used for long.
    Sessions,
    /// Temporary files, with their contents in object storage.
    TempFiles,
}

impl CleanupType {
    /// Every type of the contract.
    pub const ALL: [Self; 3] = [Self::Logs, Self::Sessions, Self::TempFiles];

    /// The spelling on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Sessions => "sessions",
            Self::TempFiles => "temp_files",
        }
    }

    /// The type with this spelling.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }

    /// The table whose rows these are.
    pub const fn table(self) -> &'static str {
        match self {
            Self::Logs => "application_logs",
            Self::Sessions => "sessions",
            Self::TempFiles => "temp_files",
        }
    }
}

impl fmt::Display for CleanupType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A row's place in the order in which a cleanup goes through the rows: the oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// From when the row is.
    pub at: DateTime<Utc>,
    /// Its key.
    pub id: i64,
}

impl Position {
    /// Before every row.
    pub const START: Self = Self {
        // The first year: PostgreSQL's timestamps do not reach back to where chrono's do.
        at: match DateTime::from_timestamp_secs(-62_135_596_800) {
            Some(at) => at,
            None => DateTime::UNIX_EPOCH,
        },
        id: i64::MIN,
    };
}
