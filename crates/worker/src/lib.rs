//! The worker: composes the domains and runs them. It has no business of its own.

pub mod cli;
mod dependencies;
pub mod doctor;
mod health;
mod logging;
mod run;
pub mod schedules;
mod shutdown;

pub use dependencies::{Dependencies, DependencyError, catalog, objects, register};
pub use logging::ActivityLog;
pub use run::{Outcome, Ready, WorkerError, run};
