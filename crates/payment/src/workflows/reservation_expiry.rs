//! `reservationExpiryWorkflow`: stock that unpaid orders hold past their time is free again.
//!
//! Whoever needs an article takes back what has expired of it anyway; this makes it show in the stock
//! also while nobody asks. An order that is paid after all takes its articles anew, if there are any.
//!
//! Steps: rounds of a local activity, each of 200 articles at most, until none is left. Nothing is
//! undone. Queries `getStatus`, `getProgress`, `getDetails`. History: 6 events and 2 billable actions,
//! for each further round 1 event more.

use partner_core::activity_options::ActivityPolicies;
use partner_core::problem::Problem;
use partner_core::progress::{Course, ProgressAnswer, StatusAnswer, Step};
use partner_core::step::{closing, local, stop_if_cancelled};
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use temporalio_sdk::{ContinueAsNewOptions, WorkflowContext, WorkflowContextView, WorkflowResult};
use temporalio_workflow::{workflow, workflow_methods};

use crate::activities::inventory::{ExpireReservationsInput, InventoryActivities};

/// How many articles a round has at most: a local activity takes a moment, and no more.
const ARTICLES: u32 = 200;

/// After how many rounds a new run goes on, with a short history.
const ROUNDS_PER_RUN: u32 = 100;

/// What it is started with: nothing of its own.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReservationExpiryInput {
    /// What the runs before took back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued: Option<ReservationExpiryDetails>,
}

/// The answer of `getDetails`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReservationExpiryDetails {
    /// How many reservations were taken back.
    pub reservations: u64,
    /// Of how many articles.
    pub articles: u64,
}

/// What was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReservationExpiryResult {
    /// Always true: what could not be taken back is a failure.
    pub success: bool,
    /// How many reservations.
    pub reservations: u64,
    /// Of how many articles.
    pub articles: u64,
}

/// The steps, for the queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Expiring,
    Done,
}

impl Step for Stage {
    const TOTAL: u32 = 1;

    fn name(self) -> &'static str {
        match self {
            Self::Expiring => "expiring",
            Self::Done => "done",
        }
    }

    fn completed(self) -> u32 {
        match self {
            Self::Expiring => 0,
            Self::Done => Self::TOTAL,
        }
    }
}

/// The workflow, with what its queries need.
#[workflow]
pub struct ReservationExpiry {
    policies: ActivityPolicies,
    course: Course<Stage>,
    details: ReservationExpiryDetails,
}

/// What a run comes to.
enum End {
    Result(ReservationExpiryResult),
    /// The history is long, and a new run goes on.
    Again,
}

impl ReservationExpiry {
    /// An expiry that has not begun, with these timeouts and retries.
    pub fn new(policies: ActivityPolicies) -> Self {
        Self {
            policies,
            course: Course::new(Stage::Expiring),
            details: ReservationExpiryDetails::default(),
        }
    }
}

type Context = WorkflowContext<ReservationExpiry>;

#[workflow_methods(factory_only)]
impl ReservationExpiry {
    /// Takes back what has expired.
    #[run(name = "reservationExpiryWorkflow")]
    pub async fn run(
        ctx: &mut WorkflowContext<Self>,
        input: Wire<ReservationExpiryInput>,
    ) -> WorkflowResult<ReservationExpiryResult> {
        let ended = match input.into_result() {
            Ok(input) => expire(ctx, input).await,
            Err(invalid) => Err(invalid.into()),
        };
        match ended {
            Ok(End::Result(result)) => {
                ctx.state_mut(|state| state.course.complete(Stage::Done));
                Ok(result)
            }
            Ok(End::Again) => {
                let input = ReservationExpiryInput {
                    continued: Some(ctx.state(|state| state.details)),
                };
                let options = ContinueAsNewOptions::default();
                match ctx.continue_as_new(input.into(), options)? {}
            }
            Err(problem) => {
                ctx.state_mut(|state| state.course.fail(&problem));
                Err(closing(ctx, problem))
            }
        }
    }

    /// How it stands.
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
    pub fn get_details(&self, _ctx: &WorkflowContextView) -> ReservationExpiryDetails {
        self.details
    }
}

/// Takes back round by round.
async fn expire(ctx: &Context, input: ReservationExpiryInput) -> Result<End, Problem> {
    ctx.state_mut(|state| {
        state.course.enter(Stage::Expiring);
        state.details = input.continued.unwrap_or_default();
    });
    for _ in 0..ROUNDS_PER_RUN {
        stop_if_cancelled(ctx)?;
        let policy = ctx.state(|state| state.policies.payment());
        let options = policy.local("take back what has expired");
        let round = ExpireReservationsInput {
            limit: Some(ARTICLES),
        };
        let expired = local(
            ctx,
            InventoryActivities::expire_reservations,
            round,
            options,
        )
        .await?;
        let details = ctx.state_mut(|state| {
            state.details.reservations += expired.reservations;
            state.details.articles += expired.articles;
            state.details
        });
        if !expired.more {
            return Ok(End::Result(ReservationExpiryResult {
                success: true,
                reservations: details.reservations,
                articles: details.articles,
            }));
        }
    }
    Ok(End::Again)
}
