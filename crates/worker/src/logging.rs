//! One span and one line for each attempt of an activity, with the ids that lead to its workflow.

use futures::FutureExt;
use temporalio_sdk::activities::ActivityError;
use temporalio_sdk::interceptors::{
    ActivityInboundInterceptor, ExecuteActivityInput, ExecuteActivityOutput, Next,
};
use tracing::Instrument;

/// Logs activities. Workflow code logs nothing: replay would say everything twice.
#[derive(Debug, Default)]
pub struct ActivityLog;

impl ActivityInboundInterceptor for ActivityLog {
    fn execute_activity<'a>(
        &'a self,
        input: ExecuteActivityInput,
        next: Next<'a, ExecuteActivityInput, ExecuteActivityOutput<'a>>,
    ) -> ExecuteActivityOutput<'a> {
        let info = input.activity_info();
        let span = tracing::info_span!(
            "activity",
            activity.r#type = info.activity_type,
            activity.id = info.activity_id,
            activity.attempt = info.attempt,
            workflow.id = info.workflow_id.as_deref(),
            workflow.r#type = info.workflow_type.as_deref(),
            workflow.run_id = info.workflow_run_id.as_deref(),
        );
        async move {
            let result = next.run(input).await;
            match &result {
                Ok(_) => tracing::debug!("activity completed"),
                Err(ActivityError::Application(failure)) => tracing::warn!(
                    error.code = failure.type_name(),
                    error.retryable = !failure.is_non_retryable(),
                    error = %failure,
                    "activity failed"
                ),
                Err(other) => tracing::warn!(error = ?other, "activity did not complete"),
            }
            result
        }
        .instrument(span)
        .boxed()
    }
}
