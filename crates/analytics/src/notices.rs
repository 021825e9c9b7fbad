//! What people are told by the analytics domain: in the app, by push, and by a mail of its own. One key
//! each, so that nobody is told twice.

pub(crate) mod cleanup;
pub(crate) mod reminder;
pub(crate) mod report;
