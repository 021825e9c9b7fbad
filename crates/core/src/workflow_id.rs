//! The default workflow ids: one business fact, one id, so that starting twice is starting once.

use crate::ids::OrderId;

/// The id of the payment of an order: `payment-{orderId}`.
pub fn payment(order: &OrderId) -> String {
    format!("payment-{order}")
}

/// The default id of a workflow with this input, if the contract has one for its type.
pub fn default_for(workflow: &str, input: &serde_json::Value) -> Option<String> {
    let field = |name: &str| input.get(name).and_then(serde_json::Value::as_str);
    match workflow {
        "processPaymentWorkflow" => {
            let order = OrderId::parse(field("orderId")?).ok()?;
            Some(payment(&order))
        }
        _ => None,
    }
}
