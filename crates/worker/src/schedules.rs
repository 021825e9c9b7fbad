//! The recurring work that the configuration asks for.

use partner_core::client::Schedule;
use partner_core::config::{Config, SchedulesConfig, SubscriptionSchedule};
use serde_json::{Value, json};

/// What the ids of this platform's schedules begin with.
pub const PREFIX: &str = "partner-";

/// Every schedule that the configuration asks for.
pub fn planned(config: &Config) -> Vec<Schedule> {
    let schedules = &config.schedules;
    let mut planned = reports(schedules);
    planned.extend(cleanups(schedules));
    planned.extend(sweeps(config));
    planned
}

fn reports(config: &SchedulesConfig) -> Vec<Schedule> {
    let reports = &config.reports;
    if reports.recipients.is_empty() {
        return Vec::new();
    }
    let planned = reports.types.iter().map(|report| {
        let report = report.as_str();
        let input = json!({ "reportType": report, "recipients": reports.recipients });
        let id = format!("daily-report-{report}");
        schedule(config, &reports.cron, "dailyReportWorkflow", id, input)
    });
    planned.collect()
}

fn cleanups(config: &SchedulesConfig) -> Vec<Schedule> {
    let cleanups = &config.cleanups;
    let kept = [
        ("logs", cleanups.logs_days),
        ("sessions", cleanups.sessions_days),
        ("temp_files", cleanups.temp_files_days),
    ];
    let planned = kept.iter().filter(|(_, days)| *days > 0);
    let planned = planned.map(|(kind, days)| {
        let input = json!({ "cleanupType": kind, "retentionDays": days });
        let id = format!("cleanup-{kind}");
        schedule(config, &cleanups.cron, "dataCleanupWorkflow", id, input)
    });
    planned.collect()
}

fn sweeps(config: &Config) -> Vec<Schedule> {
    let schedules = &config.schedules;
    // A durable schedule is each subscription's own.
    let is_billed_by_us = config.subscription.schedule == SubscriptionSchedule::Caller;
    let planned = [
        (
            "due-subscriptions",
            "dueSubscriptionsWorkflow",
            &schedules.due_subscriptions,
            is_billed_by_us,
        ),
        (
            "expiring-listings",
            "expiringListingsWorkflow",
            &schedules.expiring_listings,
            true,
        ),
        (
            "reservation-expiry",
            "reservationExpiryWorkflow",
            &schedules.reservations,
            true,
        ),
    ];
    let planned = planned
        .into_iter()
        .filter(|(_, _, sweep, is_ours)| *is_ours && !sweep.cron.is_empty());
    let planned = planned.map(|(id, workflow, sweep, _)| {
        schedule(schedules, &sweep.cron, workflow, id.to_owned(), json!({}))
    });
    planned.collect()
}

/// The workflow's id begins as the contract says; the service adds the planned time to it.
fn schedule(
    config: &SchedulesConfig,
    cron: &str,
    workflow: &'static str,
    workflow_id: String,
    input: Value,
) -> Schedule {
    Schedule {
        id: format!("{PREFIX}{workflow_id}"),
        workflow,
        workflow_id,
        input,
        cron: cron.to_owned(),
        time_zone: config.time_zone.name().to_owned(),
        jitter: config.jitter,
        catch_up: config.catch_up,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use partner_core::config::{ConfigSources, Purpose, load};

    use super::*;

    fn config(environment: &[(&str, &str)]) -> Config {
        let environment: BTreeMap<_, _> = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let sources = ConfigSources {
            environment,
            file: None,
            default_profile: "development",
        };
        load(&sources, Purpose::Client).unwrap().config
    }

    #[test]
    fn without_recipients_no_report_is_planned() {
        let planned = planned(&config(&[]));
        let ids: Vec<_> = planned
            .iter()
            .map(|schedule| schedule.id.as_str())
            .collect();
        assert_eq!(
            ids,
            [
                "partner-cleanup-logs",
                "partner-cleanup-sessions",
                "partner-due-subscriptions",
                "partner-expiring-listings",
                "partner-reservation-expiry",
            ]
        );
        assert_eq!(planned[0].cron, "0 2 * * 0");
        assert_eq!(
            planned[1].input,
            json!({ "cleanupType": "sessions", "retentionDays": 30 })
        );
    }

    #[test]
    fn what_is_due_is_looked_for_as_the_contract_says() {
        let crons = |environment: &[(&str, &str)]| {
            let planned = planned(&config(environment)).into_iter();
            let sweeps = planned.filter(|schedule| schedule.input == json!({}));
            let crons = sweeps.map(|schedule| (schedule.workflow, schedule.cron));
            crons.collect::<Vec<_>>()
        };
        let hourly = ("dueSubscriptionsWorkflow", "0 * * * *".to_owned());
        let daily = ("expiringListingsWorkflow", "0 3 * * *".to_owned());
        let often = ("reservationExpiryWorkflow", "*/10 * * * *".to_owned());
        assert_eq!(crons(&[]), [hourly, daily.clone(), often.clone()]);
        let durable = ("PARTNER__SUBSCRIPTION__SCHEDULE", "durable");
        assert_eq!(crons(&[durable]), [daily.clone(), often]);
    }

    #[test]
    fn each_report_has_a_schedule_of_its_own() {
        let config = config(&[
            ("PARTNER__SCHEDULES__TIME_ZONE", "Asia/Kolkata"),
            (
                "PARTNER__SCHEDULES__REPORTS__RECIPIENTS",
                "[\"ana@example.com\"]",
            ),
            (
                "PARTNER__SCHEDULES__REPORTS__TYPES",
                "[\"sales\",\"performance\"]",
            ),
            ("PARTNER__SCHEDULES__CLEANUPS__LOGS_DAYS", "0"),
            ("PARTNER__SCHEDULES__CLEANUPS__SESSIONS_DAYS", "0"),
        ]);
        let planned = planned(&config);
        let ids: Vec<_> = planned
            .iter()
            .map(|schedule| schedule.workflow_id.as_str())
            .collect();
        assert_eq!(ids[..2], ["daily-report-sales", "daily-report-performance"]);
        assert_eq!(planned[0].time_zone, "Asia/Kolkata");
        assert_eq!(
            planned[0].input,
            json!({ "reportType": "sales", "recipients": ["ana@example.com"] })
        );
    }
}
