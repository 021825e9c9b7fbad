//! Letting the time of a workflow pass: a development server skips it whenever the workflow only
//! waits, so that days take milliseconds.

use temporalio_client::Client;
use temporalio_client::tonic::{Request, Status};
use temporalio_common::protos::temporal::api::common::v1::{TimeSkippingConfig, WorkflowExecution};
use temporalio_common::protos::temporal::api::workflow::v1::WorkflowExecutionOptions;
use temporalio_common::protos::temporal::api::workflowservice::v1::UpdateWorkflowExecutionOptionsRequest;

/// Lets the time of a running workflow pass whenever it only waits, from now on.
///
/// # Errors
/// If the workflow does not run, or the server is not one that skips time.
pub async fn skip_time(client: &Client, workflow_id: &str) -> Result<(), Status> {
    let mut request = UpdateWorkflowExecutionOptionsRequest {
        namespace: client.options().namespace.clone(),
        workflow_execution: Some(WorkflowExecution {
            workflow_id: workflow_id.to_owned(),
            run_id: String::new(),
        }),
        workflow_execution_options: Some(WorkflowExecutionOptions {
            time_skipping_config: Some(TimeSkippingConfig {
                enabled: true,
                ..TimeSkippingConfig::default()
            }),
            ..WorkflowExecutionOptions::default()
        }),
        ..UpdateWorkflowExecutionOptionsRequest::default()
    };
    let mask = request.update_mask.get_or_insert_default();
    mask.paths = vec!["time_skipping_config".to_owned()];
    let mut service = client.connection().workflow_service();
    service
        .update_workflow_execution_options(Request::new(request))
        .await
        .map(drop)
}
