//! `dataCleanupWorkflow`: what is old enough goes, and can come back.
//!
//! Steps: count what is older than the retention, under a cutoff that is fixed once; back it up and
//! read the backup back; delete what is in the backup and still the same, in batches with a rest
//! between them; put it on record; tell the administrator. With `dryRun` only the count is done. If
//! nothing is old enough, nothing more happens.
//!
//! Deleting goes in *slices*, one activity each: so many batches that their rests take five minutes
//! at most. Between two slices the signals take effect: `pause`, `resume`, and `updateConfig` with
//! another batch size or rest; and so does a cancellation, which leaves the rest of the rows where
//! they are. What was deleted by then is on record all the same, as it is when the workflow fails.
//!
//! Nothing is undone by itself: `partner restore` puts a backup back.
//!
//! Signals `pause`, `resume`, `updateConfig`; queries `getStatus`, `getProgress`, `getDetails`. A
//! slice is 6 history events and one billable action; by default it is 300 batches of 100 rows, so
//! that 10,000 rows cost 2 events. A cleanup of less than a slice is 31 events and 6 actions at most.
//! When a history grows long a new run goes on.

mod deleting;
mod state;

use partner_core::activity_options::ActivityPolicies;
use partner_core::problem::Problem;
use partner_core::progress::{Course, ProgressAnswer, StatusAnswer};
use partner_core::step::{self, closing, local, now, remote, stop_if_cancelled};
use partner_core::wire::Wire;
use serde_json::Value;
use temporalio_sdk::{
    ContinueAsNewOptions, SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult,
};
use temporalio_workflow::{workflow, workflow_methods};

use self::state::Step;
pub use self::state::{
    Continued, DataCleanupDetails, DataCleanupInput, DataCleanupResult, PaceInput,
};
use crate::activities::cleanup::{
    BackupDataInput, CleanupActivities, CleanupItems, IdentifyCleanupItemsInput, ItemsReference,
    LogCleanupOperationInput,
};
use crate::notices::cleanup::Notice;

/// The workflow, with what its signals, queries and waits need.
#[workflow]
pub struct DataCleanup {
    policies: ActivityPolicies,
    /// Whom the summary goes to.
    admin: String,
    course: Course<Step>,
    details: DataCleanupDetails,
}

/// What a run comes to.
enum End {
    Result(DataCleanupResult),
    /// The history is long, and a new run goes on.
    Again(DataCleanupInput),
}

/// A cleanup that has a backup.
struct BackedUp {
    operation_id: String,
    items: CleanupItems,
    backup_url: String,
}

impl DataCleanup {
    /// A cleanup that has not begun, with these timeouts and retries; `admin` is told how it went.
    pub fn new(policies: ActivityPolicies, admin: String) -> Self {
        Self {
            policies,
            admin,
            course: Course::new(Step::Planning),
            details: DataCleanupDetails::default(),
        }
    }
}

type Context = WorkflowContext<DataCleanup>;

#[workflow_methods(factory_only)]
impl DataCleanup {
    /// Takes away what is old enough.
    #[run(name = "dataCleanupWorkflow")]
    pub async fn run(
        ctx: &mut WorkflowContext<Self>,
        input: Wire<DataCleanupInput>,
    ) -> WorkflowResult<DataCleanupResult> {
        match begin(ctx, input).await {
            Ok(End::Result(result)) => {
                ctx.state_mut(|state| state.course.complete(Step::Done));
                Ok(result)
            }
            Ok(End::Again(input)) => {
                let options = ContinueAsNewOptions::default();
                match ctx.continue_as_new(input.into(), options)? {}
            }
            Err(problem) => {
                ctx.state_mut(|state| state.course.fail(&problem));
                Err(closing(ctx, problem))
            }
        }
    }

    /// The next slice waits for `resume`.
    #[signal(name = "pause")]
    pub fn pause(&mut self, _ctx: &mut SyncWorkflowContext<Self>, _payload: Wire<Value>) {
        self.details.paused = true;
    }

    /// A paused cleanup goes on.
    #[signal(name = "resume")]
    pub fn resume(&mut self, _ctx: &mut SyncWorkflowContext<Self>, _payload: Wire<Value>) {
        self.details.paused = false;
    }

    /// The next slice has another batch size, or another rest between its batches.
    #[signal(name = "updateConfig")]
    pub fn update_config(&mut self, _ctx: &mut SyncWorkflowContext<Self>, payload: Wire<Value>) {
        match state::change(payload) {
            Ok(change) => self.details.pace = self.details.pace.changed(change),
            Err(invalid) => self.details.ignored_config = Some(invalid.to_string()),
        }
    }

    /// How the cleanup stands.
    #[query(name = "getStatus")]
    pub fn get_status(&self, _ctx: &WorkflowContextView) -> StatusAnswer {
        self.course.status()
    }

    /// How far it is: while it deletes, in rows.
    #[query(name = "getProgress")]
    pub fn get_progress(&self, _ctx: &WorkflowContextView) -> ProgressAnswer {
        match self.course.step() {
            Step::Deleting | Step::Paused => deleting::progress(&self.details),
            _ => self.course.progress(),
        }
    }

    /// Everything that the workflow knows.
    #[query(name = "getDetails")]
    pub fn get_details(&self, _ctx: &WorkflowContextView) -> DataCleanupDetails {
        self.details.clone()
    }
}

async fn begin(ctx: &Context, input: Wire<DataCleanupInput>) -> Result<End, Problem> {
    let input = input.into_result()?;
    input.check()?;
    clean_up(ctx, input).await
}

async fn clean_up(ctx: &Context, input: DataCleanupInput) -> Result<End, Problem> {
    let operation_id = match &input.continued {
        Some(continued) => continued.operation_id.clone(),
        None => format!("{}/{}", ctx.workflow_id(), ctx.run_id()),
    };
    ctx.state_mut(|state| {
        state.details.cleanup_type = Some(input.cleanup_type);
        state.details.operation_id = Some(operation_id.clone());
        // A signal may have come first, and is the later word.
        state.details.pace = input.pace().changed(state.details.pace);
    });
    let done = take_away(ctx, input.clone(), &operation_id).await;
    if let Err(problem) = &done {
        give_up(ctx, &input, &operation_id, problem).await;
    }
    done
}

async fn take_away(
    ctx: &Context,
    mut input: DataCleanupInput,
    operation_id: &str,
) -> Result<End, Problem> {
    let backed_up = match input.continued.take() {
        Some(continued) => take_over(ctx, *continued),
        None => match prepare(ctx, &input, operation_id).await? {
            Ok(backed_up) => backed_up,
            Err(message) => return Ok(End::Result(nothing(&input, message))),
        },
    };
    if deleting::delete(ctx, &input, &backed_up)
        .await?
        .is_continued()
    {
        let pace = ctx.state(|state| state.details.pace);
        let continued = Continued {
            operation_id: backed_up.operation_id,
            items: backed_up.items,
            backup_url: backed_up.backup_url,
            pace,
            paused: ctx.state(|state| state.details.paused),
        };
        return Ok(End::Again(DataCleanupInput {
            continued: Some(Box::new(continued)),
            ..input
        }));
    }
    log(ctx, &input, operation_id, false).await?;
    enter(ctx, Step::Telling);
    tell(ctx, None).await;
    Ok(End::Result(finished(ctx, &input, backed_up.backup_url)))
}

/// Counts and backs up; or says why there is nothing to delete.
async fn prepare(
    ctx: &Context,
    input: &DataCleanupInput,
    operation_id: &str,
) -> Result<Result<BackedUp, String>, Problem> {
    let items = identify(ctx, input, operation_id).await?;
    if items.count == 0 || input.dry_run {
        return Ok(Err(idle_message(input, &items)));
    }
    stop_if_cancelled(ctx)?;
    enter(ctx, Step::BackingUp);
    let backup = BackupDataInput {
        cleanup_type: input.cleanup_type,
        items: ItemsReference::from(&items),
    };
    let options = policies(ctx).cleanup().heartbeating();
    let options = options.detached("back the rows up and read the backup back");
    let backup_url = remote(ctx, CleanupActivities::backup_data, backup, options).await?;
    ctx.state_mut(|state| state.details.backup_url = Some(backup_url.clone()));
    Ok(Ok(BackedUp {
        operation_id: operation_id.to_owned(),
        items,
        backup_url,
    }))
}

async fn identify(
    ctx: &Context,
    input: &DataCleanupInput,
    operation_id: &str,
) -> Result<CleanupItems, Problem> {
    stop_if_cancelled(ctx)?;
    enter(ctx, Step::Planning);
    let question = IdentifyCleanupItemsInput {
        cleanup_type: input.cleanup_type,
        retention_days: input.retention_days,
        dry_run: input.dry_run,
        operation_id: Some(operation_id.to_owned()),
    };
    let options = policies(ctx).cleanup().heartbeating();
    let options = options.detached("count what is old enough");
    let activity = CleanupActivities::identify_cleanup_items;
    let items = remote(ctx, activity, question, options).await?;
    ctx.state_mut(|state| {
        state.details.plan(&items);
        let configured = PaceInput {
            batch_size: items.batch_size,
            pause_ms: items.pause_ms,
            slice_batches: None,
        };
        state.details.pace = configured.changed(state.details.pace);
    });
    Ok(items)
}

/// Goes on where the run before stopped.
fn take_over(ctx: &Context, continued: Continued) -> BackedUp {
    ctx.state_mut(|state| {
        let details = &mut state.details;
        details.plan(&continued.items);
        details.backup_url = Some(continued.backup_url.clone());
        details.pace = continued.pace.changed(details.pace);
        details.paused |= continued.paused;
    });
    BackedUp {
        operation_id: continued.operation_id,
        items: continued.items,
        backup_url: continued.backup_url,
    }
}

/// Puts on record what was deleted: an interrupted cleanup asks the database how much that is.
async fn log(
    ctx: &Context,
    input: &DataCleanupInput,
    operation_id: &str,
    interrupted: bool,
) -> Result<(), Problem> {
    enter(ctx, Step::Logging);
    let (deleted, backup_url) =
        ctx.state(|state| (state.details.deleted, state.details.backup_url.clone()));
    let entry = LogCleanupOperationInput {
        cleanup_type: input.cleanup_type,
        items_deleted: deleted,
        backup_url,
        completed_at: now(ctx),
        operation_id: Some(operation_id.to_owned()),
        interrupted,
    };
    let options = policies(ctx).cleanup().unbounded();
    let options = options.local("put the cleanup on record");
    let activity = CleanupActivities::log_cleanup_operation;
    let logged = local(ctx, activity, entry, options).await?;
    ctx.state_mut(|state| state.details.deleted = logged.items_deleted);
    Ok(())
}

/// Records what an interrupted cleanup deleted, and tells the administrator.
async fn give_up(ctx: &Context, input: &DataCleanupInput, operation_id: &str, problem: &Problem) {
    let at = ctx.state(|state| state.course.step());
    if ctx.state(|state| state.details.backup_url.is_some())
        && let Err(problem) = log(ctx, input, operation_id, true).await
    {
        warn(ctx, format!("what was deleted is not on record: {problem}"));
    }
    tell(ctx, Some(problem)).await;
    // Whoever asks sees where it stopped, not what was done about it.
    enter(ctx, at);
}

/// Tells the administrator how it went, and why it stopped if it did.
async fn tell(ctx: &Context, problem: Option<&Problem>) {
    let notification = ctx.state(|state| {
        let notice = Notice {
            admin: &state.admin,
            details: &state.details,
        };
        match problem {
            None => notice.finished(),
            Some(problem) => notice.failed(problem),
        }
    });
    let told = step::tell(ctx, "the administrator", &policies(ctx), notification).await;
    if let Some(warning) = told {
        warn(ctx, warning);
    }
}

fn idle_message(input: &DataCleanupInput, items: &CleanupItems) -> String {
    let held = match items.held {
        0 => String::new(),
        held => format!("; {held} more are under legal hold"),
    };
    match (items.count, items.oldest) {
        (count, Some(oldest)) => format!(
            "Dry run: {count} {} would be deleted, the oldest from {oldest}{held}",
            input.cleanup_type
        ),
        _ => format!(
            "No {} are older than {} days{held}",
            input.cleanup_type, input.retention_days
        ),
    }
}

fn nothing(input: &DataCleanupInput, message: String) -> DataCleanupResult {
    DataCleanupResult {
        success: true,
        cleanup_type: input.cleanup_type,
        items_deleted: 0,
        backup_url: None,
        message: Some(message),
    }
}

fn finished(ctx: &Context, input: &DataCleanupInput, backup_url: String) -> DataCleanupResult {
    let details = ctx.state(|state| state.details.clone());
    let stayed = [
        (details.held_since, "put under legal hold"),
        (details.changed_since, "changed"),
    ];
    let stayed = stayed.iter().filter(|(rows, _)| *rows > 0);
    let stayed = stayed.map(|(rows, why)| format!("{rows} stayed, {why} after the backup"));
    let message: Vec<_> = stayed.chain(details.warnings).collect();
    DataCleanupResult {
        success: true,
        cleanup_type: input.cleanup_type,
        items_deleted: details.deleted,
        backup_url: Some(backup_url),
        message: (!message.is_empty()).then(|| message.join("; ")),
    }
}

fn policies(ctx: &Context) -> ActivityPolicies {
    ctx.state(|state| state.policies)
}

fn enter(ctx: &Context, step: Step) {
    ctx.state_mut(|state| state.course.enter(step));
}

/// Notes what went less than well.
fn warn(ctx: &Context, warning: String) {
    ctx.state_mut(|state| state.details.warnings.push(warning));
}
