//! The HTTP API from outside: every answer is checked against its own description.

mod access;
mod connections;
mod decisions;
mod faults;
mod lists;
mod protocol;
mod starts;
mod support;
mod tokens;
mod webhooks;
