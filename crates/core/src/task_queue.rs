//! The task queues. The names are part of the wire contract.

/// Where everything runs that nothing else is said of.
pub const DEFAULT: &str = "partner-platform-queue";
/// Work that a person waits for.
pub const PRIORITY: &str = "partner-platform-priority-queue";
/// Work that may wait.
pub const BACKGROUND: &str = "partner-platform-background-queue";
/// Work that schedules start.
pub const SCHEDULED: &str = "partner-platform-scheduled-queue";
/// All of them.
pub const ALL: [&str; 4] = [DEFAULT, PRIORITY, BACKGROUND, SCHEDULED];
