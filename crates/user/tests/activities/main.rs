//! The user domain's activities against a real PostgreSQL and a real SMTP server with faults. No
//! workflow: what holds here holds however often, and from wherever, an activity is run.

// The same server for the tests of every domain.
#[path = "../../../payment/tests/activities/database.rs"]
mod database;
mod emails;
mod support;
