//! Support for the workspace's tests: one embedded platform a process, workers on threads of their
//! own, faults in activities, and books counted from outside.

pub mod books;
pub mod branches;
pub mod cleanups;
pub mod faults;
pub mod history;
pub mod listings;
pub mod orders;
pub mod reminders;
pub mod reports;
pub mod stage;
pub mod subscriptions;
pub mod sweeps;
pub mod users;
