//! The payment domain's activities against a real PostgreSQL, and against the gateway, the
//! fulfilment service and their faults over real sockets. No workflow: what holds here holds however
//! often, and from wherever, an activity is run.

mod billing;
mod charges;
mod database;
mod fulfillment;
mod inventory;
mod orders;
mod subscriptions;
mod support;
mod validation;
