//! The rules that go beyond one key's type: what a key may be, and what fits together.

use std::time::Duration;

use secrecy::ExposeSecret;
use url::Url;

use super::load::Purpose;
use super::sections::{Config, SearchBackend, SmtpTls};
use crate::contact::EmailAddress;
use crate::ids::UserId;

/// Everything about a configuration that breaks a rule.
pub(super) fn rules(config: &Config, purpose: Purpose) -> Vec<String> {
    let mut problems = Vec::new();
    let mut rule = |holds: bool, problem: &str| {
        if !holds {
            problems.push(problem.to_owned());
        }
    };
    if purpose != Purpose::Client {
        let url = config.database.url.expose_secret();
        rule(!url.is_empty(), "database.url: missing, set DATABASE_URL");
    }
    if purpose != Purpose::Database {
        let port = config
            .temporal
            .address
            .rsplit_once(':')
            .map(|(_, port)| port.parse::<u16>());
        rule(
            matches!(port, Some(Ok(_))),
            "temporal.address: expected host:port, such as 127.0.0.1:7233",
        );
        let tls = &config.temporal.tls;
        rule(
            tls.cert_file.is_some() == tls.key_file.is_some(),
            "temporal.tls: cert_file and key_file come together",
        );
    }
    if purpose != Purpose::Database {
        schedule_rules(config, &mut rule);
    }
    if purpose == Purpose::Worker {
        worker_rules(config, &mut rule);
    }
    if purpose == Purpose::Api {
        api_rules(config, &mut rule);
    }
    problems
}

fn worker_rules(config: &Config, rule: &mut impl FnMut(bool, &str)) {
    rule(
        !config.gateway.api_key.expose_secret().is_empty(),
        "gateway.api_key: missing, set PARTNER__GATEWAY__API_KEY or gateway.api_key_file",
    );
    rule(
        config.fulfillment.base_url.is_some(),
        "fulfillment.base_url: missing, set PARTNER__FULFILLMENT__BASE_URL",
    );
    rule(
        !config.fulfillment.api_key.expose_secret().is_empty(),
        "fulfillment.api_key: missing, set PARTNER__FULFILLMENT__API_KEY or fulfillment.api_key_file",
    );
    rule(
        config.smtp.user.is_some() == config.smtp.password.is_some(),
        "smtp: user and password come together",
    );
    rule(
        config.smtp.user.is_none()
            || config.smtp.tls != SmtpTls::None
            || is_loopback(&config.smtp.host),
        "smtp.tls: credentials are not sent in the clear, set starttls or implicit",
    );
    rule(
        config.gateway.timeout < config.activities.timeouts.gateway,
        "gateway.timeout: must be shorter than activities.timeouts.gateway",
    );
    notification_rules(config, rule);
    listing_rules(config, rule);
    analytics_rules(config, rule);
    search_rules(config, rule);
    let retries = &config.activities.retries;
    for (name, retry) in [
        ("standard", retries.standard),
        ("aggressive", retries.aggressive),
        ("minimal", retries.minimal),
        ("extended", retries.extended),
    ] {
        rule(
            retry.coefficient >= 1.0 && retry.initial_interval <= retry.maximum_interval,
            &format!(
                "activities.retries.{name}: coefficient is at least 1, initial_interval at most maximum_interval"
            ),
        );
    }
}

fn api_rules(config: &Config, rule: &mut impl FnMut(bool, &str)) {
    let api = &config.api;
    rule(
        api.max_connections > api.max_streams,
        "api.max_connections: more than api.max_streams, which take a connection each",
    );
    rule(
        (Duration::from_secs(1)..=Duration::from_mins(10)).contains(&api.header_timeout),
        "api.header_timeout: 1 second to 10 minutes",
    );
    rule(
        (Duration::from_secs(1)..=Duration::from_mins(10)).contains(&api.body_timeout),
        "api.body_timeout: 1 second to 10 minutes",
    );
    rule(
        (Duration::from_millis(100)..=Duration::from_mins(1)).contains(&api.dependency_timeout),
        "api.dependency_timeout: 100 milliseconds to 1 minute",
    );
    rule(
        api.max_wait <= Duration::from_mins(10),
        "api.max_wait: at most 10 minutes",
    );
    rule(
        api.idempotency_ttl >= Duration::from_hours(24),
        "api.idempotency_ttl: at least 1 day, callers repeat what they are not sure of",
    );
    rule(
        api.cors_origins.iter().all(|origin| is_origin(origin)),
        "api.cors_origins: each is scheme://host, or with a port, such as https://portal.example.com; \"*\" is not taken",
    );
    let jwt = &api.jwt;
    if let Some(url) = &jwt.jwks_url {
        rule(
            url.scheme() == "https" || url.host_str().is_some_and(is_loopback),
            "api.jwt.jwks_url: expected an https address",
        );
        rule(
            !jwt.issuer.is_empty() && !jwt.audience.is_empty(),
            "api.jwt: jwks_url, issuer and audience come together",
        );
        rule(
            jwt.keys_ttl >= Duration::from_secs(1),
            "api.jwt.keys_ttl: at least 1 second",
        );
        rule(
            jwt.keys_max_age >= jwt.keys_ttl.max(Duration::from_mins(1)),
            "api.jwt.keys_max_age: at least keys_ttl, and 1 minute",
        );
    }
}

/// Whether a text is the origin of a page, spelled as browsers do.
fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text)
}

fn listing_rules(config: &Config, rule: &mut impl FnMut(bool, &str)) {
    /// Longer is no review any more, and a workflow that waits for nothing.
    const LONGEST_WINDOW: Duration = Duration::from_hours(90 * 24);
    let listing = &config.listing;
    rule(
        (Duration::from_mins(1)..=LONGEST_WINDOW).contains(&listing.review_window),
        "listing.review_window: 1 minute to 90 days",
    );
    rule(
        listing.review_reminder < listing.review_window,
        "listing.review_reminder: must be shorter than listing.review_window",
    );
    rule(
        listing
            .expiration_reminder_days
            .iter()
            .all(|days| (1..=365).contains(days)),
        "listing.expiration_reminder_days: each is 1 to 365 days",
    );
    rule(
        listing.expiration_reminder_days.len() <= 10,
        "listing.expiration_reminder_days: at most 10",
    );
    for (key, url) in [
        ("listing.review_url", &listing.review_url),
        ("onboarding.portal_url", &config.onboarding.portal_url),
    ] {
        rule(
            matches!(url.scheme(), "http" | "https") && url.has_host(),
            &format!("{key}: expected an http or https address"),
        );
    }
}

fn schedule_rules(config: &Config, rule: &mut impl FnMut(bool, &str)) {
    let schedules = &config.schedules;
    for (key, cron, may_be_empty) in [
        ("schedules.reports.cron", &schedules.reports.cron, false),
        ("schedules.cleanups.cron", &schedules.cleanups.cron, false),
        (
            "schedules.due_subscriptions.cron",
            &schedules.due_subscriptions.cron,
            true,
        ),
        (
            "schedules.expiring_listings.cron",
            &schedules.expiring_listings.cron,
            true,
        ),
        (
            "schedules.reservations.cron",
            &schedules.reservations.cron,
            true,
        ),
    ] {
        rule(
            cron.split_whitespace().count() == 5 || may_be_empty && cron.is_empty(),
            &format!(
                "{key}: expected minute, hour, day of the month, month and day of the week, such as \"0 8 * * *\""
            ),
        );
    }
    rule(
        schedules
            .reports
            .recipients
            .iter()
            .all(|recipient| EmailAddress::parse(recipient).is_ok()),
        "schedules.reports.recipients: expected email addresses",
    );
    // The service makes up for nothing within less.
    rule(
        schedules.catch_up >= Duration::from_secs(10),
        "schedules.catch_up: at least 10 seconds",
    );
}

fn analytics_rules(config: &Config, rule: &mut impl FnMut(bool, &str)) {
    let report = &config.report;
    rule(
        UserId::parse(&config.operations.admin).is_ok(),
        "operations.admin: expected a user's id or an email address",
    );
    rule(
        report.attach_up_to <= config.notifications.max_attachment_bytes,
        "report.attach_up_to: at most notifications.max_attachment_bytes",
    );
    // What S3 signs for at most.
    rule(
        (Duration::from_mins(1)..=Duration::from_hours(7 * 24)).contains(&report.link_ttl),
        "report.link_ttl: 1 minute to 7 days",
    );
    rule(
        report.statement_timeout < config.activities.timeouts.long,
        "report.statement_timeout: must be shorter than activities.timeouts.long",
    );
    rule(
        config.cleanup.pause < config.activities.timeouts.very_long,
        "cleanup.pause: must be shorter than activities.timeouts.very_long",
    );
}

fn notification_rules(config: &Config, rule: &mut impl FnMut(bool, &str)) {
    rule(
        config
            .subscription
            .retry_days
            .iter()
            .all(|days| (1..=90).contains(days)),
        "subscription.retry_days: each is 1 to 90 days",
    );
    rule(
        config.push.subject.starts_with("mailto:") || config.push.subject.starts_with("https:"),
        "push.subject: expected mailto:name@domain or https://...",
    );
    rule(
        3 * config.smtp.timeout < config.activities.timeouts.short,
        "smtp.timeout: three steps of it must be shorter than activities.timeouts.short",
    );
    rule(
        config.notifications.max_attachment_bytes >= 65_536,
        "notifications.max_attachment_bytes: at least 65536, the welcome package brings a guide",
    );
    rule(
        config.push.timeout < config.activities.timeouts.short,
        "push.timeout: must be shorter than activities.timeouts.short",
    );
    rule(
        config.storage.timeout < config.activities.timeouts.short,
        "storage.timeout: must be shorter than activities.timeouts.short",
    );
    rule(
        EmailAddress::parse(&config.onboarding.support_email).is_ok(),
        "onboarding.support_email: expected name@domain",
    );
}

fn search_rules(config: &Config, rule: &mut impl FnMut(bool, &str)) {
    let search = &config.search;
    if search.backend != SearchBackend::OpenSearch {
        return;
    }
    rule(
        search.url.is_some(),
        "search.url: missing, set PARTNER__SEARCH__URL, or search.backend to postgres",
    );
    rule(
        search.user.is_some() == search.password.is_some(),
        "search: user and password come together",
    );
    rule(
        search.user.is_none() || search.api_key.is_none(),
        "search: a user or an api_key, not both",
    );
    let has_credentials = search.password.is_some() || search.api_key.is_some();
    let is_private = search
        .url
        .as_ref()
        .is_none_or(|url| url.scheme() == "https" || url.host_str().is_some_and(is_loopback));
    rule(
        is_private || !has_credentials,
        "search.url: credentials are not sent in the clear, expected https",
    );
    rule(
        search.timeout < config.activities.timeouts.medium,
        "search.timeout: must be shorter than activities.timeouts.medium",
    );
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
