//! What the analytics domain does, one file a group of activities.
#![expect(missing_docs, reason = "the SDK's macros write undocumented markers")]

pub mod cleanup;
