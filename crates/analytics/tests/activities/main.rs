//! The analytics domain against a real PostgreSQL and a real folder of files. No workflow: what holds
//! here holds however often, and from wherever, it is run.

mod analytics;
mod cleanup_audit;
mod cleanup_backup;
mod cleanup_crash;
mod cleanup_delete;
mod cleanup_files;
mod cleanup_lanes;
mod cleanup_objects;
mod cleanup_plan;
mod cleanup_restore;
mod cleanup_support;
mod cleanup_versions;
// The same server for the tests of every domain.
#[path = "../../../payment/tests/activities/database.rs"]
mod database;
mod ledger_times;
mod reminders;
mod reports;
mod sales;
mod snapshot;
mod support;
