//! `expiringListingsWorkflow`: every listing that expires soon is followed to its date.
//!
//! A sweep (see `partner_core::sweep`): page after page of the listings that are shown and expire
//! within the days of the first reminder and two more. A listing that no `listingExpirationWorkflow`
//! follows gets one; one that runs is told of a date that was changed in the database, once. So a date
//! that another service writes is kept, and a workflow that was lost is made up for. Scheduled daily.
//!
//! Nothing is undone: cancelled, it begins no further page, and what it started goes on.
//!
//! Queries `getStatus`, `getProgress`, `getDetails`. History: 11 events and 2 billable actions, 6 and
//! 1 more for each further page of 500, and an action for each workflow that is started or told; after 100
//! pages a new run goes on.

use partner_core::activity_options::ActivityPolicies;
use partner_core::progress::{ProgressAnswer, StatusAnswer};
use partner_core::step::{closing, remote};
use partner_core::sweep::{Sweep, SweepDetails, SweepEnd, SweepInput, SweepResult, sweep};
use partner_core::wire::Wire;
use temporalio_sdk::{ContinueAsNewOptions, WorkflowContext, WorkflowContextView, WorkflowResult};
use temporalio_workflow::{workflow, workflow_methods};

use crate::activities::expiration::ExpirationActivities;

/// The workflow, with what its queries need.
#[workflow]
pub struct ExpiringListings {
    policies: ActivityPolicies,
    sweep: Sweep,
}

impl ExpiringListings {
    /// A sweep that has not begun, with these timeouts and retries.
    pub fn new(policies: ActivityPolicies) -> Self {
        Self {
            policies,
            sweep: Sweep::default(),
        }
    }
}

#[workflow_methods(factory_only)]
impl ExpiringListings {
    /// Lets every listing that expires soon be followed.
    #[run(name = "expiringListingsWorkflow")]
    pub async fn run(
        ctx: &mut WorkflowContext<Self>,
        input: Wire<SweepInput>,
    ) -> WorkflowResult<SweepResult> {
        let policy = ctx.state(|state| state.policies.cleanup().heartbeating());
        let ended = match input.into_result() {
            Ok(input) => {
                let ctx = &*ctx;
                let page = |page| {
                    let options = policy.detached("follow what expires soon");
                    remote(
                        ctx,
                        ExpirationActivities::start_due_expirations,
                        page,
                        options,
                    )
                };
                sweep(ctx, input, |state| &mut state.sweep, page).await
            }
            Err(invalid) => Err(invalid.into()),
        };
        match ended {
            Ok(SweepEnd::Result(result)) => {
                ctx.state_mut(|state| state.sweep.complete());
                Ok(result)
            }
            Ok(SweepEnd::Again(input)) => {
                let options = ContinueAsNewOptions::default();
                match ctx.continue_as_new(input.into(), options)? {}
            }
            Err(problem) => {
                ctx.state_mut(|state| state.sweep.fail(&problem));
                Err(closing(ctx, problem))
            }
        }
    }

    /// How the sweep stands.
    #[query(name = "getStatus")]
    pub fn get_status(&self, _ctx: &WorkflowContextView) -> StatusAnswer {
        self.sweep.status()
    }

    /// How far it is, in listings.
    #[query(name = "getProgress")]
    pub fn get_progress(&self, _ctx: &WorkflowContextView) -> ProgressAnswer {
        self.sweep.progress()
    }

    /// Everything that the workflow knows.
    #[query(name = "getDetails")]
    pub fn get_details(&self, _ctx: &WorkflowContextView) -> SweepDetails {
        self.sweep.details()
    }
}
