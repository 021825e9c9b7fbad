//! `userOnboardingWorkflow`: makes a user a partner.
//!
//! Steps: status `onboarding` (someone unknown is created first), welcome package, notification
//! `onboarding_started` in the app, status `active`, completion mail. Whatever fails after the first
//! step leaves the user `onboarding_failed` with the reason, and the workflow fails with the
//! contract's code. It can then be started again; what was sent is not sent twice, because each
//! message has a key of the user's.
//!
//! A user who is active already stays so and is sent nothing. One who is suspended is refused, and
//! one who is suspended meanwhile stays suspended.
//!
//! No signals; queries `getStatus`, `getProgress`, `getDetails`. Cancelled through Temporal, it stops
//! before its next step, the user is `onboarding_failed`, and the run closes as cancelled; from the
//! completion mail on there is no next step, and it completes.
//! History: 20 events and 5 billable actions when all goes well.

mod state;

use partner_core::activity_options::ActivityPolicies;
use partner_core::contracts::email::EmailContract;
use partner_core::contracts::notification::{NotificationContract, SendNotificationInput};
use partner_core::error::ErrorCode;
use partner_core::problem::Problem;
use partner_core::progress::{Course, ProgressAnswer, StatusAnswer};
use partner_core::saga::UndoFailure;
use partner_core::step::{closing, local, remote, stop_if_cancelled};
use partner_core::wire::{InvalidInput, Wire};
use temporalio_sdk::{WorkflowContext, WorkflowContextView, WorkflowResult};
use temporalio_workflow::{workflow, workflow_methods};

use self::state::Step;
pub use self::state::{OnboardingDetails, UserOnboardingInput, UserOnboardingResult};
use crate::activities::account::{AccountActivities, UpdateUserStatusInput};
use crate::activities::welcome::{SendWelcomePackageInput, WelcomeActivities};
use crate::emails::{self, OnboardingMail};
use crate::model::UserStatus;
use crate::settings::OnboardingSettings;

/// The workflow, with what its queries need.
#[workflow]
pub struct UserOnboarding {
    policies: ActivityPolicies,
    settings: OnboardingSettings,
    course: Course<Step>,
    details: OnboardingDetails,
}

impl UserOnboarding {
    /// An onboarding that has not begun, with these timeouts and retries.
    ///
    /// The settings only fill in what the completion mail says, which replay does not compare.
    pub fn new(policies: ActivityPolicies, settings: OnboardingSettings) -> Self {
        Self {
            policies,
            settings,
            course: Course::new(Step::Beginning),
            details: OnboardingDetails::default(),
        }
    }
}

type Context = WorkflowContext<UserOnboarding>;

#[workflow_methods(factory_only)]
impl UserOnboarding {
    /// Makes the user a partner, or leaves them `onboarding_failed` and fails.
    #[run(name = "userOnboardingWorkflow")]
    pub async fn run(
        ctx: &mut WorkflowContext<Self>,
        input: Wire<UserOnboardingInput>,
    ) -> WorkflowResult<UserOnboardingResult> {
        match onboard(ctx, input).await {
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

    /// How the onboarding stands.
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
    pub fn get_details(&self, _ctx: &WorkflowContextView) -> OnboardingDetails {
        self.details.clone()
    }
}

async fn onboard(
    ctx: &Context,
    input: Wire<UserOnboardingInput>,
) -> Result<UserOnboardingResult, Problem> {
    let user = accept(ctx, input)?;
    let message = if begin(ctx, &user).await? == UserStatus::Active {
        "User is already active"
    } else {
        if let Err(problem) = set_up(ctx, &user).await {
            return Err(give_up(ctx, &user, problem).await);
        }
        "User onboarded successfully"
    };
    Ok(UserOnboardingResult {
        success: true,
        user_id: user.user_id.into(),
        message: message.to_owned(),
    })
}

fn accept(
    ctx: &Context,
    input: Wire<UserOnboardingInput>,
) -> Result<UserOnboardingInput, InvalidInput> {
    let user = input.into_result()?;
    ctx.state_mut(|state| {
        state.details.user_id = Some(user.user_id.to_string());
        state.details.email = Some(user.email.to_string());
        state.details.name = Some(user.name.to_string());
    });
    Ok(user)
}

/// Moves the user to `onboarding`, unless they have it behind them; tells what they are.
async fn begin(ctx: &Context, user: &UserOnboardingInput) -> Result<UserStatus, Problem> {
    next(ctx, Step::Beginning)?;
    let input = UpdateUserStatusInput {
        email: Some(user.email.clone()),
        name: Some(user.name.clone()),
        ..become_unless(user, UserStatus::Onboarding, &[UserStatus::Active])
    };
    update_status(ctx, input, "begin the onboarding").await
}

async fn set_up(ctx: &Context, user: &UserOnboardingInput) -> Result<(), Problem> {
    welcome(ctx, user).await?;
    announce(ctx, user).await?;
    activate(ctx, user).await?;
    confirm(ctx, user).await
}

async fn welcome(ctx: &Context, user: &UserOnboardingInput) -> Result<(), Problem> {
    next(ctx, Step::SendingWelcomePackage)?;
    let input = SendWelcomePackageInput {
        user_id: user.user_id.clone(),
        email: user.email.clone(),
        name: user.name.clone(),
    };
    let options = policies(ctx).notification().heartbeating();
    let options = options.detached("send the welcome package");
    remote(ctx, WelcomeActivities::send_welcome_package, input, options).await?;
    Ok(())
}

/// Says in the app that it has begun: the mail says so already, and a device need not ring for it.
async fn announce(ctx: &Context, user: &UserOnboardingInput) -> Result<(), Problem> {
    next(ctx, Step::Notifying)?;
    let input = SendNotificationInput {
        user_id: user.user_id.to_string(),
        kind: "onboarding_started".to_owned(),
        message: format!(
            "Your onboarding has begun. What you need is in the welcome package that we sent to {}.",
            user.email
        ),
        metadata: None,
        title: Some("Welcome aboard".to_owned()),
        email: None,
        channels: Some(vec!["in_app".to_owned()]),
        critical: false,
        notification_id: Some(format!("onboarding/{}/started", user.user_id)),
    };
    // A row in the database: hence local.
    let options = policies(ctx).notification().local("notify in the app");
    local(ctx, NotificationContract::send_notification, input, options).await?;
    Ok(())
}

async fn activate(ctx: &Context, user: &UserOnboardingInput) -> Result<(), Problem> {
    next(ctx, Step::Activating)?;
    // By itself, suspended -> active is a legal step: that of the person who lifts a suspension.
    let input = become_unless(user, UserStatus::Active, &[UserStatus::Suspended]);
    match update_status(ctx, input, "activate the user").await? {
        UserStatus::Active => Ok(()),
        status => Err(Problem::new(
            ErrorCode::ValidationError,
            format!("user {} became {status} meanwhile", user.user_id),
        )),
    }
}

async fn confirm(ctx: &Context, user: &UserOnboardingInput) -> Result<(), Problem> {
    next(ctx, Step::Confirming)?;
    let mail = ctx.state(|state| {
        emails::onboarding_completed(OnboardingMail {
            user_id: &user.user_id,
            email: &user.email,
            name: &user.name,
            settings: &state.settings,
        })
    });
    let mail = mail.map_err(|error| Problem::new(ErrorCode::Unknown, error.to_string()))?;
    let options = policies(ctx).notification().heartbeating();
    let options = options.detached("confirm by mail");
    remote(ctx, EmailContract::send_email, mail, options).await?;
    Ok(())
}

/// Leaves the user `onboarding_failed`, and says what went wrong.
async fn give_up(ctx: &Context, user: &UserOnboardingInput, problem: Problem) -> Problem {
    enter(ctx, Step::MarkingFailed);
    let mine = ctx.state(|state| state.details.user_status == Some(UserStatus::Active));
    let unless: &[_] = if mine {
        &[UserStatus::Suspended]
    } else {
        // Active by another run, under another id: that one's success is not this one's to undo.
        &[UserStatus::Suspended, UserStatus::Active]
    };
    let input = UpdateUserStatusInput {
        reason: Some(problem.message.clone()),
        ..become_unless(user, UserStatus::OnboardingFailed, unless)
    };
    let options = policies(ctx).notification();
    let options = options.undo("mark the onboarding as failed");
    let activity = AccountActivities::update_user_status;
    match remote(ctx, activity, input, options).await {
        Ok(updated) => {
            saw(ctx, updated.status);
            problem
        }
        Err(refused) => problem.with_undo_failures(&[UndoFailure {
            name: "updateUserStatus".to_owned(),
            reason: refused.to_string(),
        }]),
    }
}

fn become_unless(
    user: &UserOnboardingInput,
    status: UserStatus,
    unless: &[UserStatus],
) -> UpdateUserStatusInput {
    UpdateUserStatusInput {
        user_id: user.user_id.clone(),
        status,
        reason: None,
        email: None,
        name: None,
        unless: unless.to_vec(),
    }
}

/// Moves the user on; tells what they are then.
async fn update_status(
    ctx: &Context,
    input: UpdateUserStatusInput,
    summary: &str,
) -> Result<UserStatus, Problem> {
    // A database that is down is waited for: given up, nobody would know how the user stands.
    let options = policies(ctx).notification().unbounded().local(summary);
    let updated = local(ctx, AccountActivities::update_user_status, input, options).await?;
    saw(ctx, updated.status);
    Ok(updated.status)
}

fn policies(ctx: &Context) -> ActivityPolicies {
    ctx.state(|state| state.policies)
}

/// Goes on to a step, unless the workflow was cancelled.
fn next(ctx: &Context, step: Step) -> Result<(), Problem> {
    stop_if_cancelled(ctx)?;
    enter(ctx, step);
    Ok(())
}

fn enter(ctx: &Context, step: Step) {
    ctx.state_mut(|state| state.course.enter(step));
}

fn saw(ctx: &Context, status: UserStatus) {
    ctx.state_mut(|state| state.details.user_status = Some(status));
}
