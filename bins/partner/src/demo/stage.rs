//! Where scenarios are played, what a process came to, and whether that was what must happen.

use std::time::{Duration, Instant};

use anyhow::Context;
use partner_core::client::{Ended, Process, ProcessClient};
use partner_local::platform::Platform;
use partner_local::shop::Shop;
use serde::Serialize;
use serde_json::Value;

/// How long a step of the platform may take before the demo gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// How often a process that has no event to wait for is asked.
const GLANCE: Duration = Duration::from_millis(50);

/// Where scenarios are played.
pub(crate) struct Stage<'a> {
    pub(crate) platform: &'a Platform,
    pub(crate) client: ProcessClient,
    pub(crate) shop: Shop,
}

/// How a process is started.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Start {
    /// By one caller.
    #[default]
    Once,
    /// By two callers at the same time.
    Twice,
    /// With a signal that it finds when it begins.
    WithSignal(&'static str),
}

/// A process: what went in, how it ended, and what it took.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Run {
    pub(crate) name: &'static str,
    pub(crate) input: Value,
    pub(crate) outcome: String,
    pub(crate) message: String,
    pub(crate) milliseconds: u128,
    pub(crate) events: usize,
    pub(crate) billable_actions: usize,
}

/// A process, what it left behind as seen from outside, and the expectations that did not hold.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row<T> {
    #[serde(flatten)]
    pub(crate) run: Run,
    #[serde(flatten)]
    pub(crate) found: T,
    pub(crate) problems: Vec<String>,
}

impl<T: Serialize> Row<T> {
    /// Compares what came of a process with what must come of it, field by field.
    pub(crate) fn compare(
        run: Run,
        found: T,
        outcome: &str,
        expected: &T,
    ) -> serde_json::Result<Self> {
        let mut problems = Vec::new();
        if run.outcome != outcome {
            let message = &run.message;
            problems.push(format!(
                "outcome: expected {outcome}, found {} ({message})",
                run.outcome
            ));
        }
        problems.extend(differences(
            &serde_json::to_value(expected)?,
            &serde_json::to_value(&found)?,
        ));
        Ok(Self {
            run,
            found,
            problems,
        })
    }

    /// The first column of its row in the table.
    pub(crate) fn mark(&self) -> String {
        if self.problems.is_empty() { "ok" } else { "!!" }.to_owned()
    }
}

/// The fields of two objects that are not the same.
fn differences(expected: &Value, found: &Value) -> Vec<String> {
    let fields = expected.as_object().into_iter().flatten();
    fields
        .filter(|(name, expected)| &found[name.as_str()] != *expected)
        .map(|(name, expected)| {
            format!(
                "{name}: expected {expected}, found {}",
                found[name.as_str()]
            )
        })
        .collect()
}

impl Stage<'_> {
    /// Starts a process.
    pub(crate) async fn start(
        &self,
        (workflow, id): (&str, &str),
        input: &Value,
        how: Start,
    ) -> anyhow::Result<Process> {
        let client = &self.client;
        Ok(match how {
            Start::Once => client.start(workflow, id, input).await?,
            Start::Twice => {
                let start = || client.start(workflow, id, input);
                let (first, _second) = futures::try_join!(start(), start())?;
                first
            }
            Start::WithSignal(signal) => {
                client
                    .start_with_signal(workflow, id, input, signal, &Value::Null)
                    .await?
            }
        })
    }

    /// Waits for a process to end.
    pub(crate) async fn ended(&self, process: &Process) -> anyhow::Result<Ended> {
        let ended = tokio::time::timeout(PATIENCE, process.ended()).await;
        Ok(ended.with_context(|| format!("{} did not end within {PATIENCE:?}", process.id))??)
    }

    /// Waits until a process is at a step.
    pub(crate) async fn reached(&self, process: &Process, step: &str) -> anyhow::Result<()> {
        self.answers(process, "getStatus", |status| status["step"] == step)
            .await
            .with_context(|| format!("{} is not {step}", process.id))
    }

    /// Waits until what a process says of itself is so.
    pub(crate) async fn details(
        &self,
        process: &Process,
        is_so: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<()> {
        self.answers(process, "getDetails", is_so).await
    }

    async fn answers(
        &self,
        process: &Process,
        query: &str,
        is_so: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(GLANCE);
        let answered = async {
            loop {
                ticks.tick().await;
                if is_so(&process.query(query).await?) {
                    return anyhow::Ok(());
                }
            }
        };
        let answered = tokio::time::timeout(PATIENCE, answered).await;
        answered.with_context(|| format!("{}: not within {PATIENCE:?}", process.id))?
    }

    /// Watches a process from its start to its end; `word` says what its result is called.
    pub(crate) async fn watch(
        &self,
        (name, input): (&'static str, &Value),
        start: impl Future<Output = anyhow::Result<Process>>,
        word: impl FnOnce(&Value) -> String,
    ) -> anyhow::Result<(Run, Value)> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the demo shows how long a person waits"
        )]
        let begun = Instant::now();
        let process = start.await?;
        let ended = self.ended(&process).await?;
        let milliseconds = begun.elapsed().as_millis();
        let cost = process.cost().await?;
        let (outcome, message, result) = match ended {
            Ended::Completed(result) => {
                let message = result["message"].as_str().unwrap_or_default().to_owned();
                (word(&result), message, result)
            }
            Ended::Failed { code, message } => (code.to_string(), message, Value::Null),
            other => (format!("{other:?}"), String::new(), Value::Null),
        };
        let run = Run {
            name,
            input: input.clone(),
            outcome,
            message,
            milliseconds,
            events: cost.events,
            billable_actions: cost.actions,
        };
        Ok((run, result))
    }

    /// The subjects of the mails to an address, in the order in which they came.
    pub(crate) fn subjects(&self, address: &str) -> Vec<String> {
        let mails = self.platform.inbox.mails_to(address);
        let subjects = mails.iter().rev().map(|mail| mail.subject.clone());
        subjects.map(Option::unwrap_or_default).collect()
    }

    /// What a user was told in the app: the types, in their order.
    pub(crate) async fn told_in_app(&self, user_id: &str) -> anyhow::Result<Vec<String>> {
        let messages = self.shop.inbox_messages(user_id).await?;
        Ok(messages.into_iter().map(|message| message.r#type).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize)]
    struct Found {
        mails: usize,
        status: Option<&'static str>,
    }

    fn compared(outcome: &str, found: Found) -> Row<Found> {
        let run = Run {
            name: "a row",
            input: Value::Null,
            outcome: outcome.to_owned(),
            message: "the card is stolen".to_owned(),
            milliseconds: 1,
            events: 1,
            billable_actions: 1,
        };
        let expected = Found {
            mails: 1,
            status: Some("active"),
        };
        Row::compare(run, found, "paid", &expected).unwrap()
    }

    #[test]
    fn a_row_as_expected_has_no_problems() {
        let status = Some("active");
        let row = compared("paid", Found { mails: 1, status });
        assert!(row.problems.is_empty(), "{:?}", row.problems);
        assert_eq!(row.mark(), "ok");
    }

    #[test]
    fn a_row_names_every_expectation_that_did_not_hold() {
        let (mails, status) = (2, None);
        let row = compared("not paid", Found { mails, status });
        let problems = [
            "outcome: expected paid, found not paid (the card is stolen)",
            "mails: expected 1, found 2",
            "status: expected \"active\", found null",
        ];
        assert_eq!(row.problems, problems);
        assert_eq!(row.mark(), "!!");
    }
}
