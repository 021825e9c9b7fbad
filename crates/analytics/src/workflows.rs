//! The analytics domain's processes, one file each.
#![expect(missing_docs, reason = "the SDK's macros write undocumented markers")]

pub mod daily_report;
pub mod data_cleanup;
pub mod reminder;
