//! What this domain brings to a worker.

use std::sync::Arc;
use std::time::Duration;

use partner_core::activity_options::ActivityPolicies;
use partner_core::catalog::{Catalog, CatalogEntry};
use partner_core::ports::fulfillment::Fulfillment;
use partner_core::ports::payment_gateway::PaymentGateway;
use sqlx::PgPool;
use temporalio_sdk::{WorkerOptions, WorkflowRegistrationError};

use crate::activities::due::DueActivities;
use crate::activities::fulfillment::FulfillmentActivities;
use crate::activities::gateway::GatewayActivities;
use crate::activities::inventory::InventoryActivities;
use crate::activities::order::OrderActivities;
use crate::activities::subscription::SubscriptionActivities;
use crate::activities::validation::ValidationActivities;
use crate::ledger::ChargeLedger;
use crate::repository::{
    ChargeRepository, InventoryRepository, OrderRepository, SubscriptionRepository,
};
use crate::settings::BillingSettings;
use crate::workflows::due_subscriptions::DueSubscriptions;
use crate::workflows::process_payment::ProcessPayment;
use crate::workflows::reservation_expiry::ReservationExpiry;
use crate::workflows::subscription_payment::SubscriptionPayment;

/// What the domain needs from its host.
#[derive(Clone)]
pub struct Dependencies {
    /// PostgreSQL, with the platform's schema.
    pub pool: PgPool,
    /// Where the money is.
    pub gateway: Arc<dyn PaymentGateway>,
    /// Who hands orders over.
    pub fulfillment: Arc<dyn Fulfillment>,
    /// How long stock stays reserved for an order that is not paid.
    pub reservation_ttl: Duration,
    /// Recurring billing.
    pub billing: BillingSettings,
    /// Timeouts and retries.
    pub policies: ActivityPolicies,
}

/// Registers the domain's workflows and activities.
///
/// # Errors
/// If a workflow of the same name is already registered.
pub fn register(
    options: &mut WorkerOptions,
    dependencies: Dependencies,
) -> Result<(), WorkflowRegistrationError> {
    let Dependencies {
        pool,
        gateway,
        fulfillment,
        reservation_ttl,
        billing,
        policies,
    } = dependencies;
    let charges = ChargeRepository::new(pool.clone());
    let ledger = ChargeLedger::new(charges.clone(), gateway, billing.dunning());
    let orders = OrderRepository::new(pool.clone());
    options.register_workflow_with_factory(move || ProcessPayment::new(policies))?;
    options.register_workflow_with_factory(move || SubscriptionPayment::new(policies))?;
    options.register_workflow_with_factory(move || DueSubscriptions::new(policies))?;
    options.register_workflow_with_factory(move || ReservationExpiry::new(policies))?;
    options
        .register_activities(ValidationActivities {
            orders: orders.clone(),
        })
        .register_activities(InventoryActivities {
            inventory: InventoryRepository::new(pool.clone()),
            reservation_ttl,
        })
        .register_activities(GatewayActivities {
            ledger: ledger.clone(),
        })
        .register_activities(OrderActivities {
            orders: orders.clone(),
        })
        .register_activities(FulfillmentActivities {
            orders,
            fulfillment,
        })
        .register_activities(DueActivities {
            subscriptions: SubscriptionRepository::new(pool.clone()),
            charges: charges.clone(),
            schedule: billing.schedule,
        })
        .register_activities(SubscriptionActivities {
            subscriptions: SubscriptionRepository::new(pool),
            charges,
            ledger,
            settings: billing,
        });
    Ok(())
}

/// What a payment, of whichever kind, is told.
const SIGNALS: [&str; 3] = ["cancelPayment", "retryPayment", "gatewayEvent"];

/// The domain's part of `partner catalog`.
pub fn catalog(policies: &ActivityPolicies) -> Catalog {
    Catalog {
        entries: [
            CatalogEntry::workflow("processPaymentWorkflow", &SIGNALS),
            CatalogEntry::workflow("subscriptionPaymentWorkflow", &SIGNALS),
            CatalogEntry::workflow("dueSubscriptionsWorkflow", &[]),
            CatalogEntry::workflow("reservationExpiryWorkflow", &[]),
            activities(policies),
        ]
        .concat(),
    }
}

fn activities(policies: &ActivityPolicies) -> Vec<CatalogEntry> {
    let step = policies.payment();
    vec![
        CatalogEntry::local_activity("validatePayment", step),
        CatalogEntry::local_activity("reserveInventory", step),
        CatalogEntry::activity("releaseInventory", step.unbounded()),
        CatalogEntry::activity("processPaymentGateway", policies.gateway()),
        CatalogEntry::activity("lookupPayment", policies.gateway().unbounded()),
        CatalogEntry::activity("refundPayment", policies.gateway().unbounded()),
        CatalogEntry::local_activity("updateOrderStatus", step.unbounded()),
        CatalogEntry::activity("triggerFulfillment", step.heartbeating()),
        CatalogEntry::activity("cancelFulfillment", step.heartbeating().unbounded()),
        CatalogEntry::local_activity("getSubscriptionDetails", step),
        CatalogEntry::local_activity("updateSubscription", step),
        CatalogEntry::activity("chargeSubscription", policies.gateway()),
        CatalogEntry::activity("lookupSubscriptionCharge", policies.gateway().unbounded()),
        CatalogEntry::activity("startDueSubscriptions", policies.cleanup().heartbeating()),
        CatalogEntry::local_activity("expireReservations", step),
    ]
}
