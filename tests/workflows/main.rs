//! The workflows on a real Temporal server, PostgreSQL, gateway, inbox, push service and fulfilment.

mod process_payment;
mod send_notification;
mod subscription_payment;
mod user_onboarding;
