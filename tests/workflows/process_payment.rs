//! `processPaymentWorkflow`.

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
