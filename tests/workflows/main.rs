//! The workflows on a real Temporal server, PostgreSQL, gateway, inbox, push service and fulfilment.

mod daily_report;
mod data_cleanup;
mod due_subscriptions;
mod expiring_listings;
mod listing_approval;
mod listing_expiration;
mod listing_races;
mod process_payment;
mod reminder;
mod reservation_expiry;
mod send_notification;
mod subscription_payment;
mod user_onboarding;
