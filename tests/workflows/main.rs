//! The workflows on a real Temporal server, PostgreSQL, gateway, inbox, push service and fulfilment.

mod listing_approval;
mod listing_expiration;
mod listing_races;
mod process_payment;
mod send_notification;
mod subscription_payment;
mod user_onboarding;
