//! `subscriptionPaymentWorkflow`.

mod durable;
mod one_attempt;
mod refusing;
