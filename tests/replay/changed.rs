//! The payment workflow as a careless change would leave it: it charges before it validates.

use std::num::NonZeroU32;

use partner_core::activity_options::ActivityPolicies;
use partner_core::wire::Wire;
use partner_payment::activities::gateway::{GatewayActivities, ProcessPaymentGatewayInput};
use partner_payment::workflows::process_payment::ProcessPaymentInput;
use serde_json::Value;
use temporalio_sdk::{WorkflowContext, WorkflowResult};
use temporalio_workflow::{workflow, workflow_methods};

/// A workflow of the same name, with its steps in another order.
#[workflow]
#[derive(Default)]
pub(crate) struct ChargesFirst;

#[workflow_methods]
impl ChargesFirst {
    /// Charges at once.
    #[run(name = "processPaymentWorkflow")]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        input: Wire<ProcessPaymentInput>,
    ) -> WorkflowResult<Value> {
        let input = input
            .into_result()
            .map_err(partner_core::wire::InvalidInput::into_workflow_failure)?;
        let charge = ProcessPaymentGatewayInput {
            order_id: input.order_id.to_string(),
            amount: input.amount,
            currency: input.currency,
            payment_method: input.payment_method,
            user_id: input.user_id.to_string(),
            attempt: input.attempt.map_or(1, NonZeroU32::get),
        };
        let options = ActivityPolicies::default()
            .gateway()
            .remote("charge the buyer");
        ctx.execute_activity(GatewayActivities::process_payment_gateway, charge, options)
            .await?;
        Ok(Value::Null)
    }
}
