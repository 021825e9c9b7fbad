//! `dailyReportWorkflow`: what happened in the last 24 hours, as a file, to everybody who wants to know.
//!
//! Steps: wait for the time, if one was given that has not come; gather the figures, all of one
//! moment; make the file; store it under a name that no other run has; send it to every recipient at
//! once, attached if it is small enough and linked otherwise; put it on record.
//!
//! A recipient who cannot be reached does not keep the others from theirs, and is named in the
//! result; if nobody can be reached, the report has failed. A report that fails is told to the
//! administrator, once; input that breaks a rule is refused without a word to anybody. Nothing is
//! undone: a stored report stays.
//!
//! The signals `pause` and `resume` hold it before its next step, `updateConfig` changes what later
//! steps go by. Cancelled through Temporal it stops before the next step and closes as cancelled;
//! once it goes out it completes.
//!
//! Signals `pause`, `resume`, `updateConfig`; queries `getStatus`, `getProgress`, `getDetails`. For
//! three recipients 44 events and 9 billable actions at most.

mod delivery;
mod state;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use partner_core::activity_options::ActivityPolicies;
use partner_core::contact::EmailAddress;
use partner_core::error::ErrorCode;
use partner_core::problem::Problem;
use partner_core::progress::{Course, ProgressAnswer, StatusAnswer};
use partner_core::step::{
    self, closing, local, now, remote, stop_if_cancelled, wait_until, wait_while,
};
use partner_core::wire::Wire;
use serde_json::Value;
use temporalio_sdk::{SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult};
use temporalio_workflow::{workflow, workflow_methods};

use self::state::Step;
pub use self::state::{
    DailyReportDetails, DailyReportInput, DailyReportResult, FailedRecipient, ReportChange,
};
use crate::activities::audit::{AuditActivities, LogReportGenerationInput};
use crate::activities::metrics::{
    GatherAnalyticsInput, MetricsActivities, PlanReportInput, ReportPlan,
};
use crate::activities::report::{GenerateReportInput, GeneratedReport, ReportActivities};
use crate::activities::storage::{StorageActivities, StoreReportInput};
use crate::notices;

/// The workflow, with what its signals, queries and waits need.
#[workflow]
pub struct DailyReport {
    policies: ActivityPolicies,
    /// Who is told of a report that fails.
    admin: String,
    course: Course<Step>,
    details: DailyReportDetails,
}

/// A report on its way.
struct Order {
    input: DailyReportInput,
    recipients: Vec<EmailAddress>,
    operation_id: String,
}

impl DailyReport {
    /// A report that has not begun, with these timeouts and retries; `admin` is told if it fails.
    pub fn new(policies: ActivityPolicies, admin: String) -> Self {
        Self {
            policies,
            admin,
            course: Course::new(Step::Waiting),
            details: DailyReportDetails::default(),
        }
    }
}

type Context = WorkflowContext<DailyReport>;

#[workflow_methods(factory_only)]
impl DailyReport {
    /// Makes a report, and sends it.
    #[run(name = "dailyReportWorkflow")]
    pub async fn run(
        ctx: &mut WorkflowContext<Self>,
        input: Wire<DailyReportInput>,
    ) -> WorkflowResult<DailyReportResult> {
        let ended = match read(ctx, input) {
            Ok(order) => report_or_tell(ctx, &order).await,
            Err(problem) => Err(problem),
        };
        match ended {
            Ok(result) => {
                ctx.state_mut(|state| state.course.complete(Step::Done));
                Ok(result)
            }
            Err(problem) => {
                ctx.state_mut(|state| state.course.fail(&problem));
                Err(closing(ctx, problem))
            }
        }
    }

    /// The next step waits for `resume`.
    #[signal(name = "pause")]
    pub fn pause(&mut self, _ctx: &mut SyncWorkflowContext<Self>, _payload: Wire<Value>) {
        self.details.paused = true;
    }

    /// A paused report goes on.
    #[signal(name = "resume")]
    pub fn resume(&mut self, _ctx: &mut SyncWorkflowContext<Self>, _payload: Wire<Value>) {
        self.details.paused = false;
    }

    /// Steps that have not begun go by something else.
    #[signal(name = "updateConfig")]
    pub fn update_config(&mut self, _ctx: &mut SyncWorkflowContext<Self>, payload: Wire<Value>) {
        match ReportChange::read(payload) {
            Ok(change) => {
                let earlier = std::mem::take(&mut self.details.changes);
                self.details.changes = change.after(earlier);
            }
            Err(invalid) => self.details.ignored_config = Some(invalid.to_string()),
        }
    }

    /// How the report stands.
    #[query(name = "getStatus")]
    pub fn get_status(&self, _ctx: &WorkflowContextView) -> StatusAnswer {
        self.course.status()
    }

    /// How far it is.
    #[query(name = "getProgress")]
    pub fn get_progress(&self, _ctx: &WorkflowContextView) -> ProgressAnswer {
        self.course.progress()
    }

    /// Everything that the workflow knows.
    #[query(name = "getDetails")]
    pub fn get_details(&self, _ctx: &WorkflowContextView) -> DailyReportDetails {
        self.details.clone()
    }
}

fn read(ctx: &Context, input: Wire<DailyReportInput>) -> Result<Order, Problem> {
    let input = input.into_result()?;
    let recipients = state::recipients(&input.recipients)?;
    Ok(Order {
        input,
        recipients,
        operation_id: format!("{}/{}", ctx.workflow_id(), ctx.run_id()),
    })
}

async fn report_or_tell(ctx: &Context, order: &Order) -> Result<DailyReportResult, Problem> {
    let done = report(ctx, order).await;
    if let Err(problem) = &done
        && problem.code != ErrorCode::Cancelled
    {
        tell(ctx, order, problem).await;
    }
    done
}

async fn report(ctx: &Context, order: &Order) -> Result<DailyReportResult, Problem> {
    let ends_at = wait(ctx, order).await?;
    let plan = plan(ctx, ends_at).await?;
    let made = generate(ctx, order, &plan).await?;
    let report_url = store(ctx, order, &plan, &made).await?;
    begin(ctx, Step::Delivering).await?;
    let mailing = delivery::Mailing {
        order,
        report: &made,
        report_url: &report_url,
        attach_up_to: plan.attach_up_to,
    };
    let delivered = mailing.deliver(ctx).await?;
    log(ctx, order, &made, &report_url, &delivered).await?;
    Ok(DailyReportResult {
        success: true,
        report_type: order.input.report_type,
        report_url,
        recipient_count: delivered.count,
        failed_recipients: delivered.failed,
    })
}

/// Waits for the time of the report; when the 24 hours end that it covers.
async fn wait(ctx: &Context, order: &Order) -> Result<DateTime<Utc>, Problem> {
    stop_if_cancelled(ctx)?;
    let begun = now(ctx);
    // Whoever reads it reads minutes.
    let minute = begun.duration_trunc(TimeDelta::minutes(1)).unwrap_or(begun);
    let ends_at = order.input.schedule_time.unwrap_or(minute);
    ctx.state_mut(|state| {
        state.course.enter(Step::Waiting);
        state.details.report_type = Some(order.input.report_type);
        state.details.operation_id = Some(order.operation_id.clone());
        state.details.ends_at = Some(ends_at);
    });
    let token = ctx.cancellation_token();
    wait_until(ctx, ends_at, "until the report is due", token).await;
    Ok(ends_at)
}

/// What is configured now decides about the course; it is in history, so that a replay goes by it too.
async fn plan(ctx: &Context, ends_at: DateTime<Utc>) -> Result<ReportPlan, Problem> {
    begin(ctx, Step::Planning).await?;
    let question = PlanReportInput {
        ends_at,
        time_zone: ctx.state(|state| state.details.changes.time_zone),
    };
    let options = policies(ctx).analytics().local("see how reports are made");
    local(ctx, MetricsActivities::plan_report, question, options).await
}

/// Gathers the figures, and makes the file.
async fn generate(
    ctx: &Context,
    order: &Order,
    plan: &ReportPlan,
) -> Result<GeneratedReport, Problem> {
    begin(ctx, Step::Gathering).await?;
    let report_type = order.input.report_type;
    let question = GatherAnalyticsInput {
        report_type,
        period: plan.period,
    };
    let options = policies(ctx).analytics().heartbeating();
    let gather = options.detached("gather the figures");
    let activity = MetricsActivities::gather_analytics;
    let data = remote(ctx, activity, question, gather).await?;
    begin(ctx, Step::Generating).await?;
    let format = ctx.state(|state| state.details.changes.format);
    let wanted = GenerateReportInput {
        report_type,
        data,
        format: format.unwrap_or(plan.format),
        operation_id: Some(order.operation_id.clone()),
    };
    let generate = options.detached("make the report");
    let made = remote(ctx, ReportActivities::generate_report, wanted, generate).await?;
    ctx.state_mut(|state| {
        state.details.format = Some(made.format);
        state.details.bytes = Some(made.bytes);
    });
    Ok(made)
}

async fn store(
    ctx: &Context,
    order: &Order,
    plan: &ReportPlan,
    made: &GeneratedReport,
) -> Result<String, Problem> {
    begin(ctx, Step::Storing).await?;
    let day = plan
        .period
        .window()
        .to
        .with_timezone(&plan.period.time_zone());
    // What is random in the run's id is at its end: another run of the same day has a file of its own.
    let run = ctx.run_id().rsplit('-').next().unwrap_or_default();
    let file_name = format!(
        "{}-{}-{run}.{}",
        order.input.report_type,
        day.format("%Y-%m-%d"),
        made.format.extension()
    );
    let wanted = StoreReportInput {
        report: made.clone(),
        file_name,
    };
    let options = policies(ctx).analytics().heartbeating();
    let options = options.detached("store the report");
    let report_url = remote(ctx, StorageActivities::store_report, wanted, options).await?;
    ctx.state_mut(|state| state.details.report_url = Some(report_url.clone()));
    Ok(report_url)
}

async fn log(
    ctx: &Context,
    order: &Order,
    made: &GeneratedReport,
    report_url: &str,
    delivered: &delivery::Delivered,
) -> Result<(), Problem> {
    ctx.state_mut(|state| state.course.enter(Step::Logging));
    let entry = LogReportGenerationInput {
        report_type: order.input.report_type,
        recipient_count: delivered.count,
        report_url: report_url.to_owned(),
        generated_at: made.generated_at,
        failed_count: u32::try_from(delivered.failed.len()).unwrap_or(u32::MAX),
        operation_id: Some(order.operation_id.clone()),
    };
    let options = policies(ctx).analytics().unbounded();
    let options = options.local("put the report on record");
    let activity = AuditActivities::log_report_generation;
    local(ctx, activity, entry, options).await.map(drop)
}

async fn tell(ctx: &Context, order: &Order, problem: &Problem) {
    let admin = ctx.state(|state| state.admin.clone());
    let report_type = order.input.report_type;
    let notification = notices::report::failed(&admin, report_type, &order.operation_id, problem);
    let told = step::tell(ctx, "the administrator", &policies(ctx), notification).await;
    if let Some(warning) = told {
        ctx.state_mut(|state| state.details.warnings.push(warning));
    }
}

/// Begins a step, once nobody holds it.
async fn begin(ctx: &Context, step: Step) -> Result<(), Problem> {
    stop_if_cancelled(ctx)?;
    if ctx.state(|state| state.details.paused) {
        wait_while(ctx, |state| state.details.paused).await?;
    }
    ctx.state_mut(|state| state.course.enter(step));
    Ok(())
}

fn policies(ctx: &Context) -> ActivityPolicies {
    ctx.state(|state| state.policies)
}
