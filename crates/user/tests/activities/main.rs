//! The user domain's activities against a real PostgreSQL and a real SMTP server with faults. No
//! workflow: what holds here holds however often, and from wherever, an activity is run.

mod accounts;
// The same server for the tests of every domain.
#[path = "../../../payment/tests/activities/database.rs"]
mod database;
mod doubles;
mod emails;
mod ledger;
mod notifications;
mod plans;
mod records;
mod support;
mod welcome;
