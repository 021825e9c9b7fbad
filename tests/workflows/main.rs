//! `processPaymentWorkflow` on a real Temporal server, PostgreSQL, gateway, inbox and fulfilment.

mod cancelling;
mod completes;
mod concurrency;
mod input;
mod queries;
mod reruns;
mod retrying;
mod saga;
mod signals;
mod unknown_outcome;
