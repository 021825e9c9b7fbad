//! The listing domain's activities against a real PostgreSQL. No workflow: what holds here holds
//! however often, and from wherever, an activity is run.

mod answers;
mod audit;
mod constraints;
// The same server for the tests of every domain.
#[path = "../../../payment/tests/activities/database.rs"]
mod database;
mod decisions;
mod doubles;
mod expiration;
mod guards;
mod histories;
mod index_faults;
mod overtaking;
mod publication;
mod reviewers;
mod status;
mod submission;
mod support;
mod tampering;
