//! The platform from outside: real servers, the worker in a process of its own, and what is left when
//! that process is killed, stopped, or started wrongly.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod api;
mod contract;
mod crash;
mod drain;
mod observability;
mod order;
mod startup;
mod support;
