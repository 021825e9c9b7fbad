//! Listings that are reviewed, and listings that expire.

mod approval;
mod expiration;
mod seen;

pub(crate) use approval::{all as approvals, table as approvals_table};
pub(crate) use expiration::{all as expirations, approve, table as expirations_table};
pub(crate) use seen::{Listing, Seen, prepare};
