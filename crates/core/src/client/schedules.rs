//! Schedules: work that the Temporal service starts again and again.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use serde::Serialize;
use serde_json::Value;
use temporalio_client::schedules::{
    BackfillScheduleOptions, CreateScheduleOptions, DeleteScheduleOptions, ListSchedulesOptions,
    PauseScheduleOptions, ScheduleAction, ScheduleBackfill, ScheduleError, ScheduleHandle,
    ScheduleOverlapPolicy, ScheduleSpec, ScheduleSummary, TriggerScheduleOptions,
    UnpauseScheduleOptions,
};
use temporalio_client::tonic::Code;
use temporalio_client::{Client, RpcOptions};
use temporalio_common::UntypedWorkflow;

use super::{ClientError, ProcessClient, raw};

/// How often an update is tried again that met another one.
const MOST_UPDATES: usize = 5;

/// Work that begins again and again, as it shall be.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// The schedule's own id.
    pub id: String,
    /// The wire name of the workflow type.
    pub workflow: &'static str,
    /// What the workflow's id begins with; the service adds the planned time.
    pub workflow_id: String,
    /// The workflow's input.
    pub input: Value,
    /// When: minute, hour, day of the month, month, day of the week.
    pub cron: String,
    /// The clock that this is told by: an IANA time zone.
    pub time_zone: String,
    /// Up to how much later it begins.
    pub jitter: Duration,
    /// How old a missed time may be, to be made up for.
    pub catch_up: Duration,
}

/// What applying a schedule came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Applied {
    /// There was none of this id.
    Created,
    /// There was one, and it is like this now. Whether it is paused did not change.
    Updated,
}

/// A schedule, as the service has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleOverview {
    /// Its id.
    pub schedule_id: String,
    /// The workflow type that it starts.
    pub workflow_type: Option<String>,
    /// Whether it starts nothing for now.
    pub paused: bool,
    /// Why, or what else an operator wrote down.
    pub note: Option<String>,
    /// When it starts one next.
    pub next_at: Option<DateTime<Utc>>,
    /// When it started one last.
    pub last_at: Option<DateTime<Utc>>,
    /// The workflow that it started last.
    pub last_workflow_id: Option<String>,
}

impl ProcessClient {
    /// Makes a schedule be like this, whether it is there or not. Safe to repeat: one that an operator
    /// has paused stays paused.
    ///
    /// # Errors
    /// [`ClientError::Schedule`], also if the service does not understand the times.
    pub async fn apply_schedule(&self, schedule: &Schedule) -> Result<Applied, ClientError> {
        let applied = match self.create_schedule(schedule).await {
            Ok(()) => Applied::Created,
            Err(error) if status(&error) == Some(Code::AlreadyExists) => Applied::Updated,
            Err(error) => return Err(error.into()),
        };
        // Also a new one: what is missed, and for how long that counts, can only be set afterwards.
        self.update_schedule(schedule).await?;
        Ok(applied)
    }

    async fn create_schedule(&self, schedule: &Schedule) -> Result<(), ScheduleError> {
        let options = CreateScheduleOptions::builder()
            .action(self.action(schedule))
            .spec(spec(schedule))
            .overlap_policy(ScheduleOverlapPolicy::Skip)
            .build();
        self.client.create_schedule(&schedule.id, options).await?;
        Ok(())
    }

    async fn update_schedule(&self, schedule: &Schedule) -> Result<(), ScheduleError> {
        let handle = self.handle(&schedule.id);
        let mut tries = 1;
        loop {
            let (spec, action) = (spec(schedule), self.action(schedule));
            let catch_up = schedule.catch_up;
            let updated = handle.update(
                move |update| {
                    update
                        .set_spec(spec)
                        .set_action(action)
                        .set_overlap_policy(ScheduleOverlapPolicy::Skip)
                        .set_catchup_window(catch_up)
                        .set_pause_on_failure(false);
                },
                RpcOptions::default(),
            );
            match updated.await {
                // Somebody else changed it between our reading and our writing.
                Err(error)
                    if status(&error) == Some(Code::FailedPrecondition) && tries < MOST_UPDATES =>
                {
                    tries += 1;
                }
                updated => return updated,
            }
        }
    }

    fn action(&self, schedule: &Schedule) -> ScheduleAction {
        ScheduleAction::start_workflow(
            UntypedWorkflow::new(schedule.workflow),
            raw(&schedule.input),
            self.task_queue.clone(),
            schedule.workflow_id.clone(),
        )
    }

    /// Every schedule of the namespace, by id. One that was just changed may take a moment to be listed so.
    ///
    /// # Errors
    /// [`ClientError::Service`].
    pub async fn schedules(&self) -> Result<Vec<ScheduleOverview>, ClientError> {
        let listed = self.client.list_schedules(ListSchedulesOptions::default());
        let mut schedules: Vec<ScheduleOverview> = listed
            .map_ok(|summary| ScheduleOverview::from(&summary))
            .try_collect()
            .await?;
        schedules.sort_by(|one, other| one.schedule_id.cmp(&other.schedule_id));
        Ok(schedules)
    }

    /// Lets a schedule start nothing until it is resumed.
    ///
    /// # Errors
    /// [`ClientError::Schedule`], also if there is no such schedule.
    pub async fn pause_schedule(&self, id: &str, note: &str) -> Result<(), ClientError> {
        let options = PauseScheduleOptions::default();
        Ok(self.handle(id).pause(Some(note), options).await?)
    }

    /// Lets a paused schedule go on.
    ///
    /// # Errors
    /// As [`ProcessClient::pause_schedule`].
    pub async fn resume_schedule(&self, id: &str, note: &str) -> Result<(), ClientError> {
        let options = UnpauseScheduleOptions::default();
        Ok(self.handle(id).unpause(Some(note), options).await?)
    }

    /// Starts what a schedule starts now, unless it runs already.
    ///
    /// # Errors
    /// As [`ProcessClient::pause_schedule`].
    pub async fn trigger_schedule(&self, id: &str) -> Result<(), ClientError> {
        let options = TriggerScheduleOptions::default();
        let policy = ScheduleOverlapPolicy::Skip;
        Ok(self.handle(id).trigger(policy, options).await?)
    }

    /// Starts what a schedule would have started between two moments, one after the other.
    ///
    /// # Errors
    /// As [`ProcessClient::pause_schedule`].
    pub async fn backfill_schedule(
        &self,
        id: &str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<(), ClientError> {
        let times = ScheduleBackfill::new(from.into(), to.into())
            .overlap_policy(ScheduleOverlapPolicy::BufferAll)
            .build();
        let options = BackfillScheduleOptions::default();
        Ok(self.handle(id).backfill([times], options).await?)
    }

    /// Deletes a schedule; what it has started goes on.
    ///
    /// # Errors
    /// As [`ProcessClient::pause_schedule`].
    pub async fn delete_schedule(&self, id: &str) -> Result<(), ClientError> {
        let options = DeleteScheduleOptions::default();
        Ok(self.handle(id).delete(options).await?)
    }

    fn handle(&self, id: &str) -> ScheduleHandle<Client> {
        self.client.get_schedule_handle(id)
    }
}

fn spec(schedule: &Schedule) -> ScheduleSpec {
    ScheduleSpec::builder()
        .cron_strings(vec![schedule.cron.clone()])
        .timezone_name(schedule.time_zone.clone())
        .jitter(schedule.jitter)
        .build()
}

fn status(error: &ScheduleError) -> Option<Code> {
    match error {
        ScheduleError::Rpc(status) => Some(status.code()),
        _ => None,
    }
}

/// Whether there is no such schedule.
pub(super) fn is_missing(error: &ScheduleError) -> bool {
    status(error) == Some(Code::NotFound)
}

impl From<&ScheduleSummary> for ScheduleOverview {
    fn from(summary: &ScheduleSummary) -> Self {
        let time = |at: SystemTime| DateTime::from(at);
        let last = summary.recent_actions().pop();
        Self {
            schedule_id: summary.schedule_id().to_owned(),
            workflow_type: summary.workflow_type().map(str::to_owned),
            paused: summary.paused(),
            note: summary.note().map(str::to_owned),
            next_at: summary.future_action_times().first().copied().map(time),
            last_at: last.as_ref().and_then(|last| last.actual_time).map(time),
            last_workflow_id: last.map(|last| last.workflow_id),
        }
    }
}
