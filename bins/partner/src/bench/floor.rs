//! The floor: a workflow of one local activity that does nothing. What it takes, the engine takes.

use std::time::Duration;

use partner_core::activity_options::{ActivityPolicy, Retry};
use partner_core::wire::Wire;
use serde_json::Value;
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};
use temporalio_sdk::{WorkerOptions, WorkflowContext, WorkflowRegistrationError, WorkflowResult};
use temporalio_workflow::{workflow, workflow_methods};

/// The floor's workflow type.
pub(crate) const WORKFLOW: &str = "benchFloorWorkflow";

/// Registers the floor beside the platform.
pub(crate) fn register(options: &mut WorkerOptions) -> Result<(), WorkflowRegistrationError> {
    options.register_workflow::<Floor>()?;
    options.register_activities(FloorActivities);
    Ok(())
}

struct FloorActivities;

#[activities]
impl FloorActivities {
    #[activity(name = "benchNothing")]
    async fn nothing(_ctx: ActivityContext) -> Result<(), ActivityError> {
        std::future::ready(Ok(())).await
    }
}

#[workflow]
#[derive(Default)]
struct Floor;

#[workflow_methods]
impl Floor {
    #[run(name = "benchFloorWorkflow")]
    async fn run(ctx: &mut WorkflowContext<Self>, _input: Wire<Value>) -> WorkflowResult<()> {
        let retry = Retry {
            initial_interval: Duration::from_secs(1),
            maximum_interval: Duration::from_secs(1),
            coefficient: 1.0,
            attempts: 1,
        };
        let policy = ActivityPolicy::new(Duration::from_secs(10), retry);
        ctx.execute_local_activity(FloorActivities::nothing, (), policy.local("nothing"))
            .await?;
        Ok(())
    }
}
