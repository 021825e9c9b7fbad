//! What other services rely on by name and number, written down here a second time.

use std::time::Duration;

use partner_core::activity_options::{ActivityPolicies, ActivityPolicy, Retry};
use partner_core::catalog::{Catalog, Kind};
use partner_core::task_queue;
use temporalio_sdk::WorkerOptions;

use crate::support::on_platform;

/// The contract's workflows, with their signals; more signals may be added.
const WORKFLOWS: [(&str, &[&str]); 9] = [
    ("dailyReportWorkflow", &["pause", "resume", "updateConfig"]),
    ("dataCleanupWorkflow", &["pause", "resume", "updateConfig"]),
    (
        "listingApprovalWorkflow",
        &["approve", "listingUpdated", "reject"],
    ),
    ("listingExpirationWorkflow", &["renew"]),
    (
        "processPaymentWorkflow",
        &["cancelPayment", "gatewayEvent", "retryPayment"],
    ),
    ("reminderWorkflow", &["cancel", "reschedule"]),
    ("sendNotificationWorkflow", &[]),
    (
        "subscriptionPaymentWorkflow",
        &["cancelPayment", "gatewayEvent", "retryPayment"],
    ),
    ("userOnboardingWorkflow", &[]),
];

/// Those that the contract does not name: they look for what is due, and start or signal the contract's.
const ADDED_WORKFLOWS: [&str; 3] = [
    "dueSubscriptionsWorkflow",
    "expiringListingsWorkflow",
    "reservationExpiryWorkflow",
];

const USER_ACTIVITIES: [&str; 5] = [
    "sendEmail",
    "processNotification",
    "updateUserStatus",
    "sendWelcomePackage",
    "sendNotification",
];

/// Those that the contract does not name: it allows more of them.
const ADDED_ACTIVITIES: [&str; 16] = [
    "startDueSubscriptions",
    "expireReservations",
    "startDueExpirations",
    "planReport",
    "linkReport",
    "restoreBackup",
    "submitListing",
    "startListingExpiration",
    "renewListing",
    "sendExpirationReminder",
    "lookupPayment",
    "refundPayment",
    "cancelFulfillment",
    "planNotification",
    "chargeSubscription",
    "lookupSubscriptionCharge",
];

const PAYMENT_ACTIVITIES: [&str; 8] = [
    "validatePayment",
    "processPaymentGateway",
    "reserveInventory",
    "releaseInventory",
    "updateOrderStatus",
    "triggerFulfillment",
    "getSubscriptionDetails",
    "updateSubscription",
];

const LISTING_ACTIVITIES: [&str; 10] = [
    "validateListing",
    "runAutomatedChecks",
    "updateListingStatus",
    "notifyReviewers",
    "approveListing",
    "rejectListing",
    "publishToSearchIndex",
    "removeFromSearchIndex",
    "getListingStatus",
    "expireListing",
];

const ANALYTICS_ACTIVITIES: [&str; 10] = [
    "gatherAnalytics",
    "generateReport",
    "storeReport",
    "logReportGeneration",
    "identifyCleanupItems",
    "backupData",
    "deleteItems",
    "logCleanupOperation",
    "validateReminder",
    "markReminderSent",
];

fn catalog() -> Catalog {
    partner_worker::catalog(&ActivityPolicies::default())
}

/// The quoted names in a `Debug` text: the SDK tells what is registered in no other way.
fn quoted(text: &str) -> Vec<String> {
    let mut names: Vec<_> = text
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn every_name_of_the_contract_is_offered_and_nothing_else_that_is_not_listed() {
    let activities: [&[&str]; 4] = [
        &USER_ACTIVITIES,
        &PAYMENT_ACTIVITIES,
        &LISTING_ACTIVITIES,
        &ANALYTICS_ACTIVITIES,
    ];
    assert_eq!(activities.concat().len(), 33, "the contract counts them");
    let names = |lists: &[&[&'static str]]| {
        let mut names = lists.concat();
        names.sort_unstable();
        names
    };
    assert_eq!(
        catalog().names(Kind::Activity),
        names(&[
            &USER_ACTIVITIES,
            &PAYMENT_ACTIVITIES,
            &LISTING_ACTIVITIES,
            &ANALYTICS_ACTIVITIES,
            &ADDED_ACTIVITIES
        ])
    );
    let workflows = WORKFLOWS.map(|(name, _)| name);
    assert_eq!(
        catalog().names(Kind::Workflow),
        names(&[&workflows, &ADDED_WORKFLOWS])
    );
}

#[test]
fn every_workflow_understands_the_contracts_signals_and_queries() {
    let added = ADDED_WORKFLOWS.map(|workflow| (workflow, &[] as &[&str]));
    for (workflow, signals) in WORKFLOWS.into_iter().chain(added) {
        let understood = |kind| {
            let entries = catalog()
                .entries
                .into_iter()
                .filter(move |entry| entry.kind == kind);
            let entries = entries.filter(|entry| entry.on == Some(workflow));
            entries.map(|entry| entry.name).collect::<Vec<_>>()
        };
        assert_eq!(understood(Kind::Signal), signals, "{workflow}");
        assert_eq!(
            understood(Kind::Query),
            ["getDetails", "getProgress", "getStatus"],
            "{workflow}"
        );
    }
}

#[test]
fn a_listing_under_review_is_decided_by_the_contracts_update() {
    let updates: Vec<_> = catalog()
        .entries
        .into_iter()
        .filter(|entry| entry.kind == Kind::Update)
        .map(|entry| (entry.name, entry.on))
        .collect();
    assert_eq!(updates, [("decide", Some("listingApprovalWorkflow"))]);
}

#[test]
fn the_catalogue_is_exactly_what_a_worker_registers() {
    on_platform(async |host| {
        let dependencies = partner_worker::Dependencies::connect(&host.config(&[]))
            .await
            .expect("dependencies");
        let mut options = WorkerOptions::new("unused").build();
        partner_worker::register(&mut options, dependencies).expect("registration");
        assert_eq!(
            quoted(&format!("{:?}", options.activities())),
            catalog().names(Kind::Activity)
        );
        assert_eq!(
            quoted(&format!("{:?}", options.workflows())),
            catalog().names(Kind::Workflow)
        );
    });
}

#[test]
fn task_queues_are_the_contracts() {
    let queues = [
        task_queue::DEFAULT,
        task_queue::PRIORITY,
        task_queue::BACKGROUND,
        task_queue::SCHEDULED,
    ];
    assert_eq!(
        queues,
        [
            "partner-platform-queue",
            "partner-platform-priority-queue",
            "partner-platform-background-queue",
            "partner-platform-scheduled-queue",
        ]
    );
    assert!(
        catalog()
            .entries
            .iter()
            .all(|entry| entry.task_queue == task_queue::DEFAULT)
    );
}

#[test]
fn timeouts_and_retries_are_the_contracts() {
    on_platform(async |host| {
        // As a worker reads them, not only as they are compiled in.
        let policies = host.config(&[]).activities;
        assert_eq!(policies, ActivityPolicies::default());
        let timeouts = policies.timeouts;
        let seconds = [
            timeouts.short,
            timeouts.medium,
            timeouts.long,
            timeouts.very_long,
            timeouts.gateway,
        ];
        assert_eq!(
            seconds.map(|timeout| timeout.as_secs()),
            [30, 60, 300, 900, 120]
        );

        let retry = |initial, maximum, coefficient, attempts| Retry {
            initial_interval: Duration::from_millis(initial),
            maximum_interval: Duration::from_millis(maximum),
            coefficient,
            attempts,
        };
        let retries = policies.retries;
        assert_eq!(retries.standard, retry(1_000, 30_000, 2.0, 3));
        assert_eq!(retries.aggressive, retry(500, 10_000, 2.0, 5));
        assert_eq!(retries.minimal, retry(1_000, 5_000, 1.5, 2));
        assert_eq!(retries.extended, retry(2_000, 120_000, 2.0, 10));

        for (found, timeout, retry) in [
            (policies.notification(), timeouts.short, retries.standard),
            (policies.payment(), timeouts.medium, retries.aggressive),
            (policies.listing(), timeouts.medium, retries.standard),
            (policies.analytics(), timeouts.long, retries.standard),
            (policies.cleanup(), timeouts.very_long, retries.extended),
        ] {
            assert_eq!(found, ActivityPolicy::new(timeout, retry));
        }
    });
}

#[test]
fn what_undoes_or_finds_out_is_tried_without_bound() {
    let attempts = |name: &str| {
        let entries = catalog().entries;
        let entry = entries
            .iter()
            .find(|entry| entry.name == name)
            .expect("it is offered");
        entry.policy.expect("it is an activity").retry.attempts
    };
    for name in [
        "releaseInventory",
        "refundPayment",
        "lookupPayment",
        "cancelFulfillment",
        "updateOrderStatus",
        "updateUserStatus",
        "processNotification",
        "lookupSubscriptionCharge",
        "approveListing",
        "rejectListing",
        "updateListingStatus",
        "publishToSearchIndex",
        "removeFromSearchIndex",
        "expireListing",
    ] {
        assert_eq!(attempts(name), 0, "{name}");
    }
}
