//! What the API keeps in the database: keys, idempotency keys, whose a workflow is.

mod keys;
mod requests;
mod workflows;

pub use keys::{KeyRepository, NewKey};
pub(crate) use requests::{First, RequestRepository};
pub(crate) use workflows::{Owned, WorkflowRepository};
