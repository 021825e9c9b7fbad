//! The command line as a person or a script uses it: exit codes, output, and nothing left behind.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod commands;
mod demo;
mod dev;
mod keys;
mod operate;
mod schedules;
mod support;
