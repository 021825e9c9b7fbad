//! The HTTP API: the platform's processes for callers who know nothing of Temporal.
//!
//! A request is read against the API's own description (OpenAPI 3.1, generated from the types), its
//! caller is known by an API key or an access token and sees what is theirs, and it starts, asks or
//! tells a workflow. Nothing is done here that a workflow does not do: a request that is lost is
//! repeated, and what was begun goes on.

pub mod auth;
pub mod cli;
mod description;
pub mod error;
mod events;
mod extract;
mod limits;
mod listener;
mod paging;
mod places;
mod progress;
pub mod repository;
mod resources;
mod router;
mod schemas;
mod serve;
mod start;
mod state;
mod temporal;
mod visibility;

pub use description::description;
pub use serve::{Ready, ServeError, serve};
