//! `processPaymentWorkflow`: orders that are paid, and orders that are not.

mod drive;
mod scenarios;

pub(crate) use drive::{Ordered, all, prepare, table};
