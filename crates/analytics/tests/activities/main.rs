//! The figures of reports against a real PostgreSQL: hand-made rows, figures worked out by hand.

mod analytics;
// The same server for the tests of every domain.
#[path = "../../../payment/tests/activities/database.rs"]
mod database;
mod ledger_times;
mod sales;
mod snapshot;
mod support;
