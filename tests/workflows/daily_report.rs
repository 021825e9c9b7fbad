//! `dailyReportWorkflow`.

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use partner_core::error::ErrorCode;
use partner_tests::branches::daily_report::linked;
use partner_tests::branches::send_notification::REFUSE_MAIL;
use partner_tests::faults::ActivityFault;
use partner_tests::history;
use partner_tests::reports::REPORT;
use partner_tests::stage::{Stage, on_stage};
use serde_json::{Value, json};

const FAILED: &str = "The sales report could not be made";

/// Everybody got one mail, which brings this file and no other.
async fn expect_brought(stage: &Stage, readers: &[String], result: &Value) -> Result<()> {
    let stored = stage.stored_report(result).await?;
    let url = result["reportUrl"].as_str().context("an address")?;
    for reader in readers {
        let brought = stage.brought(reader);
        assert_eq!(brought.len(), 1, "{reader}: {brought:?}");
        let [(name, content)] = &brought[0].files[..] else {
            panic!("{reader}: {brought:?}");
        };
        assert!(url.ends_with(name.as_str()), "{url} {name}");
        assert_eq!(content, &stored, "{reader}");
    }
    Ok(())
}

#[test]
fn a_report_of_each_type_reaches_everybody_once_and_is_on_record() -> Result<()> {
    on_stage(async |stage| {
        for (report_type, title) in [
            ("sales", "Sales"),
            ("analytics", "Analytics"),
            ("performance", "Performance"),
        ] {
            let readers = stage.readers();
            let process = stage.report(&readers.input(report_type)).await?;
            let result = stage.result(&process).await?;
            assert_eq!(result["success"], true);
            assert_eq!(result["reportType"], report_type);
            assert_eq!(result["recipientCount"], 3);
            assert!(stage.stored_report(&result).await?.starts_with(b"%PDF-"));
            expect_brought(stage, &readers.0, &result).await?;
            let subject = &stage.brought(&readers.0[0])[0].subject;
            assert!(subject.contains(title), "{subject}");
            let expected = (report_type.to_owned(), 3, 0);
            assert_eq!(stage.logged_reports(&process).await?, [expected]);
            assert!(stage.told_admin(&process).is_empty());
        }
        Ok(())
    })
}

#[test]
fn costs_at_most_44_events_and_9_billable_actions_for_3_recipients() -> Result<()> {
    on_stage(async |stage| {
        let process = stage.report(&stage.readers().input("sales")).await?;
        stage.result(&process).await?;
        let cost = process.cost().await?;
        assert!(cost.events <= 44 && cost.actions <= 9, "{cost:?}");
        Ok(())
    })
}

#[test]
fn a_report_waits_for_its_time_and_covers_the_day_before_it() -> Result<()> {
    on_stage(async |stage| {
        for (hours, waited) in [(20, 20), (-20, 0)] {
            let time = stage.now().await? + TimeDelta::hours(hours);
            let mut input = stage.readers().input("sales");
            input["scheduleTime"] = json!(time);
            let id = stage.unique("report");
            let process = stage.start_skipping_time(REPORT, &id, &input).await?;
            stage.result(&process).await?;
            let passed = history::seconds(&process.history().await?);
            let waited = waited * 3_600;
            assert!(
                (waited - 60..waited + 3_600).contains(&passed),
                "{passed} s"
            );
            let details = process.query("getDetails").await?;
            let ends_at: DateTime<Utc> = serde_json::from_value(details["endsAt"].clone())?;
            assert_eq!(ends_at, time);
        }
        Ok(())
    })
}

#[test]
fn one_who_cannot_be_reached_keeps_nobody_from_theirs() -> Result<()> {
    on_stage(async |stage| {
        let readers = stage.readers();
        stage.platform.inbox.set_fault(&readers.0[1], REFUSE_MAIL);
        let process = stage.report(&readers.input("sales")).await?;
        let result = stage.result(&process).await?;
        assert_eq!(result["recipientCount"], 2);
        assert_eq!(result["failedRecipients"][0]["recipient"], readers.0[1]);
        let reached = [readers.0[0].clone(), readers.0[2].clone()];
        expect_brought(stage, &reached, &result).await?;
        let expected = ("sales".to_owned(), 2, 1);
        assert_eq!(stage.logged_reports(&process).await?, [expected]);
        Ok(())
    })
}

#[test]
fn a_report_that_reaches_nobody_has_failed_and_is_told_once() -> Result<()> {
    on_stage(async |stage| {
        let readers = stage.readers();
        for reader in &readers.0 {
            stage.platform.inbox.set_fault(reader, REFUSE_MAIL);
        }
        let process = stage.report(&readers.input("sales")).await?;
        let message = stage
            .failure(&process, ErrorCode::ExternalServiceError)
            .await?;
        assert!(message.contains("reached nobody"), "{message}");
        assert_eq!(stage.told_admin(&process), [FAILED]);
        Ok(())
    })
}

#[test]
fn a_report_that_is_too_large_for_a_mail_is_pointed_to() -> Result<()> {
    on_stage(async |stage| {
        let readers = stage.readers();
        let process = linked(stage, &readers.input("sales")).await?;
        let result = stage.result(&process).await?;
        for reader in &readers.0 {
            let brought = stage.brought(reader);
            assert_eq!(brought.len(), 1, "{brought:?}");
            assert!(brought[0].files.is_empty(), "{brought:?}");
            // A folder gives no links.
            let url = result["reportUrl"].as_str().context("an address")?;
            assert!(brought[0].text.contains(url), "{brought:?}");
        }
        Ok(())
    })
}

#[test]
fn a_report_that_is_too_large_for_everything_is_not_stored() -> Result<()> {
    on_stage(async |stage| {
        let queue = stage.unique("small");
        stage
            .serve_with(&queue, |config| config.report.max_bytes = 10)
            .await?;
        let id = stage.unique("report");
        let readers = stage.readers();
        let process = stage
            .start_in(&queue, REPORT, &id, &readers.input("sales"))
            .await?;
        let message = stage.failure(&process, ErrorCode::ValidationError).await?;
        assert!(message.contains("at most 10 are allowed"), "{message}");
        assert_eq!(process.query("getDetails").await?["reportUrl"], Value::Null);
        assert!(
            readers
                .0
                .iter()
                .all(|reader| stage.brought(reader).is_empty())
        );
        assert_eq!(stage.told_admin(&process), [FAILED]);
        Ok(())
    })
}

#[test]
fn a_paused_report_does_nothing_and_goes_on_as_it_was_reconfigured() -> Result<()> {
    on_stage(async |stage| {
        for (format, begins) in [("csv", b"\xef\xbb\xbf".as_slice()), ("excel", b"PK")] {
            let (readers, others) = (stage.readers(), stage.readers());
            let process = stage.paused_report(&readers.input("sales")).await?;
            for ignored in [
                json!({ "format": "doc" }),
                json!([]),
                json!({ "recipients": ["x"] }),
            ] {
                process.signal("updateConfig", &ignored).await?;
            }
            let change =
                json!({ "format": format, "timeZone": "Asia/Kolkata", "recipients": others.0 });
            process.signal("updateConfig", &change).await?;
            let changed = |details: &Value| details["changes"]["format"] == format;
            let details = stage.details(&process, "is not changed", changed).await?;
            assert!(details["ignoredConfig"].is_string(), "{details}");
            process.signal("resume", &Value::Null).await?;
            let result = stage.result(&process).await?;
            let stored = stage.stored_report(&result).await?;
            let found = &stored[..begins.len().min(stored.len())];
            assert!(format == "csv" || found == begins, "{format}: {found:?}");
            expect_brought(stage, &others.0, &result).await?;
            assert!(
                readers
                    .0
                    .iter()
                    .all(|reader| stage.brought(reader).is_empty())
            );
        }
        Ok(())
    })
}

#[test]
fn a_step_that_fails_for_good_is_told_once() -> Result<()> {
    on_stage(async |stage| {
        for activity in [
            "planReport",
            "gatherAnalytics",
            "generateReport",
            "storeReport",
        ] {
            let readers = stage.readers();
            let fault = ActivityFault::for_good(ErrorCode::DatabaseError);
            let process = stage
                .start_failing(REPORT, activity, fault, &readers.input("sales"))
                .await?;
            stage.failure(&process, ErrorCode::DatabaseError).await?;
            assert_eq!(stage.told_admin(&process), [FAILED], "{activity}");
            assert!(stage.logged_reports(&process).await?.is_empty());
            assert!(
                readers
                    .0
                    .iter()
                    .all(|reader| stage.brought(reader).is_empty())
            );
        }
        Ok(())
    })
}

#[test]
fn steps_whose_answers_are_lost_are_repeated_with_one_effect() -> Result<()> {
    on_stage(async |stage| {
        for activity in [
            "planReport",
            "gatherAnalytics",
            "generateReport",
            "storeReport",
            "sendEmail",
            "logReportGeneration",
        ] {
            let readers = stage.readers();
            let fault = ActivityFault::answer_lost();
            let process = stage
                .start_failing(REPORT, activity, fault, &readers.input("sales"))
                .await?;
            let result = stage.result(&process).await?;
            assert_eq!(result["recipientCount"], 3, "{activity}");
            expect_brought(stage, &readers.0, &result).await?;
            assert_eq!(stage.logged_reports(&process).await?.len(), 1, "{activity}");
        }
        Ok(())
    })
}

#[test]
fn two_reports_of_a_day_have_a_file_each() -> Result<()> {
    on_stage(async |stage| {
        let id = stage.unique("report");
        let mut urls = Vec::new();
        for _ in 0..2 {
            let input = stage.readers().input("sales");
            let process = stage.start_skipping_time(REPORT, &id, &input).await?;
            let result = stage.result(&process).await?;
            assert!(stage.stored_report(&result).await?.starts_with(b"%PDF-"));
            urls.push(result["reportUrl"].clone());
        }
        assert_ne!(urls[0], urls[1]);
        Ok(())
    })
}

#[test]
fn cancelled_before_it_goes_out_it_reaches_nobody() -> Result<()> {
    on_stage(async |stage| {
        let readers = stage.readers();
        let process = stage.paused_report(&readers.input("sales")).await?;
        process.cancel().await?;
        stage.cancelled(&process).await?;
        assert!(
            readers
                .0
                .iter()
                .all(|reader| stage.brought(reader).is_empty())
        );
        assert!(stage.told_admin(&process).is_empty());
        Ok(())
    })
}

#[test]
fn input_that_breaks_a_rule_is_refused_at_once_by_name() -> Result<()> {
    on_stage(async |stage| {
        for (field, value, expected) in [
            ("reportType", json!("weather"), "reportType: "),
            ("recipients", json!([]), "recipients: expected 1 to 100"),
            ("recipients", json!(["ana"]), "recipients: \"ana\" is not"),
            ("recipients", json!("ana@example.com"), "recipients: "),
            ("scheduleTime", json!("08:00"), "scheduleTime: "),
        ] {
            let mut input = stage.readers().input("sales");
            input[field] = value;
            let process = stage.report(&input).await?;
            let message = stage.failure(&process, ErrorCode::ValidationError).await?;
            assert!(message.starts_with(expected), "{message}");
            assert!(stage.told_admin(&process).is_empty());
        }
        Ok(())
    })
}

#[test]
fn tells_how_it_stands_at_its_end() -> Result<()> {
    on_stage(async |stage| {
        let process = stage.report(&stage.readers().input("sales")).await?;
        let result = stage.result(&process).await?;
        let status = process.query("getStatus").await?;
        assert_eq!(status, json!({ "status": "completed", "step": "done" }));
        assert_eq!(process.query("getProgress").await?["percent"], 100);
        let details = process.query("getDetails").await?;
        assert_eq!(details["reportUrl"], result["reportUrl"]);
        assert_eq!(details["delivered"].as_array().map(Vec::len), Some(3));
        Ok(())
    })
}

/// The figures of the workflow engine are the engine's own.
#[test]
fn a_report_of_the_performance_knows_the_reports_before_it() -> Result<()> {
    on_stage(async |stage| {
        let first = stage.report(&stage.readers().input("sales")).await?;
        stage.result(&first).await?;
        // Visibility lags behind by moments: what it shows is looked at until it knows the first.
        let mut known = 0;
        for _ in 0..50 {
            let mut input = stage.readers().input("performance");
            input["scheduleTime"] = json!(stage.now().await? + TimeDelta::seconds(1));
            let id = stage.unique("report");
            let process = stage.start_skipping_time(REPORT, &id, &input).await?;
            stage.result(&process).await?;
            let figures = stage.activity_result(&process, "gatherAnalytics").await?;
            let of_reports = figures["metrics"]["workflows"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|row| row["workflowType"] == REPORT);
            known = of_reports
                .and_then(|row| row["completed"]["current"].as_u64())
                .unwrap_or_default();
            if known > 0 {
                break;
            }
        }
        assert!(known > 0, "no report is known");
        Ok(())
    })
}
